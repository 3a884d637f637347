import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct MirrorLeafTests {
  let authority: CertificateAuthority
  let minter: LeafMinter

  init() throws {
    self.authority = try .generate(key: .p256, lifetimeSeconds: 90 * day, at: now)
    self.minter = try LeafMinter(authority: self.authority, capacity: 4)
  }

  private func names(_ leaf: Leaf) -> [UInt8]? {
    let handle = unsafe leaf.certificate.handle
    let index = unsafe X509_get_ext_by_NID(handle, NID_subject_alt_name, -1)
    guard let part = unsafe X509_get_ext(handle, index) else { return nil }
    let value = unsafe X509_EXTENSION_get_data(part)
    return unsafe Array(
      UnsafeBufferPointer(
        start: ASN1_STRING_get0_data(value),
        count: Int(ASN1_STRING_length(value))
      )
    )
  }

  @Test("A device that trusts our CA refuses the leaf that mirrors an untrusted server")
  func untrusted() throws {
    let stranger = try TestIdentity.server([host("server.example")], issuer: nil)
    let leaf = try self.minter.untrustedLeaf(
      for: host("server.example"),
      mirroring: [Bytes(stranger.certificate.der)],
      at: now
    )
    let pair = try SessionPair(leaf: leaf, trusting: self.authority.certificatePEM).run()
    #expect(!pair.isEstablished)
    #expect(pair.clientFailure?.code == .untrusted)
    // And one who goes on all the same can: the handshake itself is sound.
    let careless = try SessionPair(
      leaf: leaf,
      trusting: self.authority.certificatePEM,
      mode: .record
    ).run()
    #expect(careless.isEstablished)
    #expect(leftOverError == 0)
  }

  @Test(
    "Names, subject and validity are the server's: what is expired or wrong stays so"
  )
  func mirrored() throws {
    let original = try TestIdentity.server(
      [host("other.example"), host("192.0.2.7")],
      name: "what it calls itself",
      notBefore: now.advanced(bySeconds: -20 * day),
      notAfter: now.advanced(bySeconds: -10 * day),
      issuer: nil
    )
    let leaf = try self.minter.untrustedLeaf(
      for: host("server.example"),
      mirroring: [Bytes(original.certificate.der)],
      at: now
    )
    #expect(leaf.host == host("server.example"))
    #expect(leaf.notBefore == original.certificate.notBefore)
    #expect(leaf.notAfter == original.certificate.notAfter)
    #expect(leaf.certificate.subject == "CN=what it calls itself")
    #expect(self.names(leaf) == self.names(original.leaf()))
    let handle = unsafe leaf.certificate.handle
    unsafe #expect(
      X509_check_host(
        handle,
        "server.example",
        14,
        UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT),
        nil
      )
        != 1
    )
    unsafe #expect(
      X509_check_host(handle, "other.example", 13, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT), nil)
        == 1
    )
  }

  @Test(
    "TLS-46: nothing else of the server's is taken over: no must-staple, AIA, CDP, SCT"
  )
  func nothingElse() throws {
    let extras = [
      NID_tlsfeature, NID_info_access, NID_crl_distribution_points, NID_ct_precert_scts,
    ]
    let original = try TestIdentity.server(
      [host("server.example")],
      extensions: extras.map {
        CertificateExtension(kind: $0, isCritical: false, value: [0x30, 0x03, 0x02, 0x01, 0x05])
      },
      issuer: nil
    )
    let leaf = try self.minter.untrustedLeaf(
      for: host("server.example"),
      mirroring: [Bytes(original.certificate.der)],
      at: now
    )
    for kind in extras {
      unsafe #expect(X509_get_ext_by_NID(leaf.certificate.handle, kind, -1) == -1)
    }
    unsafe #expect(X509_get_ext_count(leaf.certificate.handle) == 6)
    ERR_clear_error()
  }

  @Test(
    "It is made anew each time and shares neither issuer nor key with the good ones"
  )
  func apart() throws {
    let name = host("server.example")
    let good = try self.minter.leaf(for: name, at: now)
    let chain = [Bytes(try TestIdentity.server([name], issuer: nil).certificate.der)]
    let first = try self.minter.untrustedLeaf(for: name, mirroring: chain, at: now)
    let second = try self.minter.untrustedLeaf(for: name, mirroring: chain, at: now)
    #expect(first.certificateDER != second.certificateDER)
    #expect(try self.minter.leaf(for: name, at: now) === good)
    unsafe #expect(EVP_PKEY_eq(first.key.handle, good.key.handle) != 1)
    unsafe #expect(EVP_PKEY_eq(first.key.handle, self.authority.key.handle) != 1)
    #expect(first.chain.first?.subject.contains("trusted by nobody") == true)
    ERR_clear_error()
  }

  @Test(
    "A certificate that is none, or too large, still gives a leaf"
  )
  func hostile() throws {
    let name = host("server.example")
    for chain in [[], [Bytes()], [Bytes([0x30, 0x82, 0xFF, 0xFF, 0x00])]] {
      let leaf = try self.minter.untrustedLeaf(for: name, mirroring: chain, at: now)
      #expect(leaf.certificate.subject.isEmpty)
      #expect(leaf.notAfter > now)
    }
    let many = (0..<2_000).map { host("name-\($0).of-a-large-certificate.example") }
    for (hosts, isNamed) in [(many, false), (many + [name], true)] {
      let large = try TestIdentity.server(
        [],
        extensions: [
          CertificateExtension(
            kind: NID_subject_alt_name,
            isCritical: false,
            value: longNames(hosts)
          )
        ],
        issuer: nil
      )
      let leaf = try self.minter.untrustedLeaf(
        for: name,
        mirroring: [Bytes(large.certificate.der)],
        at: now
      )
      #expect((self.names(leaf) != nil) == isNamed)
      #expect(leaf.certificateDER.count < 2_048)
    }
    #expect(leftOverError == 0)
  }

  /// A subjectAltName of more than the product itself ever writes.
  private func longNames(_ hosts: [Host]) -> [UInt8] {
    let content = hosts.flatMap {
      CertificateExtension.element(0x82, Array($0.description.utf8))
    }
    let count = content.count
    return [0x30, 0x83, UInt8(count >> 16), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)] + content
  }
}
