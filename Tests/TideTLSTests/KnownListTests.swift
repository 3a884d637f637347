import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct KnownListTests {
  let root: TestIdentity
  let leaf: TestIdentity
  let other: TestIdentity
  let context: TLSClientContext

  init() throws {
    self.root = try .authority("root")
    self.leaf = try Self.server(issuer: self.root)
    self.other = try Self.server(issuer: self.root)
    self.context = try TLSClientContext(roots: .pem(self.root.pem), revocation: .fetch)
  }

  private static func server(
    _ url: String = "http://lists.example/root.crl",
    issuer: TestIdentity
  ) throws -> TestIdentity {
    try .server([host("server.example")], extensions: [.distribution(url)], issuer: issuer)
  }

  private func session(
    _ leaf: TestIdentity,
    in context: TLSClientContext? = nil
  ) throws -> TLSSession {
    try SessionPair(clients: context ?? self.context, leaf: leaf.leaf()).run().client
  }

  private func judge(
    _ list: [UInt8],
    _ leaf: TestIdentity,
    in context: TLSClientContext? = nil,
    at time: WallTime = now
  ) throws -> RevocationAnswer {
    let session = try self.session(leaf, in: context)
    let query = try #require(session.revocationQueries.first)
    return session.judge(Bytes(list), to: query, at: time)
  }

  /// The list with a byte in its middle that makes it none: who reads it notices.
  private func unreadable(_ list: [UInt8]) -> [UInt8] {
    var list = list
    let time = list.indices.dropFirst(64).first { list[$0...].starts(with: [0x17, 0x0D]) }
    #expect(time != nil)
    if let time { list[time + 1] = 0x7F }
    return list
  }

  @Test("TLS-13: a list that was read once is not read again for certificates of the same sort")
  func known() throws {
    let third = try Self.server(issuer: self.root)
    let list = TestList().list(third, third, third, issuer: self.root)
    let broken = self.unreadable(list)
    #expect(
      try self.judge(broken, self.leaf) == .unusable("it is not a certificate revocation list")
    )
    #expect(self.context.knownLists.count == 0)
    guard case .good(let until) = try self.judge(list, self.leaf) else {
      Issue.record("not good")
      return
    }
    for leaf in [self.leaf, self.other] {
      #expect(try self.judge(broken, leaf) == .good(until: until), "it was not read")
      #expect(try self.judge(list, leaf) == .good(until: until))
    }
    #expect(self.context.knownLists.count == 1)
    #expect(leftOverError == 0)
  }

  @Test("TLS-13: who is listed is found so in a known list too, at first by reading it")
  func listed() throws {
    let list = TestList().list(self.other, self.other, self.other, issuer: self.root)
    guard case .good = try self.judge(list, self.leaf) else {
      Issue.record("not good")
      return
    }
    let broken = self.unreadable(list)
    #expect(
      try self.judge(broken, self.other) == .unusable("it is not a certificate revocation list")
    )
    let verdict = try self.judge(list, self.other)
    guard case .revoked(let reason) = verdict, reason.contains("keyCompromise") else {
      Issue.record("\(verdict)")
      return
    }
    #expect(try self.judge(broken, self.other) == verdict, "it was not read")
    let session = try self.session(self.other)
    let query = try #require(session.revocationQueries.first)
    _ = session.judge(Bytes(list), to: query, at: now)
    #expect(session.peerRecord.revocation?.status == .revoked)
  }

  @Test("TLS-13: a list known only by whom it revokes vouches for nobody until it is read again")
  func revokedFirst() throws {
    let list = TestList().list(self.other, self.other, self.other, issuer: self.root)
    guard case .revoked = try self.judge(list, self.other) else {
      Issue.record("not revoked")
      return
    }
    let broken = self.unreadable(list)
    #expect(
      try self.judge(broken, self.leaf) == .unusable("it is not a certificate revocation list")
    )
    guard case .good = try self.judge(list, self.leaf),
      case .good = try self.judge(broken, self.leaf),
      case .revoked = try self.judge(broken, self.other)
    else {
      Issue.record("not good, good and revoked")
      return
    }
  }

  @Test("TLS-13: a newer list takes a known one's place")
  func renewed() throws {
    let list = TestList().list(self.other, issuer: self.root)
    guard case .good = try self.judge(list, self.leaf),
      case .revoked = try self.judge(TestList().list(self.leaf, issuer: self.root), self.leaf),
      case .good = try self.judge(list, self.leaf)
    else {
      Issue.record("not good, revoked and good")
      return
    }
    #expect(self.context.knownLists.count == 1)
  }

  @Test("TLS-13: a known list's time passes")
  func stale() throws {
    let list = TestList(nextUpdate: 3_600).list(issuer: self.root)
    guard case .good = try self.judge(list, self.leaf),
      case .unusable(let reason) = try self.judge(
        list,
        self.leaf,
        at: now.advanced(bySeconds: 7_200)
      )
    else {
      Issue.record("not good and out of date")
      return
    }
    #expect(reason.hasPrefix("out of date since "))
  }

  @Test(
    "TLS-13: for a certificate of another sort, or another issuer's, a known list is read again"
  )
  func reach() throws {
    let reach = CertificateExtension.element(
      0x30,
      CertificateExtension.element(
        0xA0,
        CertificateExtension.element(
          0xA0,
          CertificateExtension.element(0x86, Array("http://lists.example/root.crl".utf8))
        )
      )
    )
    let part = CertificateExtension(
      kind: NID_issuing_distribution_point,
      isCritical: true,
      value: reach
    )
    // Both ask at the same address, but only one names it alone; the list is not for the other.
    let list = TestList(extensions: [part]).list(issuer: self.root)
    guard case .good = try self.judge(list, self.leaf) else {
      Issue.record("not good")
      return
    }
    let elsewhere = try Self.server("http://lists.example/other.crl", issuer: self.root)
    var lists = self.context.knownLists
    let mark = ListMark(Bytes(list))
    let name = try #require(try self.session(self.leaf).revocationQueries.first?.cacheName)
    func known(_ leaf: TestIdentity, _ issuer: TestIdentity, _ mark: ListMark) -> Bool {
      let answer = lists.answer(
        of: name,
        marked: mark,
        on: leaf.certificate,
        by: issuer.certificate,
        at: now
      )
      return answer != nil
    }
    #expect(known(self.leaf, self.root, mark))
    #expect(known(self.other, self.root, mark))
    #expect(!known(elsewhere, self.root, mark))
    #expect(!known(self.leaf, try .authority("root"), mark))
    #expect(!known(self.leaf, self.root, ListMark(Bytes(list.dropLast()))))
    #expect(try self.judge(list, elsewhere) == .unusable("it does not cover the certificate"))
  }

  @Test("TLS-13: a configured list is known after its first verdict, and says the same")
  func configured() throws {
    let context = try TLSClientContext(
      roots: .pem(self.root.pem),
      crls: [TestList().list(self.other, issuer: self.root)]
    )
    for _ in 0..<2 {
      let good = try self.session(self.leaf, in: context)
      #expect(good.isEstablished)
      #expect(good.peerRecord.revocation?.status == .good)
      #expect(context.knownLists.count == 1)
      let revoked = try self.session(self.other, in: context)
      #expect(!revoked.isEstablished)
      #expect(revoked.peerRecord.revocation?.status == .revoked)
      #expect(revoked.peerRecord.revocation?.detail.contains("keyCompromise") == true)
    }
  }

  @Test(
    "TLS-13: nothing is learned from a chain that does not verify, and nothing known told of it"
  )
  func unverified() throws {
    let context = try TLSClientContext(
      roots: .pem(self.root.pem),
      mode: .record,
      crls: [TestList().list(issuer: self.root)]
    )
    let late = try TestIdentity.server(
      [host("server.example")],
      notAfter: now.advanced(bySeconds: -60),
      issuer: self.root
    )
    #expect(try self.session(late, in: context).isEstablished)
    #expect(context.knownLists.count == 0)
    _ = try self.session(self.leaf, in: context)
    #expect(context.knownLists.count == 1)
    // In the issuer's name, but not by its key.
    let namesake = try TestIdentity.authority("root")
    let forged = try TestIdentity.make(
      "server",
      extensions: [
        .host(host("server.example"), isCritical: false),
        .distribution("http://lists.example/root.crl"),
      ],
      issuer: TestIdentity(certificate: self.root.certificate, key: namesake.key)
    )
    let session = try self.session(forged, in: context)
    #expect(session.isEstablished)
    #expect(session.facts.peer?.verification != "ok")
    #expect(session.peerRecord.revocation?.status == .unknown)
  }

  @Test("TLS-13: of many lists those that were used last are known")
  func bounded() throws {
    var lists = KnownLists()
    let list = try #require(
      RevocationList.parse(der: TestList().list(issuer: self.root), origin: "the list")
    )
    let mark = ListMark(Bytes())
    func isKnown(_ name: String) -> Bool {
      let answer = lists.answer(
        of: name,
        marked: mark,
        on: self.leaf.certificate,
        by: self.root.certificate,
        at: now
      )
      return answer != nil
    }
    for index in 0...KnownLists.mostLists {
      lists.learn(
        list,
        as: "\(index)",
        marked: mark,
        saying: .unlisted,
        on: self.leaf.certificate,
        by: self.root.certificate
      )
      #expect(isKnown("0"), "it is used all the time")
    }
    #expect(lists.count == KnownLists.mostLists)
    #expect(!isKnown("1"))
    #expect(isKnown("2"))
  }
}
