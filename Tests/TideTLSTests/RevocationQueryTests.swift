import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct RevocationQueryTests {
  let root: TestIdentity
  let upper: TestIdentity
  let leaf: TestIdentity

  init() throws {
    self.root = try .authority("root")
    self.upper = try .authority(
      "upper",
      issuer: self.root,
      extensions: [.distribution("http://lists.example:8080/root.crl")]
    )
    self.leaf = try .server(
      [host("server.example")],
      extensions: [
        .responders("http://ocsp.example"), .distribution("http://lists.example/upper.crl"),
      ],
      issuer: self.upper
    )
  }

  private func session(
    leaf: TestIdentity? = nil,
    mode: VerificationMode = .refuse,
    revocation: RevocationChecking = .fetch,
    trusting root: TestIdentity? = nil,
    staple: [UInt8]? = nil,
    crls: [[UInt8]] = []
  ) throws -> TLSSession {
    try SessionPair(
      clients: TLSClientContext(
        roots: .pem((root ?? self.root).pem),
        mode: mode,
        revocation: revocation,
        crls: crls
      ),
      leaf: (leaf ?? self.leaf).leaf(chain: [self.upper]),
      staple: staple
    ).run().client
  }

  @Test("TLS-13: leaf and intermediate are asked about, the responder before the list")
  func queries() throws {
    let session = try self.session()
    let queries = session.revocationQueries
    #expect(queries.map(\.url) == ["http://ocsp.example/", "http://lists.example:8080/root.crl"])
    #expect(queries.map { $0.ocspRequest != nil } == [true, false])
    #expect(queries.allSatisfy { $0.cacheName.utf8.count == 64 })
    #expect(Set(queries.map(\.cacheName)).count == 2)
    #expect(try self.session().revocationQueries == queries, "the same question has the same name")
    #expect(leftOverError == 0)
  }

  @Test("TLS-13: the request names one certificate by SHA-1, as responders expect, without a nonce")
  func request() throws {
    let body = try #require(try self.session().revocationQueries.first?.ocspRequest)
    let request = unsafe body.withUnsafeBytes { bytes in
      var start = unsafe bytes.bindMemory(to: UInt8.self).baseAddress
      return unsafe d2i_OCSP_REQUEST(nil, &start, bytes.count)
    }
    defer { unsafe OCSP_REQUEST_free(request) }
    unsafe #expect(OCSP_request_onereq_count(request) == 1)
    unsafe #expect(OCSP_REQUEST_get_ext_count(request) == 0)
    let name = unsafe OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0))
    let expected = unsafe OCSP_cert_to_id(
      EVP_sha1(),
      self.leaf.certificate.handle,
      self.upper.certificate.handle
    )
    defer { unsafe OCSP_CERTID_free(expected) }
    unsafe #expect(OCSP_id_cmp(name, expected) == 0)
  }

  @Test(
    "TLS-13: what a staple or a list has settled is not asked; nothing is, unless to be fetched"
  )
  func settled() throws {
    let staple = TestStatus().response(self.leaf, issuer: self.upper)
    let stapled = try self.session(staple: staple)
    #expect(stapled.revocationQueries.map(\.depth) == [1])
    let listed = try self.session(staple: staple, crls: [TestList().list(issuer: self.root)])
    #expect(listed.revocationQueries == [])
    let late = TestStatus(nextUpdate: -600).response(self.leaf, issuer: self.upper)
    #expect(try self.session(staple: late).revocationQueries.count == 2)
    #expect(try self.session(revocation: .staple).revocationQueries == [])
    #expect(try self.session(revocation: .off).revocationQueries == [])
  }

  @Test("TLS-13: a chain that is not trusted has us contact nobody")
  func untrusted() throws {
    let stranger = try TestIdentity.authority("stranger")
    #expect(try self.session(trusting: stranger).revocationQueries == [])
    let recorded = try self.session(mode: .record, trusting: stranger)
    #expect(recorded.isEstablished)
    #expect(recorded.revocationQueries == [])
  }

  @Test("TLS-13: only plain HTTP is asked, at an address that is one")
  func addresses() throws {
    for (url, asked) in [
      ("http://a.example/x?y", "http://a.example/x?y"), ("HTTP://A.example", "http://a.example/"),
      ("http://a.example:80/x", "http://a.example/x"),
      ("http://[2001:db8::1]:81/x#f", "http://[2001:db8::1]:81/x"),
      ("http://a.example?y", "http://a.example/?y"), ("https://a.example/", nil),
      ("ldap://a.example/", nil),
      ("http://user@a.example/", nil), ("http://a.example/\r\nX: y", nil),
      ("http://a.example/ x", nil),
      ("http:///x", nil), ("http://a.example:0/", nil), ("", nil),
      ("http://a.example/\u{E9}", nil),
      ("http://a.example/" + String(repeating: "x", count: 3_000), nil),
    ] as [(String, String?)] {
      for part in [CertificateExtension.responders(url), .distribution(url)] {
        let leaf = try TestIdentity.server(
          [host("server.example")],
          extensions: [part],
          issuer: self.upper
        )
        let queries = try self.session(leaf: leaf).revocationQueries.filter { $0.depth == 0 }
        #expect(queries.map(\.url) == (asked.map { [$0] } ?? []), "\(url)")
      }
    }
    let second = try TestIdentity.server(
      [host("server.example")],
      extensions: [.responders("https://a.example/", "http://b.example/")],
      issuer: self.upper
    )
    #expect(try self.session(leaf: second).revocationQueries.first?.url == "http://b.example/")
  }

  @Test("TLS-13: at most four certificates are asked about")
  func bounded() throws {
    var chain: [TestIdentity] = []
    for index in 0..<6 {
      chain.append(
        try .authority(
          "ca \(index)",
          issuer: chain.last ?? self.root,
          extensions: [.responders("http://ocsp.example/\(index)")]
        )
      )
    }
    let leaf = try TestIdentity.server([host("server.example")], issuer: chain.last)
    let pair = try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem), revocation: .fetch),
      leaf: leaf.leaf(chain: chain)
    ).run()
    #expect(pair.client.revocationQueries.map(\.depth) == [1, 2, 3, 4])
  }

  @Test("TLS-13: a good answer holds until its end, and a week at most")
  func good() throws {
    let time = now
    for (nextUpdate, limit) in [(day, day), (30 * day, 7 * day)] {
      let session = try self.session()
      let queries = session.revocationQueries
      let answers = [
        TestStatus(nextUpdate: nextUpdate).response(self.leaf, issuer: self.upper),
        TestList(nextUpdate: nextUpdate).list(issuer: self.root),
      ]
      for (query, answer) in zip(queries, answers) {
        guard case .good(let until) = session.judge(Bytes(answer), to: query, at: time) else {
          Issue.record("not good")
          continue
        }
        #expect(abs(until.seconds - time.seconds - limit) <= 2)
      }
      #expect(session.peerRecord.revocation?.status == .good)
      #expect(session.peerRecord.revocation?.sources == ["ocsp", "crl"])
      #expect(session.revocationQueries == [])
    }
  }

  @Test("TLS-13: an answer that says revoked is final, for the leaf as for an intermediate")
  func revoked() throws {
    let session = try self.session()
    let queries = session.revocationQueries
    let list = TestList().list(self.upper, issuer: self.root)
    let verdict = session.judge(Bytes(list), to: queries[1], at: now)
    guard case .revoked(let reason) = verdict else {
      Issue.record("\(verdict)")
      return
    }
    #expect(reason.contains("keyCompromise"))
    let good = TestStatus().response(self.leaf, issuer: self.upper)
    _ = session.judge(Bytes(good), to: queries[0], at: now)
    #expect(session.peerRecord.revocation?.status == .revoked, "nothing follows a revocation")
    #expect(session.peerRecord.revocation?.detail.contains("crl, depth 1: revoked") == true)
    #expect(!session.peerRecord.holds(at: now))
    let other = try self.session()
    let status = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED)
      .response(self.leaf, issuer: self.upper)
    guard case .revoked = other.judge(Bytes(status), to: queries[0], at: now) else {
      Issue.record("not revoked")
      return
    }
    let failure = TLSFailure.revoked(reason)
    #expect(alertForClient(failure) == 44)
    #expect(failure.detail.contains("keyCompromise"))
  }

  @Test("TLS-13: an answer that cannot be relied on changes nothing but the note")
  func unusable() throws {
    let stranger = try TestIdentity.authority("upper")
    let other = try TestIdentity.server([host("other.example")], issuer: self.upper)
    let answers: [[[UInt8]]] = [
      [
        [], Array("<html>".utf8),
        TestStatus(nextUpdate: -600).response(self.leaf, issuer: self.upper),
        TestStatus(signer: stranger).response(self.leaf, issuer: self.upper),
        TestStatus().response(other, issuer: self.upper),
        TestStatus.declined(OCSP_RESPONSE_STATUS_UNAUTHORIZED),
        [UInt8](repeating: 0x30, count: 65_537),
      ],
      [
        [], Array("<html>".utf8), TestList(nextUpdate: -600).list(issuer: self.root),
        TestList(signer: stranger).list(self.upper, issuer: self.root),
        TestList().list(self.upper, issuer: self.upper),
        [UInt8](repeating: 0x30, count: 8 << 20 + 1),
      ],
    ]
    let queries = try self.session().revocationQueries
    for (query, answers) in zip(queries, answers) {
      for answer in answers {
        let session = try self.session()
        let verdict = session.judge(Bytes(answer), to: query, at: now)
        guard case .unusable(let reason) = verdict else {
          Issue.record("\(verdict) for \(answer.count) bytes")
          continue
        }
        #expect(session.peerRecord.revocation?.status == .unknown)
        #expect(session.peerRecord.revocation?.detail.contains(reason) == true)
        #expect(session.revocationQueries.count == 2)
        #expect(leftOverError == 0)
      }
    }
  }

  @Test("TLS-13: the record says who was asked in vain, once for each reason")
  func unanswered() throws {
    let session = try self.session()
    let queries = session.revocationQueries
    session.noteUnanswered(queries[0], "connection refused")
    session.noteUnanswered(queries[0], "connection refused")
    session.noteUnanswered(queries[1], "no time left")
    #expect(
      session.facts.peer?.revocation
        == HandshakeFacts.Revocation(
          status: .unknown,
          detail: "ocsp http://ocsp.example/: no answer: connection refused; "
            + "crl http://lists.example:8080/root.crl: no answer: no time left"
        )
    )
    #expect(session.revocationQueries == queries, "they are due as before")
    let good = TestStatus().response(self.leaf, issuer: self.upper)
    _ = session.judge(Bytes(good), to: queries[0], at: now)
    session.noteUnanswered(queries[1], String(repeating: "x", count: 10_000))
    let revocation = session.facts.peer?.revocation
    #expect(revocation?.status == .good)
    #expect(revocation?.sources == ["ocsp"])
    #expect(revocation.map { $0.detail.count < 600 } == true)
  }

  @Test("TLS-13: an answer to another session's query is not taken")
  func otherSession() throws {
    let query = try #require(try self.session().revocationQueries.first)
    let other = try TestIdentity.server(
      [host("server.example")],
      extensions: [.responders("http://ocsp.example")],
      issuer: self.upper
    )
    let answer = TestStatus().response(self.leaf, issuer: self.upper)
    let session = try self.session(leaf: other)
    #expect(
      session.judge(Bytes(answer), to: query, at: now)
        == .unusable("the query is not this session's")
    )
    #expect(session.peerRecord.revocation?.status == .unknown)
  }
}
