import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct StapleTests {
  let root: TestIdentity
  let upper: TestIdentity
  let leaf: TestIdentity

  init() throws {
    self.root = try .authority("root")
    self.upper = try .authority("upper", issuer: self.root)
    self.leaf = try .server([host("server.example")], issuer: self.upper)
  }

  private func pair(
    _ staple: [UInt8]?,
    leaf: TestIdentity? = nil,
    chain: [TestIdentity]? = nil,
    mode: VerificationMode = .refuse,
    revocation: RevocationChecking = .staple,
    version: UInt16 = 0x0304
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem), mode: mode, revocation: revocation),
      leaf: (leaf ?? self.leaf).leaf(chain: chain ?? [self.upper]),
      staple: staple,
      maximumVersion: version
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
    let detail = failure?.detail ?? ""
    #expect(detail.contains(words), "\(detail)", sourceLocation: sourceLocation)
    // The server is told that it is about its staple.
    #expect(failure?.alert == 113, sourceLocation: sourceLocation)
    #expect(pair.serverFailure?.alert == 113, sourceLocation: sourceLocation)
    #expect(!pair.client.isEstablished, sourceLocation: sourceLocation)
    #expect(
      pair.client.facts.peer?.verification?.contains("(\(error))") == true,
      sourceLocation: sourceLocation
    )
    #expect(leftOverError == 0, sourceLocation: sourceLocation)
  }

  @Test(
    "TLS-13: a good staple is taken, and the record says who vouches",
    arguments: [0x0303, 0x0304]
  )
  func good(version: UInt16) throws {
    for digest in ["SHA1", "SHA256"] {
      let staple = TestStatus(digest: digest).response(self.leaf, issuer: self.upper)
      let pair = try self.pair(staple, version: version)
      #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
      #expect(pair.revocation?.status == .good)
      #expect(pair.revocation?.sources == ["staple"])
      #expect(pair.revocation?.detail.hasPrefix("good until ") == true)
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-13: a staple that says revoked ends the handshake", arguments: [0x0303, 0x0304])
  func revoked(version: UInt16) throws {
    let staple = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED)
      .response(self.leaf, issuer: self.upper)
    let pair = try self.pair(staple, version: version)
    self.expectRefusal(pair, X509_V_ERR_CERT_REVOKED, showing: 44, saying: "keyCompromise")
    #expect(pair.revocation?.status == .revoked)
    #expect(pair.revocation?.sources == ["staple"])
  }

  @Test("TLS-13: a revocation counts though the staple's time is over")
  func revokedOutweighs() throws {
    let late = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED, nextUpdate: -600)
      .response(self.leaf, issuer: self.upper)
    self.expectRefusal(try self.pair(late), X509_V_ERR_CERT_REVOKED, showing: 44, saying: "since")
  }

  @Test("TLS-13: nothing stapled is no reason to refuse, and the record says that nobody was heard")
  func absent() throws {
    let pair = try self.pair(nil)
    #expect(pair.isEstablished)
    #expect(pair.revocation == HandshakeFacts.Revocation(status: .unknown))
  }

  @Test("TLS-13: a responder that the issuer has certified may answer; one that it has not may not")
  func delegated() throws {
    let signing = CertificateExtension(
      kind: NID_ext_key_usage,
      isCritical: false,
      value: [0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09]
    )
    func staple(_ extensions: [CertificateExtension], _ issuer: TestIdentity) throws -> [UInt8] {
      let signer = try TestIdentity.make(
        "responder",
        extensions: extensions + [.digitalSignature],
        issuer: issuer
      )
      return TestStatus(signer: signer).response(self.leaf, issuer: self.upper)
    }
    #expect(try self.pair(staple([signing], self.upper)).isEstablished)
    let stranger = try TestIdentity.authority("upper")
    for (extensions, issuer) in [
      ([], self.upper), ([.serverAuthentication], self.upper), ([signing], self.root),
      ([signing], stranger),
    ] {
      self.expectRefusal(
        try self.pair(staple(extensions, issuer)),
        X509_V_ERR_OCSP_VERIFY_FAILED,
        showing: 113,
        saying: "not from its issuer's responder"
      )
    }
  }

  @Test("TLS-13: the responder's own certificate may end with its answer's time, not before")
  func delegateEnded() throws {
    let signing = CertificateExtension(
      kind: NID_ext_key_usage,
      isCritical: false,
      value: [0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09]
    )
    func responder(
      _ extensions: [CertificateExtension],
      _ issuer: TestIdentity
    ) throws -> TestIdentity {
      try .make(
        "responder",
        notBefore: now.advanced(bySeconds: -30 * day),
        notAfter: now.advanced(bySeconds: -3_600),
        extensions: extensions + [.digitalSignature],
        issuer: issuer
      )
    }
    let ended = try responder([signing], self.upper)
    var status = TestStatus(thisUpdate: -9 * day, nextUpdate: -2 * day, signer: ended)
    let stale = try self.pair(status.response(self.leaf, issuer: self.upper))
    #expect(stale.isEstablished, "\(stale.clientFailure?.detail ?? "")")
    #expect(stale.revocation?.status == .unknown)
    #expect(stale.revocation?.detail.contains("out of date") == true)
    #expect(leftOverError == 0)
    // One that is not the issuer's responder at any time makes no answer, however stale.
    for signer in try [responder([], self.upper), responder([signing], .authority("upper"))] {
      var wrong = status
      wrong.signer = signer
      self.expectRefusal(
        try self.pair(wrong.response(self.leaf, issuer: self.upper)),
        X509_V_ERR_OCSP_VERIFY_FAILED,
        showing: 113,
        saying: "not from its issuer's responder"
      )
    }
    status.status = V_OCSP_CERTSTATUS_REVOKED
    self.expectRefusal(
      try self.pair(status.response(self.leaf, issuer: self.upper)),
      X509_V_ERR_CERT_REVOKED,
      showing: 44,
      saying: "keyCompromise"
    )
    self.expectRefusal(
      try self.pair(TestStatus(signer: ended).response(self.leaf, issuer: self.upper)),
      X509_V_ERR_OCSP_VERIFY_FAILED,
      showing: 113,
      saying: "not from its issuer's responder"
    )
  }

  @Test("TLS-13: a staple that somebody has tampered with ends the handshake")
  func tampered() throws {
    let good = TestStatus().response(self.leaf, issuer: self.upper)
    var flipped = good
    // A digit of producedAt, the first GeneralizedTime: still well-formed.
    let time = try #require(good.indices.first { good[$0...].starts(with: [0x18, 0x0F]) })
    flipped[time + 15] ^= 1
    let stranger = try TestIdentity.authority("upper")
    let other = try TestIdentity.server([host("other.example")], issuer: self.upper)
    let staples: [([UInt8], String)] = [
      (Array("no response".utf8), "not an OCSP response"),
      (good + [0], "not an OCSP response"),
      (Array(good.dropLast()), "not an OCSP response"),
      (TestStatus(signer: stranger).response(self.leaf, issuer: self.upper), "responder"),
      (TestStatus().response(other, issuer: self.upper), "another certificate"),
      (TestStatus().response(self.leaf, issuer: self.root), "responder"),
      (flipped, "responder"),
    ]
    for (staple, words) in staples {
      self.expectRefusal(
        try self.pair(staple),
        X509_V_ERR_OCSP_VERIFY_FAILED,
        showing: 113,
        saying: words
      )
    }
    // The same in an answer for several certificates is in order.
    let both = TestStatus().response(other, self.leaf, issuer: self.upper)
    #expect(try self.pair(both).revocation?.status == .good)
  }

  @Test("TLS-13: a staple that tells nothing is noted and vouches for nothing")
  func silent() throws {
    let staples: [([UInt8], String)] = [
      (TestStatus(nextUpdate: -600).response(self.leaf, issuer: self.upper), "out of date"),
      (TestStatus(thisUpdate: 3_600).response(self.leaf, issuer: self.upper), "from the future"),
      (
        TestStatus(thisUpdate: -2 * day, nextUpdate: nil).response(self.leaf, issuer: self.upper),
        "out of date"
      ),
      (
        TestStatus(status: V_OCSP_CERTSTATUS_UNKNOWN).response(self.leaf, issuer: self.upper),
        "does not know"
      ),
      (TestStatus.declined(OCSP_RESPONSE_STATUS_TRYLATER), "declined: trylater"),
    ]
    for (staple, words) in staples {
      let pair = try self.pair(staple)
      #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
      #expect(pair.revocation?.status == .unknown)
      #expect(pair.revocation?.sources == [])
      #expect(pair.revocation?.detail.contains(words) == true, "\(pair.revocation?.detail ?? "")")
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-13: clocks that are five minutes apart are in order")
  func skew() throws {
    for status in [TestStatus(nextUpdate: -240), TestStatus(thisUpdate: 240)] {
      let pair = try self.pair(status.response(self.leaf, issuer: self.upper))
      #expect(pair.revocation?.status == .good)
    }
  }

  /// The TLS feature extension (RFC 7633) with these features.
  private func features(_ numbers: UInt8...) -> CertificateExtension {
    CertificateExtension(
      kind: NID_tlsfeature,
      isCritical: false,
      value: CertificateExtension.element(0x30, numbers.flatMap { [0x02, 0x01, $0] })
    )
  }

  @Test("TLS-13: a certificate that demands a staple is refused without a good one")
  func demanded() throws {
    let demanding = try TestIdentity.server(
      [host("server.example")],
      extensions: [self.features(17, 5)],
      issuer: self.upper
    )
    let good = TestStatus().response(demanding, issuer: self.upper)
    #expect(try self.pair(good, leaf: demanding).isEstablished)
    for version: UInt16 in [0x0303, 0x0304] {
      self.expectRefusal(
        try self.pair(nil, leaf: demanding, version: version),
        X509_V_ERR_OCSP_VERIFY_NEEDED,
        showing: 113,
        saying: "demands a good staple (RFC 7633), and there is none"
      )
    }
    for staple in [
      TestStatus(nextUpdate: -600).response(demanding, issuer: self.upper),
      TestStatus.declined(OCSP_RESPONSE_STATUS_TRYLATER),
    ] {
      self.expectRefusal(
        try self.pair(staple, leaf: demanding),
        X509_V_ERR_OCSP_VERIFY_NEEDED,
        showing: 113,
        saying: "the staple is no answer"
      )
    }
    let other = try TestIdentity.server(
      [host("server.example")],
      extensions: [self.features(17)],
      issuer: self.upper
    )
    #expect(try self.pair(nil, leaf: other).isEstablished, "another feature is not status_request")
  }

  @Test("TLS-13: a CA that demands a staple demands it of what it issues")
  func demandedAbove() throws {
    let strict = try TestIdentity.authority(
      "strict",
      issuer: self.root,
      extensions: [self.features(5)]
    )
    let below = try TestIdentity.server([host("server.example")], issuer: strict)
    self.expectRefusal(
      try self.pair(nil, leaf: below, chain: [strict]),
      X509_V_ERR_OCSP_VERIFY_NEEDED,
      showing: 113,
      saying: "demands a good staple"
    )
    let good = TestStatus().response(below, issuer: strict)
    #expect(try self.pair(good, leaf: below, chain: [strict]).isEstablished)
  }

  @Test("TLS-13: where revocation is off nothing is heeded, and the record says so")
  func off() throws {
    let staple = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED)
      .response(self.leaf, issuer: self.upper)
    let pair = try self.pair(staple, revocation: .off)
    #expect(pair.isEstablished)
    #expect(pair.revocation?.status == .unchecked)
    #expect(pair.revocation?.detail == "a staple was shown and not judged")
  }

  @Test("TLS-13: where refusal is switched off, a revoked certificate is recorded as revoked")
  func recordOnly() throws {
    let staple = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED)
      .response(self.leaf, issuer: self.upper)
    let pair = try self.pair(staple, mode: .record)
    #expect(pair.isEstablished)
    #expect(pair.revocation?.status == .revoked)
    #expect(
      pair.client.facts.peer?.verification?.hasPrefix("certificate revoked (23)") == true
    )
    #expect(!pair.client.peerRecord.holds(at: now))
    let stranger = try TestIdentity.authority("stranger")
    let unknown = try TestIdentity.server([host("server.example")], issuer: stranger)
    let orphan = try self.pair(
      TestStatus().response(unknown, issuer: stranger),
      leaf: unknown,
      chain: [],
      mode: .record
    )
    #expect(orphan.isEstablished)
    #expect(orphan.client.facts.peer?.verification?.contains("(20)") == true)
    #expect(orphan.revocation?.detail == "the staple: its issuer is not known")
    let broken = try self.pair(Array("broken".utf8), mode: .record)
    #expect(broken.isEstablished)
    #expect(broken.client.facts.peer?.verification?.contains("(74)") == true)
  }

  @Test("TLS-14: our hello asks for a staple and for timestamps")
  func asks() throws {
    for revocation in [RevocationChecking.staple, .fetch, .off] {
      let client = try TLSSession.client(
        TLSClientContext(roots: .pem(self.root.pem), revocation: revocation),
        host: host("server.example"),
        applicationProtocols: []
      )
      let hello = client.takeOutput().array
      // status_request: type ocsp, no responders, no extensions; an empty timestamp extension.
      let status: [UInt8] = [0, 5, 0, 5, 1, 0, 0, 0, 0]
      #expect(hello.indices.contains { hello[$0...].starts(with: status) })
      #expect(hello.indices.contains { hello[$0...].starts(with: [0, 18, 0, 0]) })
    }
  }
}
