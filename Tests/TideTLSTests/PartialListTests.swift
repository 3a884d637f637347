import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Configured lists that vouch for nobody: they count for what they list all the same.
@Suite struct PartialListTests {
  let root: TestIdentity
  let upper: TestIdentity
  let leaf: TestIdentity

  init() throws {
    self.root = try .authority("root")
    self.upper = try .authority("upper", issuer: self.root)
    self.leaf = try .server([host("server.example")], issuer: self.upper)
  }

  private func pair(
    _ lists: [[UInt8]],
    leaf: TestIdentity? = nil,
    upper: TestIdentity? = nil
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem), crls: lists),
      leaf: (leaf ?? self.leaf).leaf(chain: [upper ?? self.upper])
    ).run()
  }

  private func expectRevoked(
    _ pair: SessionPair,
    _ name: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let detail = "\(name): \(pair.clientFailure?.detail ?? "no failure")"
    #expect(
      pair.clientFailure?.verifyError == Int(X509_V_ERR_CERT_REVOKED),
      "\(detail)",
      sourceLocation: sourceLocation
    )
    #expect(pair.serverFailure?.alert == 44, "\(detail)", sourceLocation: sourceLocation)
    #expect(pair.revocation?.status == .revoked, "\(detail)", sourceLocation: sourceLocation)
    #expect(pair.revocation?.sources == ["crl"], "\(detail)", sourceLocation: sourceLocation)
    #expect(leftOverError == 0, "\(detail)", sourceLocation: sourceLocation)
  }

  /// An issuing distribution point (RFC 5280 §5.2.5) with these fields.
  private static func point(_ fields: [UInt8]) -> CertificateExtension {
    CertificateExtension(
      kind: NID_issuing_distribution_point,
      isCritical: true,
      value: CertificateExtension.element(0x30, fields)
    )
  }

  /// What makes a list one that OpenSSL does not use, by name.
  private static var parts: [(String, CertificateExtension)] {
    let place = CertificateExtension.element(0x86, Array("http://crl.example/1.crl".utf8))
    let name = CertificateExtension.element(0xA0, CertificateExtension.element(0xA0, place))
    return [
      ("a distribution point", Self.point(name)),
      ("only some reasons", Self.point([0x83, 0x02, 0x06, 0x40])),
      ("only authorities", Self.point([0x82, 0x01, 0xFF])),
      ("a broken distribution point", Self.point([0x02, 0x01, 0x01])),
      ("a broken delta", .init(kind: NID_delta_crl, isCritical: true, value: [0x05, 0x00])),
      ("a delta", .init(kind: NID_delta_crl, isCritical: true, value: [0x02, 0x01, 0x01])),
      (
        "an unknown critical part",
        .init(kind: NID_netscape_comment, isCritical: true, value: [0x16, 0x01, 0x41])
      ),
    ]
  }

  @Test("TLS-13: whatever part of a CA's list it is, a certificate that it lists is revoked")
  func listed() throws {
    for (name, part) in Self.parts {
      let list = TestList(extensions: [part]).list(self.leaf, issuer: self.upper)
      self.expectRevoked(try self.pair([list]), name)
    }
  }

  @Test("TLS-13: a part of a CA's list vouches for nobody, and the record says that it was there")
  func unlisted() throws {
    let other = try TestIdentity.server([host("other.example")], issuer: self.upper)
    for (name, part) in Self.parts {
      let list = TestList(extensions: [part]).list(other, issuer: self.upper)
      let pair = try self.pair([list])
      #expect(pair.isEstablished, "\(name)")
      #expect(pair.revocation?.status == .unknown, "\(name)")
      #expect(pair.revocation?.detail.hasPrefix("crls[0], depth 0: ") == true, "\(name)")
      #expect(leftOverError == 0, "\(name)")
    }
  }

  @Test("TLS-13: a list that its issuer has no right to sign still revokes what it lists")
  func noRight() throws {
    let certificateSigning = CertificateExtension(
      kind: NID_key_usage,
      isCritical: true,
      value: [0x03, 0x02, 0x02, 0x04]
    )
    let key = try PrivateKey.generate(.p256)
    let upper = try TestIdentity.make(
      "upper",
      key: key,
      extensions: [
        .anyAuthority, certificateSigning,
        .subjectKey(CertificateAuthority.keyIdentifier(of: key)),
      ],
      issuer: self.root
    )
    let leaf = try TestIdentity.server([host("server.example")], issuer: upper)
    let revoked = TestList().list(leaf, issuer: upper)
    self.expectRevoked(try self.pair([revoked], leaf: leaf, upper: upper))
    let pair = try self.pair([TestList().list(issuer: upper)], leaf: leaf, upper: upper)
    #expect(pair.isEstablished)
    #expect(pair.revocation?.status == .unknown)
  }

  @Test("TLS-13: a part of a list that the issuer has not signed revokes nothing")
  func unsigned() throws {
    let namesake = try TestIdentity.authority("upper")
    for (name, part) in Self.parts {
      let list = TestList(signer: namesake, extensions: [part])
      for bytes in [
        list.list(self.leaf, issuer: self.upper), list.list(self.leaf, issuer: namesake),
      ] {
        let pair = try self.pair([bytes])
        #expect(pair.revocation?.status == .unknown, "\(name)")
        #expect(pair.revocation?.detail.contains("crls[0]") == true, "\(name)")
        #expect(leftOverError == 0, "\(name)")
      }
    }
  }

  @Test("TLS-13: what a delta takes off the list is not revoked by it")
  func removed() throws {
    var list = TestList()
    list.reason = Int(CRL_REASON_REMOVE_FROM_CRL)
    list.extensions = [.init(kind: NID_delta_crl, isCritical: true, value: [0x02, 0x01, 0x01])]
    let pair = try self.pair([list.list(self.leaf, issuer: self.upper)])
    #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    #expect(pair.revocation?.status == .unknown)
  }

  @Test("TLS-13: an indirect list, whose entries may be another CA's, revokes nothing")
  func indirect() throws {
    let list = TestList(extensions: [Self.point([0x84, 0x01, 0xFF])])
    let pair = try self.pair([list.list(self.leaf, issuer: self.upper)])
    #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    #expect(pair.revocation?.status == .unknown)
    #expect(pair.revocation?.detail.contains("indirect") == true)
  }

  @Test("TLS-13: many parts of one CA's list are one remark")
  func many() throws {
    let other = try TestIdentity.server([host("other.example")], issuer: self.upper)
    let parts = Self.parts.prefix(1).flatMap { _, part in
      (0..<40).map { _ in TestList(extensions: [part]).list(other, issuer: self.upper) }
    }
    let pair = try self.pair(parts + [TestList().list(issuer: self.upper)])
    #expect(pair.revocation?.status == .good)
    let detail = try #require(pair.revocation?.detail)
    #expect(detail.contains("crls[0] and 39 more, depth 0: "), "\(detail)")
    #expect(!detail.contains("crls[1]"), "\(detail)")
  }
}
