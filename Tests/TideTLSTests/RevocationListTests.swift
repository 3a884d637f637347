import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct RevocationListTests {
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
    mode: VerificationMode = .refuse,
    revocation: RevocationChecking = .staple,
    staple: [UInt8]? = nil
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(
        roots: .pem(self.root.pem),
        mode: mode,
        revocation: revocation,
        crls: lists
      ),
      leaf: self.leaf.leaf(chain: [self.upper]),
      staple: staple
    ).run()
  }

  private func expectRefusal(
    _ pair: SessionPair,
    _ error: Int32,
    showing alert: UInt8,
    saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let failure = pair.clientFailure
    #expect(failure?.code == .untrusted, sourceLocation: sourceLocation)
    #expect(failure?.verifyError == Int(error), sourceLocation: sourceLocation)
    #expect(failure.map(alertForClient) == alert, sourceLocation: sourceLocation)
    #expect(
      failure?.detail.contains(words) == true,
      "\(failure?.detail ?? "")",
      sourceLocation: sourceLocation
    )
    #expect(!pair.client.isEstablished, sourceLocation: sourceLocation)
    #expect(leftOverError == 0, sourceLocation: sourceLocation)
  }

  @Test("TLS-13: a certificate revoked by its CRL is refused, in PEM as in DER")
  func revoked() throws {
    let other = try TestIdentity.server([host("other.example")], issuer: self.upper)
    for file in [
      TestList().list(other, self.leaf, issuer: self.upper),
      TestList().pem(self.leaf, issuer: self.upper),
      TestList().pem(issuer: self.root) + TestList().pem(self.leaf, issuer: self.upper),
    ] {
      let pair = try self.pair([TestList().list(issuer: self.root), file])
      self.expectRefusal(pair, X509_V_ERR_CERT_REVOKED, showing: 44, saying: "crls[1] since")
      #expect(pair.clientFailure?.detail.contains("keyCompromise") == true)
      #expect(pair.serverFailure?.alert == 44)
      #expect(pair.revocation?.status == .revoked)
      #expect(pair.revocation?.sources == ["crl"])
    }
    let good = try self.pair([TestList().list(other, issuer: self.upper)])
    #expect(good.isEstablished)
    #expect(good.revocation?.status == .good)
    #expect(good.revocation?.sources == ["crl"])
  }

  @Test("TLS-13: a revoked intermediate is refused")
  func intermediate() throws {
    let pair = try self.pair([TestList().list(self.upper, issuer: self.root)])
    self.expectRefusal(pair, X509_V_ERR_CERT_REVOKED, showing: 44, saying: "at depth 1")
    let good = try self.pair([TestList().list(issuer: self.root)])
    #expect(good.isEstablished)
    #expect(good.revocation?.status == .unknown, "nobody has vouched for the leaf")
  }

  @Test("TLS-13: a CRL of another CA says nothing; one of another key of that name is remarked")
  func unrelated() throws {
    let other = try TestIdentity.authority("other")
    let namesake = try TestIdentity.authority("upper")
    let elsewhere = TestList().list(self.leaf, issuer: other)
    let pair = try self.pair([elsewhere])
    #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    #expect(pair.revocation == HandshakeFacts.Revocation(status: .unknown))
    let remarked = try self.pair([elsewhere, TestList().list(self.leaf, issuer: namesake)])
    #expect(remarked.isEstablished, "\(remarked.clientFailure?.detail ?? "")")
    #expect(remarked.revocation?.status == .unknown)
    #expect(remarked.revocation?.sources == [])
    let words = "crls[1], depth 0: not signed by the key of its issuer CN=upper"
    #expect(remarked.revocation?.detail == words)
    #expect(leftOverError == 0)
  }

  @Test("TLS-13: a CRL whose time is over still revokes, but vouches for nothing")
  func stale() throws {
    let late = TestList(nextUpdate: -600)
    let revoked = try self.pair([late.list(self.leaf, issuer: self.upper)])
    self.expectRefusal(revoked, X509_V_ERR_CERT_REVOKED, showing: 44, saying: "since")
    for list in [late, TestList(thisUpdate: 3_600), TestList(nextUpdate: nil)] {
      let pair = try self.pair([list.list(issuer: self.upper)])
      #expect(pair.isEstablished)
      #expect(pair.revocation?.status == .unknown)
      #expect(pair.revocation?.detail.hasPrefix("crls[0], depth 0: ") == true)
    }
  }

  @Test("TLS-13: a CRL with a CA's name and another's signature ends the handshake, and says so")
  func forged() throws {
    let stranger = try TestIdentity.authority("upper")
    let pair = try self.pair([TestList(signer: stranger).list(issuer: self.upper)])
    self.expectRefusal(
      pair,
      X509_V_ERR_CRL_SIGNATURE_FAILURE,
      showing: 42,
      saying: "crls[0] is not signed by CN=upper, whose name it has"
    )
  }

  @Test("TLS-13: a CRL for other certificates, or with an unknown critical part, is not relied on")
  func scope() throws {
    let onlyAuthorities = CertificateExtension(
      kind: NID_issuing_distribution_point,
      isCritical: true,
      value: [0x30, 0x03, 0x82, 0x01, 0xFF]
    )
    let strange = CertificateExtension(
      kind: NID_netscape_comment,
      isCritical: true,
      value: [0x16, 0x01, 0x41]
    )
    for part in [onlyAuthorities, strange] {
      let pair = try self.pair([TestList(extensions: [part]).list(issuer: self.upper)])
      #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
      #expect(pair.revocation?.status == .unknown)
    }
  }

  @Test("TLS-13: of staple and CRL, whichever says revoked decides")
  func both() throws {
    let vouching = TestStatus().response(self.leaf, issuer: self.upper)
    let pair = try self.pair([TestList().list(self.leaf, issuer: self.upper)], staple: vouching)
    self.expectRefusal(pair, X509_V_ERR_CERT_REVOKED, showing: 44, saying: "crls[0]")
    let good = try self.pair([TestList().list(issuer: self.upper)], staple: vouching)
    #expect(good.revocation?.sources == ["crl", "staple"])
  }

  @Test("TLS-13: where revocation is off no CRL counts; where refusal is, it is recorded")
  func switches() throws {
    let lists = [TestList().list(self.leaf, issuer: self.upper)]
    let off = try self.pair(lists, revocation: .off)
    #expect(off.isEstablished)
    #expect(off.revocation?.status == .unchecked)
    let recorded = try self.pair(lists, mode: .record)
    #expect(recorded.isEstablished)
    #expect(recorded.revocation?.status == .revoked)
    #expect(recorded.client.facts.peer?.verification?.contains("(23)") == true)
  }

  @Test("TLS-13: a file that is no CRL cannot make a context, and is named")
  func unreadable() throws {
    let good = TestList().list(issuer: self.upper)
    let broken = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    let half = TestList().pem(issuer: self.upper) + Array(broken.utf8)
    for file in [[], Array("no list".utf8), self.root.pem, Array(broken.utf8), good + [0], half] {
      let failure = #expect(throws: TLSFailure.self) {
        try TLSClientContext(roots: .pem(self.root.pem), crls: [good, file])
      }
      #expect(failure?.code == .certificate)
      #expect(failure?.detail.hasPrefix("crls[1] ") == true, "\(failure?.detail ?? "")")
    }
    #expect(leftOverError == 0)
  }
}
