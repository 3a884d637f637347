import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct VerificationTests {
  let root: TestIdentity

  init() throws { self.root = try .authority("root") }

  /// Checks that a client refuses a server, in the same words everywhere.
  private func expectRefusal(
    _ pair: SessionPair,
    _ error: Int32,
    showing alert: UInt8,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    pair.run()
    let failure = pair.clientFailure
    #expect(failure?.code == .untrusted, sourceLocation: sourceLocation)
    #expect(failure?.verifyError == Int(error), sourceLocation: sourceLocation)
    #expect(failure.map(alertForClient) == alert, sourceLocation: sourceLocation)
    #expect(!pair.client.isEstablished, sourceLocation: sourceLocation)
    // The server was told too, and with the alert that the failure names.
    #expect(pair.serverFailure?.code == .alert, sourceLocation: sourceLocation)
    #expect(pair.serverFailure?.alert == failure?.alert, sourceLocation: sourceLocation)
    // And the record has the evidence.
    let facts = pair.client.facts
    #expect(
      facts.peer?.verification?.contains("(\(error))") == true,
      sourceLocation: sourceLocation
    )
    #expect(facts.peer?.chain.isEmpty == false, sourceLocation: sourceLocation)
    #expect(throws: TLSFailure.self, sourceLocation: sourceLocation) {
      try pair.client.send("secret")
    }
    #expect(leftOverError == 0, sourceLocation: sourceLocation)
  }

  private func pair(
    _ identity: TestIdentity,
    chain: [TestIdentity] = [],
    name: String = "server.example",
    refusing: [[UInt8]] = []
  ) throws -> SessionPair {
    try SessionPair(
      leaf: identity.leaf(chain: chain),
      trusting: self.root.pem,
      name: name,
      refusing: refusing
    )
  }

  @Test("A wrong name is refused, in TLS 1.2 as in 1.3", arguments: [0x0303, 0x0304])
  func wrongName(version: UInt16) throws {
    let identity = try TestIdentity.server([host("other.example")], issuer: self.root)
    let pair = try SessionPair(
      leaf: identity.leaf(),
      trusting: self.root.pem,
      maximumVersion: version
    )
    self.expectRefusal(pair, X509_V_ERR_HOSTNAME_MISMATCH, showing: 46)
    #expect(pair.client.facts.version == (version == 0x0303 ? "TLSv1.2" : "TLSv1.3"))
    #expect(pair.client.facts.peer?.chain == [Bytes(identity.certificate.der)])
  }

  @Test("A name in the subject counts for nothing, even without a subjectAltName")
  func commonName() throws {
    for hosts in [[], [host("other.example")]] {
      let identity = try TestIdentity.server(hosts, name: "server.example", issuer: self.root)
      self.expectRefusal(try self.pair(identity), X509_V_ERR_HOSTNAME_MISMATCH, showing: 46)
    }
  }

  @Test("An expired certificate is refused as expired, a future one as not yet valid")
  func validity() throws {
    let expired = try TestIdentity.server(
      [host("server.example")],
      notBefore: now.advanced(bySeconds: -2 * day),
      notAfter: now.advanced(bySeconds: -60),
      issuer: self.root
    )
    self.expectRefusal(try self.pair(expired), X509_V_ERR_CERT_HAS_EXPIRED, showing: 45)
    let future = try TestIdentity.server(
      [host("server.example")],
      notBefore: now.advanced(bySeconds: 600),
      issuer: self.root
    )
    self.expectRefusal(try self.pair(future), X509_V_ERR_CERT_NOT_YET_VALID, showing: 45)
  }

  @Test("Self-signed, from an unknown CA, under an unknown root: all unknown_ca")
  func unknown() throws {
    let own = try TestIdentity.server([host("server.example")], issuer: nil)
    self.expectRefusal(try self.pair(own), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, showing: 48)
    let other = try TestIdentity.authority("other root")
    let stranger = try TestIdentity.server([host("server.example")], issuer: other)
    self.expectRefusal(
      try self.pair(stranger),
      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      showing: 48
    )
    let whole = try self.pair(stranger, chain: [other])
    self.expectRefusal(whole, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, showing: 48)
    #expect(whole.client.facts.peer?.chain.count == 2)
  }

  @Test("A root of the same name with another key is not the root")
  func sameName() throws {
    let imposter = try TestIdentity.authority("root")
    let identity = try TestIdentity.server([host("server.example")], issuer: imposter)
    let pair = try self.pair(identity).run()
    #expect(pair.clientFailure?.code == .untrusted)
    #expect(leftOverError == 0)
  }

  @Test("A missing intermediate is refused; sent, in any order and among others, it is taken")
  func intermediates() throws {
    let upper = try TestIdentity.authority("upper", issuer: self.root)
    let lower = try TestIdentity.authority("lower", issuer: upper)
    let identity = try TestIdentity.server([host("server.example")], issuer: lower)
    for chain in [[], [upper], [lower]] {
      let error =
        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
      self.expectRefusal(try self.pair(identity, chain: chain), error, showing: 48)
    }
    let unrelated = try TestIdentity.authority("unrelated")
    for chain in [[lower, upper], [upper, lower], [unrelated, upper, lower, self.root]] {
      let pair = try self.pair(identity, chain: chain).run()
      #expect(pair.isEstablished)
      #expect(pair.client.facts.peer?.verification == "ok")
      #expect(pair.client.facts.peer?.chain.count == chain.count + 1)
    }
  }

  @Test("A leaf is no CA, and an intermediate without keyCertSign neither")
  func noAuthority() throws {
    let leaf = try TestIdentity.server([host("server.example")], issuer: self.root)
    let below = try TestIdentity.server([host("server.example")], name: "below", issuer: leaf)
    self.expectRefusal(
      try self.pair(below, chain: [leaf]),
      X509_V_ERR_INVALID_CA,
      showing: 48
    )
    let signer = try TestIdentity.server(
      [],
      extensions: [.digitalSignature],
      issuer: self.root
    )
    let other = try TestIdentity.server([host("server.example")], name: "below", issuer: signer)
    self.expectRefusal(
      try self.pair(other, chain: [signer]),
      X509_V_ERR_INVALID_CA,
      showing: 48
    )
  }

  @Test("An address matches an iPAddress only, and exactly")
  func addresses() throws {
    for text in ["192.0.2.7", "2001:db8::7"] {
      let identity = try TestIdentity.server([host(text)], issuer: self.root)
      #expect(try self.pair(identity, name: text).run().isEstablished)
      let other = try self.pair(identity, name: text == "192.0.2.7" ? "192.0.2.8" : "2001:db8::8")
      self.expectRefusal(other, X509_V_ERR_IP_ADDRESS_MISMATCH, showing: 46)
      let asName = try TestIdentity.server(pattern: text, issuer: self.root)
      self.expectRefusal(
        try self.pair(asName, name: text),
        X509_V_ERR_IP_ADDRESS_MISMATCH,
        showing: 46
      )
    }
  }

  @Test("A wildcard is one whole left-most label")
  func wildcards() throws {
    let good = try TestIdentity.server(pattern: "*.site.example", issuer: self.root)
    #expect(try self.pair(good, name: "www.site.example").run().isEstablished)
    for (pattern, name) in [
      ("*.site.example", "site.example"), ("*.site.example", "a.b.site.example"),
      ("w*.site.example", "www.site.example"), ("*w.site.example", "www.site.example"),
      ("www.*.example", "www.site.example"), ("*", "site.example"), ("*.example", "site.example"),
      ("xn--*.site.example", "xn--bcher-kva.site.example"),
      ("www.site.example\0.other.example", "www.site.example"),
    ] {
      let identity = try TestIdentity.server(pattern: pattern, issuer: self.root)
      let pair = try self.pair(identity, name: name).run()
      #expect(pair.clientFailure?.code == .untrusted, "\(pattern) for \(name)")
    }
  }

  @Test("A certificate for another purpose, or with an unknown critical extension, is refused")
  func purpose() throws {
    let clientAuthentication = CertificateExtension(
      kind: NID_ext_key_usage,
      isCritical: false,
      value: [0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]
    )
    let client = try TestIdentity.server(
      [host("server.example")],
      extensions: [clientAuthentication],
      issuer: self.root
    )
    self.expectRefusal(try self.pair(client), X509_V_ERR_INVALID_PURPOSE, showing: 42)
    let unknown = CertificateExtension(
      kind: NID_netscape_comment,
      isCritical: true,
      value: [0x16, 0x01, 0x41]
    )
    let strange = try TestIdentity.server(
      [host("server.example")],
      extensions: [unknown],
      issuer: self.root
    )
    self.expectRefusal(
      try self.pair(strange),
      X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
      showing: 42
    )
  }

  @Test("An RSA key of 1024 bits is too weak")
  func weakKey() throws {
    let weak = try PrivateKey.generate("RSA", bits: 1_024)
    let issuer = try TestIdentity.authority("weak", issuer: self.root)
    let identity = try TestIdentity.server(
      [host("server.example")],
      key: weak,
      issuer: issuer
    )
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    let servers = try TLSServerContext()
    unsafe SSL_CTX_set_security_level(servers.handle, 0)
    let pair = SessionPair(
      client: try .client(clients, host: host("server.example"), applicationProtocols: []),
      server: try .server(
        servers,
        leaf: identity.leaf(chain: [issuer]),
        applicationProtocol: nil,
        maximumVersion: nil
      )
    )
    self.expectRefusal(pair, X509_V_ERR_EE_KEY_TOO_SMALL, showing: 42)
  }

  @Test("RSA, P-384 and Ed25519 servers are accepted", arguments: ["RSA", "P-384", "ED25519"])
  func keys(kind: String) throws {
    let key = try PrivateKey.generate(kind, bits: 2_048)
    let identity = try TestIdentity.server(
      [host("server.example")],
      key: key,
      issuer: self.root
    )
    for version: UInt16 in [0x0303, 0x0304] {
      let pair = try SessionPair(
        leaf: identity.leaf(),
        trusting: self.root.pem,
        maximumVersion: version
      )
      #expect(pair.run().isEstablished, "\(kind) \(pair.clientFailure?.detail ?? "")")
    }
  }

  @Test("An upstream signed by our own CA is refused even where the CA is trusted")
  func ownAuthority() throws {
    let authority = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 90 * day,
      at: now
    )
    let minter = try LeafMinter(authority: authority, capacity: 4)
    let leaf = try minter.leaf(for: host("server.example"), at: now)
    let trusting = try SessionPair(leaf: leaf, trusting: authority.certificatePEM).run()
    #expect(trusting.isEstablished, "the same chain verifies where it is not ours")
    let pair = try SessionPair(
      leaf: leaf,
      trusting: authority.certificatePEM,
      refusing: [self.root.certificate.der, authority.certificateDER]
    )
    self.expectRefusal(pair, X509_V_ERR_CERT_REJECTED, showing: 48)
    #expect(pair.client.facts.peer?.verification?.contains("own CA") == true)
  }

  @Test(
    "Where the operator switched refusal off, the handshake goes on and the record says why not"
  )
  func recordOnly() throws {
    let identity = try TestIdentity.server([host("other.example")], issuer: nil)
    let pair = try SessionPair(
      leaf: identity.leaf(),
      trusting: self.root.pem,
      mode: .record
    ).run()
    #expect(pair.isEstablished)
    let facts = pair.client.facts
    #expect(facts.peer?.verification == "self-signed certificate (18)")
    try pair.client.send("on")
    pair.run()
    #expect(joined(pair.serverReceived) == Array("on".utf8))
  }

  @Test("Roots that are no PEM, or none, cannot make a context")
  func badRoots() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for text in ["", "no certificate", broken] {
      let failure = #expect(throws: TLSFailure.self) {
        try TLSClientContext(roots: .pem(Array(text.utf8)))
      }
      #expect(failure?.code == .certificate)
    }
    #expect(throws: TLSFailure.self) { try TLSClientContext(roots: .system, refusing: [[1, 2]]) }
    #expect(leftOverError == 0)
  }

  @Test("The system's roots can be used, and do not trust a root of ours")
  func systemRoots() throws {
    let identity = try TestIdentity.server([host("server.example")], issuer: self.root)
    let pair = SessionPair(
      client: try .client(
        TLSClientContext(roots: .system),
        host: host("server.example"),
        applicationProtocols: []
      ),
      server: try .server(
        TLSServerContext(),
        leaf: identity.leaf(),
        applicationProtocol: nil,
        maximumVersion: nil
      )
    )
    pair.run()
    #expect(pair.clientFailure?.code == .untrusted)
    #expect(leftOverError == 0)
  }
}
