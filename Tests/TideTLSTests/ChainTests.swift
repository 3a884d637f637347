import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// What must be refused in a chain, each beside the same chain without the fault.
@Suite struct ChainTests {
  let root: TestIdentity

  init() throws { self.root = try .authority("root") }

  private func pair(
    _ identity: TestIdentity,
    chain: [TestIdentity] = [],
    name: String = "server.example",
    trusting root: TestIdentity? = nil
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem((root ?? self.root).pem)),
      leaf: identity.leaf(chain: chain),
      name: name
    ).run()
  }

  private func expectRefusal(
    _ pair: SessionPair,
    _ errors: Int32...,
    saying words: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let failure = pair.clientFailure
    #expect(failure?.code == .untrusted, sourceLocation: sourceLocation)
    #expect(
      errors.contains { failure?.verifyError == Int($0) },
      "\(failure?.detail ?? "")",
      sourceLocation: sourceLocation
    )
    #expect(!pair.client.isEstablished, sourceLocation: sourceLocation)
    #expect(
      failure?.detail.contains(words) == true || words.isEmpty,
      "\(failure?.detail ?? "")",
      sourceLocation: sourceLocation
    )
    #expect(leftOverError == 0, sourceLocation: sourceLocation)
  }

  /// A leaf below an intermediate with these extensions.
  private func pair(
    below extensions: [CertificateExtension],
    basics: CertificateExtension = .anyAuthority,
    name: String = "server.example"
  ) throws -> SessionPair {
    let upper = try TestIdentity.authority(
      "upper",
      basics: basics,
      issuer: self.root,
      extensions: extensions
    )
    let leaf = try TestIdentity.server([host(name)], issuer: upper)
    return try self.pair(leaf, chain: [upper], name: name)
  }

  @Test("TLS-2: a signature that is not the issuer's is refused, wherever it stands")
  func signature() throws {
    let upper = try TestIdentity.authority("upper", issuer: self.root)
    let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
    #expect(try self.pair(leaf, chain: [upper]).isEstablished)
    var broken = leaf.certificate.der
    broken[broken.count - 1] ^= 1
    let forged = TestIdentity(certificate: try .parse(der: broken), key: leaf.key)
    self.expectRefusal(try self.pair(forged, chain: [upper]), X509_V_ERR_CERT_SIGNATURE_FAILURE)
    var brokenUpper = upper.certificate.der
    brokenUpper[brokenUpper.count - 1] ^= 1
    let forgedUpper = TestIdentity(certificate: try .parse(der: brokenUpper), key: upper.key)
    self.expectRefusal(try self.pair(leaf, chain: [forgedUpper]), X509_V_ERR_CERT_SIGNATURE_FAILURE)
  }

  @Test("TLS-4: a wildcard is one whole left-most label of a name that is no TLD")
  func wildcards() throws {
    let cases: [(pattern: String, name: String, matches: Bool)] = [
      ("*.site.example", "www.site.example", true),
      ("*.site.example", "WWW.SITE.example", true),
      ("*.site.example", "xn--bcher-kva.site.example", true),
      ("*.SITE.example", "www.site.example", true),
      ("*.site.example", "site.example", false),
      ("*.site.example", "a.b.site.example", false),
      ("*", "example", false), ("*", "site.example", false),
      ("*.example", "site.example", false), ("*.com", "site.com", false),
      ("*.xn--p1ai", "site.xn--p1ai", false),
      ("*.", "example", false), ("**.site.example", "www.site.example", false),
      ("w*.site.example", "www.site.example", false),
      ("*w.site.example", "www.site.example", false),
      ("w*w.site.example", "www.site.example", false),
      ("xn--*.site.example", "xn--bcher-kva.site.example", false),
      ("xn--b*-kva.site.example", "xn--bcher-kva.site.example", false),
      ("www.*.example", "www.site.example", false),
      ("*.*.example", "www.site.example", false),
      ("www.site.*", "www.site.example", false),
      ("*.site.example.", "www.site.example", false),
      (".site.example", "www.site.example", false),
    ]
    for (pattern, name, matches) in cases {
      let identity = try TestIdentity.server(pattern: pattern, issuer: self.root)
      let pair = try self.pair(identity, name: name)
      #expect(pair.isEstablished == matches, "\(pattern) for \(name)")
      if !matches { self.expectRefusal(pair, X509_V_ERR_HOSTNAME_MISMATCH) }
    }
  }

  @Test("TLS-6: NUL bytes, raw UTF-8 and look-alikes are no match; A-labels are")
  func lookAlikes() throws {
    for (pattern, name, matches) in [
      ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
      ("b\u{FC}cher.example", "xn--bcher-kva.example", false),
      ("server.example\0", "server.example", false),
      ("server.example\0.other.example", "server.example", false),
      ("s\u{435}rver.example", "server.example", false),
      ("server\u{3002}example", "server.example", false),
      ("server.example ", "server.example", false),
    ] {
      let identity = try TestIdentity.server(pattern: pattern, issuer: self.root)
      let pair = try self.pair(identity, name: name)
      #expect(pair.isEstablished == matches, "\(pattern) for \(name)")
    }
  }

  @Test("TLS-7: a path longer than an issuer permits is refused")
  func pathLength() throws {
    let short = CertificateExtension(
      kind: NID_basic_constraints,
      isCritical: true,
      value: [0x30, 0x06, 0x01, 0x01, 0xFF, 0x02, 0x01, 0x00]
    )
    for (basics, isGood) in [(CertificateExtension.anyAuthority, true), (short, false)] {
      let upper = try TestIdentity.authority("upper", basics: basics, issuer: self.root)
      let lower = try TestIdentity.authority("lower", issuer: upper)
      let leaf = try TestIdentity.server([host("server.example")], issuer: lower)
      let pair = try self.pair(leaf, chain: [lower, upper])
      #expect(pair.isEstablished == isGood)
      if !isGood { self.expectRefusal(pair, X509_V_ERR_PATH_LENGTH_EXCEEDED) }
    }
  }

  @Test("TLS-7: an issuer without basicConstraints, keyCertSign or version 3 is none")
  func noAuthority() throws {
    #expect(try self.pair(below: []).isEstablished)
    self.expectRefusal(
      try self.pair(below: [], basics: .endEntity),
      X509_V_ERR_INVALID_CA,
      X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA
    )
    for extensions in [
      [CertificateExtension.anyAuthority, .digitalSignature], [.certificateSigning], [],
    ] {
      let key = try PrivateKey.generate(.p256)
      let identifier = CertificateAuthority.keyIdentifier(of: key)
      let upper = try TestIdentity.make(
        "upper",
        key: key,
        extensions: extensions + [.subjectKey(identifier)],
        issuer: self.root
      )
      let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
      self.expectRefusal(
        try self.pair(leaf, chain: [upper]),
        X509_V_ERR_INVALID_CA,
        X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA
      )
    }
    let old = try TestIdentity.make("upper", extensions: [], issuer: self.root)
    unsafe X509_delete_ext(old.certificate.handle, 0).map { unsafe X509_EXTENSION_free($0) }
    unsafe X509_set_version(old.certificate.handle, 0)
    let first = try old.signed(with: "SHA256", by: self.root)
    let leaf = try TestIdentity.server([host("server.example")], issuer: first)
    self.expectRefusal(try self.pair(leaf, chain: [first]), X509_V_ERR_INVALID_CA)
  }

  /// Name constraints (RFC 5280 §4.2.1.10): `tag` 0xA0 permits, 0xA1 excludes one general name.
  private func constraint(_ tag: UInt8, _ kind: UInt8, _ value: [UInt8]) -> CertificateExtension {
    let tree = CertificateExtension.element(0x30, CertificateExtension.element(kind, value))
    return CertificateExtension(
      kind: NID_name_constraints,
      isCritical: true,
      value: CertificateExtension.element(0x30, CertificateExtension.element(tag, tree))
    )
  }

  @Test("TLS-8: name constraints of an intermediate bind names and addresses")
  func nameConstraints() throws {
    let name = Array("server.example".utf8)
    let block: [UInt8] = [192, 0, 2, 0, 255, 255, 255, 0]
    for (part, name, error) in [
      (self.constraint(0xA0, 0x82, name), "server.example", X509_V_OK),
      (self.constraint(0xA0, 0x82, name), "www.server.example", X509_V_OK),
      (self.constraint(0xA0, 0x82, name), "other.example", X509_V_ERR_PERMITTED_VIOLATION),
      (self.constraint(0xA1, 0x82, name), "www.server.example", X509_V_ERR_EXCLUDED_VIOLATION),
      (self.constraint(0xA1, 0x82, name), "other.example", X509_V_OK),
      (self.constraint(0xA0, 0x87, block), "192.0.2.7", X509_V_OK),
      (self.constraint(0xA0, 0x87, block), "198.51.100.7", X509_V_ERR_PERMITTED_VIOLATION),
      (self.constraint(0xA1, 0x87, block), "192.0.2.7", X509_V_ERR_EXCLUDED_VIOLATION),
    ] {
      let pair = try self.pair(below: [part], name: name)
      #expect(pair.isEstablished == (error == X509_V_OK), "\(name)")
      if error != X509_V_OK { self.expectRefusal(pair, error) }
    }
  }

  @Test("TLS-8: an intermediate for other purposes, or with an unknown critical part, is refused")
  func intermediatePurpose() throws {
    #expect(try self.pair(below: [.serverAuthentication]).isEstablished)
    let codeSigning = CertificateExtension(
      kind: NID_ext_key_usage,
      isCritical: false,
      value: [0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03]
    )
    self.expectRefusal(try self.pair(below: [codeSigning]), X509_V_ERR_INVALID_PURPOSE)
    for (isCritical, error) in [(false, nil), (true, X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION)] {
      let comment = CertificateExtension(
        kind: NID_netscape_comment,
        isCritical: isCritical,
        value: [0x16, 0x01, 0x41]
      )
      let pair = try self.pair(below: [comment])
      #expect(pair.isEstablished == (error == nil))
      if let error { self.expectRefusal(pair, error) }
    }
  }

  @Test("TLS-8: neither gated cryptography nor any purpose at all is that of a server")
  func serverPurpose() throws {
    func purposes(_ identifiers: [UInt8]...) -> CertificateExtension {
      CertificateExtension(
        kind: NID_ext_key_usage,
        isCritical: false,
        value: CertificateExtension.element(
          0x30,
          identifiers.flatMap { CertificateExtension.element(0x06, $0) }
        )
      )
    }
    let server: [UInt8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]
    let netscape: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x86, 0xF8, 0x42, 0x04, 0x01]
    let microsoft: [UInt8] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0A, 0x03, 0x03]
    let any: [UInt8] = [0x55, 0x1D, 0x25, 0x00]
    for (list, isGood) in [
      (purposes(server), true), (purposes(netscape, server), true), (purposes(any, server), true),
      (purposes(netscape), false), (purposes(microsoft), false),
      (purposes(netscape, microsoft), false), (purposes(any), false),
    ] {
      let leaf = try TestIdentity.server(
        [host("server.example")],
        extensions: [list],
        issuer: self.root
      )
      for pair in try [self.pair(leaf), self.pair(below: [list])] {
        #expect(pair.isEstablished == isGood, "\(list.value)")
        if !isGood { self.expectRefusal(pair, X509_V_ERR_INVALID_PURPOSE) }
      }
    }
    // A root's own purposes are what its store says.
    let gated = try TestIdentity.authority("gated", extensions: [purposes(netscape)])
    let below = try TestIdentity.server([host("server.example")], issuer: gated)
    #expect(try self.pair(below, trusting: gated).isEstablished)
  }

  @Test("TLS-9: an intermediate or a root that is out of its time is refused")
  func times() throws {
    let past = now.advanced(bySeconds: -60)
    let upper = try TestIdentity.authority("upper", notAfter: past, issuer: self.root)
    let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
    self.expectRefusal(
      try self.pair(leaf, chain: [upper]),
      X509_V_ERR_CERT_HAS_EXPIRED,
      saying: "the issuer CN=upper at depth 1"
    )
    let old = try TestIdentity.authority("old", notAfter: past)
    let below = try TestIdentity.server([host("server.example")], issuer: old)
    self.expectRefusal(
      try self.pair(below, trusting: old),
      X509_V_ERR_CERT_HAS_EXPIRED,
      saying: "the root CN=old at depth 1"
    )
  }

  @Test(
    "TLS-10: SHA-1 and MD5 are refused in leaf and intermediate, and in a root's own not looked at"
  )
  func weakSignatures() throws {
    for digest in ["SHA256", "SHA384", "SHA1", "MD5"] {
      let isGood = digest.hasPrefix("SHA2") || digest.hasPrefix("SHA3")
      let key = try PrivateKey.generate("RSA", bits: 2_048)
      let root = try TestIdentity.authority("weak root", key: key)
      let upper = try TestIdentity.authority("upper", key: key, issuer: root)
      let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
      let weakLeaf = try leaf.signed(with: digest, by: upper)
      let first = try self.pair(weakLeaf, chain: [upper], trusting: root)
      #expect(first.isEstablished == isGood, "\(digest) \(first.clientFailure?.detail ?? "")")
      let weakUpper = try upper.signed(with: digest, by: root)
      let second = try self.pair(leaf, chain: [weakUpper], trusting: root)
      #expect(second.isEstablished == isGood, "\(digest) \(second.clientFailure?.detail ?? "")")
      if !isGood {
        self.expectRefusal(first, X509_V_ERR_CA_MD_TOO_WEAK)
        self.expectRefusal(second, X509_V_ERR_CA_MD_TOO_WEAK)
      }
      let weakRoot = try root.signed(with: digest, by: root)
      #expect(try self.pair(leaf, chain: [upper], trusting: weakRoot).isEstablished, "\(digest)")
    }
  }

  @Test("TLS-10: RSA keys from 2048 bits are accepted, shorter ones refused, up to the root")
  func weakKeys() throws {
    for (bits, isGood) in [(2_048, true), (1_024, false)] as [(Int32, Bool)] {
      let key = try PrivateKey.generate("RSA", bits: bits)
      let upper = try TestIdentity.authority("upper", key: key, issuer: self.root)
      let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
      let below = try self.pair(leaf, chain: [upper])
      #expect(below.isEstablished == isGood)
      let root = try TestIdentity.authority("rsa root", key: key)
      let other = try TestIdentity.server([host("server.example")], issuer: root)
      let above = try self.pair(other, trusting: root)
      #expect(above.isEstablished == isGood)
      if !isGood {
        self.expectRefusal(below, X509_V_ERR_CA_KEY_TOO_SMALL)
        self.expectRefusal(above, X509_V_ERR_CA_KEY_TOO_SMALL, saying: "the root CN=rsa root")
      }
    }
  }

  @Test(
    "TLS-7: strict verification refuses a root that breaks RFC 5280, and says that it is the root"
  )
  func strict() throws {
    let key = try PrivateKey.generate(.p256)
    let identifier = CertificateAuthority.keyIdentifier(of: key)
    let casual = CertificateExtension(
      kind: NID_basic_constraints,
      isCritical: false,
      value: CertificateExtension.anyAuthority.value
    )
    let cases: [([CertificateExtension], Int32)] = [
      ([.anyAuthority, .certificateSigning, .subjectKey(identifier)], X509_V_OK),
      ([.anyAuthority, .certificateSigning], X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER),
      ([casual, .certificateSigning, .subjectKey(identifier)], X509_V_ERR_CA_BCONS_NOT_CRITICAL),
      ([.anyAuthority, .subjectKey(identifier)], X509_V_ERR_CA_CERT_MISSING_KEY_USAGE),
    ]
    for (extensions, error) in cases {
      let root = try TestIdentity.make("own root", key: key, extensions: extensions, issuer: nil)
      let leaf = try TestIdentity.server([host("server.example")], issuer: root)
      let pair = try self.pair(leaf, trusting: root)
      #expect(pair.isEstablished == (error == X509_V_OK), "\(pair.clientFailure?.detail ?? "")")
      guard error != X509_V_OK else { continue }
      self.expectRefusal(pair, error, saying: "the root CN=own root breaks RFC 5280, section 4.2")
    }
  }

  @Test("TLS-11: an upstream below our own CA is refused, though something else has signed it too")
  func crossSigned() throws {
    let authority = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 90 * day,
      at: now
    )
    let own = TestIdentity(certificate: authority.certificate, key: authority.key)
    let leaf = try TestIdentity.server([host("server.example")], issuer: own)
    for (refusing, isGood) in [([], true), ([authority.certificateDER], false)] {
      let pair = try SessionPair(
        clients: TLSClientContext(roots: .pem(own.pem), refusing: refusing),
        leaf: leaf.leaf()
      ).run()
      #expect(pair.isEstablished == isGood)
      if !isGood { self.expectRefusal(pair, X509_V_ERR_CERT_REJECTED, saying: "own CA") }
      #expect((pair.client.peerRecord.anchor != nil), "evidence says what it was verified to")
    }
  }
}

extension TestIdentity {
  /// The same certificate with a signature by another digest.
  func signed(with digest: String, by issuer: TestIdentity) throws -> TestIdentity {
    let copy = try X509Certificate.parse(der: self.certificate.der)
    ErrorQueue.clear()
    // X509_sign takes the version into account, and encodes anew.
    guard unsafe X509_sign(copy.handle, issuer.key.handle, EVP_get_digestbyname(digest)) > 0 else {
      throw TLSFailure.drained(.internal, "cannot be signed with \(digest)")
    }
    return TestIdentity(certificate: try .parse(der: copy.der), key: self.key)
  }
}
