import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct UpstreamSessionTests {
  let root: TestIdentity
  let leaf: Leaf
  let sessions = UpstreamSessions(capacity: 16)
  let start = now

  init() throws {
    self.root = try .authority("root")
    self.leaf = try TestIdentity.server(
      [host("server.example")],
      notAfter: now.advanced(bySeconds: 7 * day),
      issuer: self.root
    ).leaf()
  }

  private func meeting(
    mode: VerificationMode = .refuse,
    roots: [UInt8]? = nil,
    refusing: [[UInt8]] = [],
    keys: TicketKeys? = nil
  ) throws -> Meeting {
    Meeting(
      clients: try TLSClientContext(
        roots: .pem(roots ?? self.root.pem),
        refusing: refusing,
        mode: mode,
        sessions: self.sessions
      ),
      servers: try TLSServerContext(tickets: keys ?? TicketKeys())
    )
  }

  private func attempt(
    device: String = "phone",
    address: String = "192.0.2.7",
    port: UInt16 = 443,
    after seconds: Int64 = 0
  ) throws -> Resumption {
    Resumption(
      device: device,
      address: try #require(IPAddress(address)),
      port: port,
      now: self.start.advanced(bySeconds: seconds)
    )
  }

  @Test(
    "The same device's next connection goes on from the last, with what that one proved",
    arguments: [0x0303, 0x0304]
  )
  func resumes(version: UInt16) throws {
    let meeting = try self.meeting()
    let first = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
    #expect(!first.client.isResumed && !first.client.facts.isResumed)
    for _ in 0..<3 {
      let next = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
      #expect(next.isEstablished)
      #expect(next.client.isResumed && next.server.isResumed)
      #expect(next.client.negotiatedVersion == version)
      let facts = next.client.facts
      #expect(facts.isResumed && next.server.facts.isResumed)
      #expect(facts.peer?.chain == [Bytes(self.leaf.certificateDER)])
      #expect(facts.peer?.verification == "ok")
      #expect((facts.group == nil) == (version == 0x0303), "TLS 1.2 resumes without a key exchange")
      #expect(joined(next.serverReceived) == Array("a request".utf8))
    }
    #expect(leftOverError == 0)
  }

  @Test("Another loop's context with the same settings goes on from it too")
  func acrossLoops() throws {
    let keys = try TicketKeys()
    _ = try self.meeting(keys: keys).connect(to: self.leaf, resuming: self.attempt())
    let next = try self.meeting(keys: keys).connect(to: self.leaf, resuming: self.attempt())
    #expect(next.client.isResumed)
  }

  @Test("TLS-12: another device, address, port, host, offer or trust shakes hands in full")
  func keptApart() throws {
    let keys = try TicketKeys()
    let meeting = try self.meeting(keys: keys)
    for version: UInt16 in [0x0303, 0x0304] {
      _ = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
      let stranger = try TestIdentity.authority("stranger")
      let elsewhere = try TestIdentity.server([host("other.example")], issuer: self.root).leaf()
      let others: [(Meeting, String, [String], Resumption?)] = [
        (meeting, "server.example", [], try self.attempt(device: "tablet")),
        (meeting, "server.example", [], try self.attempt(address: "192.0.2.8")),
        (meeting, "server.example", [], try self.attempt(port: 8_443)),
        (meeting, "other.example", [], try self.attempt()),
        (meeting, "server.example", ["h2"], try self.attempt()),
        (meeting, "server.example", [], nil),
        (
          try self.meeting(roots: self.root.pem + stranger.pem, keys: keys),
          "server.example", [], try self.attempt()
        ),
        (
          try self.meeting(refusing: [stranger.certificate.der], keys: keys),
          "server.example", [], try self.attempt()
        ),
        (try self.meeting(mode: .record, keys: keys), "server.example", [], try self.attempt()),
      ]
      for (index, other) in others.enumerated() {
        let leaf = other.1 == "other.example" ? elsewhere : self.leaf
        let pair = try other.0.connect(
          to: leaf,
          name: other.1,
          offering: other.2,
          resuming: other.3,
          version: version
        )
        #expect(pair.isEstablished && !pair.client.isResumed, "\(index)")
      }
      let same = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
      #expect(same.client.isResumed)
    }
  }

  @Test(
    "TLS-12: a server that comes back with a bad certificate at the same address is refused",
    arguments: [0x0303, 0x0304]
  )
  func turnedBad(version: UInt16) throws {
    let clients = try self.meeting().clients
    let before = Meeting(clients: clients, servers: try TLSServerContext(tickets: TicketKeys()))
    _ = try before.connect(to: self.leaf, resuming: self.attempt(), version: version)
    #expect(self.sessions.count == 1)
    let bad = try TestIdentity.server([host("elsewhere.example")], issuer: self.root).leaf()
    let after = Meeting(clients: clients, servers: try TLSServerContext(tickets: TicketKeys()))
    let pair = try after.connect(to: bad, resuming: self.attempt(), version: version)
    #expect(!pair.client.isEstablished && !pair.client.isResumed)
    #expect(pair.clientFailure?.verifyError == Int(X509_V_ERR_HOSTNAME_MISMATCH))
    #expect(pair.client.facts.peer?.chain == [Bytes(bad.certificateDER)])
    #expect(self.sessions.count == 0, "what it would not go on from is forgotten")
    #expect(leftOverError == 0)
  }

  @Test("A server that comes back with new keys and a good certificate is verified anew")
  func restarted() throws {
    let clients = try self.meeting().clients
    for _ in 0..<2 {
      let server = Meeting(clients: clients, servers: try TLSServerContext(tickets: TicketKeys()))
      for isResumed in [false, true] {
        let pair = try server.connect(to: self.leaf, resuming: self.attempt())
        #expect(pair.isEstablished && pair.client.isResumed == isResumed)
      }
    }
  }

  @Test("A session of TLS 1.3 at a server that now speaks 1.2 only is no obstacle, nor the reverse")
  func otherVersion() throws {
    let meeting = try self.meeting()
    for version: UInt16 in [0x0304, 0x0303, 0x0304] {
      let pair = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
      #expect(pair.isEstablished && !pair.client.isResumed)
      #expect(pair.client.negotiatedVersion == version)
    }
  }

  @Test("Nothing is kept of an upstream that did not verify, though the operator goes on")
  func untrusted() throws {
    let bad = try TestIdentity.server([host("elsewhere.example")], issuer: self.root).leaf()
    let meeting = try self.meeting(mode: .record)
    for _ in 0..<2 {
      let pair = try meeting.connect(to: bad, resuming: self.attempt())
      #expect(pair.isEstablished && !pair.client.isResumed)
    }
    #expect(self.sessions.count == 0)
  }

  @Test("Nothing is kept before the first byte of a request leaves")
  func notBeforeUse() throws {
    let meeting = try self.meeting()
    let pair = SessionPair(
      client: try .client(
        meeting.clients,
        host: host("server.example"),
        applicationProtocols: [],
        resuming: self.attempt()
      ),
      server: try .server(
        meeting.servers,
        leaf: self.leaf,
        applicationProtocol: nil,
        maximumVersion: nil
      )
    ).run()
    #expect(pair.isEstablished && self.sessions.count == 0)
    try pair.client.send("a request")
    #expect(self.sessions.count == 1)
  }

  @Test("Nothing is kept of a chain that was found to be revoked after the handshake")
  func revoked() throws {
    let meeting = try self.meeting()
    let pair = SessionPair(
      client: try .client(
        meeting.clients,
        host: host("server.example"),
        applicationProtocols: [],
        resuming: self.attempt()
      ),
      server: try .server(
        meeting.servers,
        leaf: self.leaf,
        applicationProtocol: nil,
        maximumVersion: nil
      )
    ).run()
    pair.client.peerRecord.revocation = .init(status: .revoked)
    try pair.client.send("a request")
    #expect(self.sessions.count == 0)
  }

  @Test("An hour after the full handshake, or with the clock set back, the chain is verified anew")
  func age() throws {
    let meeting = try self.meeting()
    _ = try meeting.connect(to: self.leaf, resuming: self.attempt())
    // Each connection brings new tickets, which make the verification no younger.
    for seconds: Int64 in [1_800, 3_599] {
      let pair = try meeting.connect(to: self.leaf, resuming: self.attempt(after: seconds))
      #expect(pair.client.isResumed)
    }
    let late = try meeting.connect(to: self.leaf, resuming: self.attempt(after: 3_600))
    #expect(late.isEstablished && !late.client.isResumed)
    let early = try meeting.connect(to: self.leaf, resuming: self.attempt(after: 3_000))
    #expect(early.isEstablished && !early.client.isResumed)
  }

  @Test("Once a certificate of the chain, or what vouched for it, is over, nothing goes on from it")
  func overtaken() throws {
    let short = try TestIdentity.server(
      [host("server.example")],
      notAfter: now.advanced(bySeconds: 600),
      issuer: self.root
    ).leaf()
    let meeting = try self.meeting()
    _ = try meeting.connect(to: short, resuming: self.attempt())
    #expect(try meeting.connect(to: short, resuming: self.attempt(after: 500)).client.isResumed)
    #expect(try !meeting.connect(to: short, resuming: self.attempt(after: 700)).client.isResumed)
    var record = try meeting.connect(to: self.leaf, resuming: nil).client.peerRecord
    #expect(record.holds(at: self.start.advanced(bySeconds: 60)))
    record.vouched = [0: self.start.advanced(bySeconds: 60)]
    #expect(!record.holds(at: self.start.advanced(bySeconds: 60)))
  }

  @Test("A ticket of TLS 1.3 is offered once; of TLS 1.2 as often as it is taken")
  func usedOnce() throws {
    let meeting = try self.meeting()
    for (version, again): (UInt16, Bool) in [(0x0304, false), (0x0303, true)] {
      _ = try meeting.connect(to: self.leaf, resuming: self.attempt(), version: version)
      let hellos = try (0..<2).map { _ in
        try TLSSession.client(
          meeting.clients,
          host: host("server.example"),
          applicationProtocols: [],
          resuming: self.attempt()
        )
      }
      #expect(hellos.map { $0.resuming?.offered != nil } == [true, again])
    }
  }

  @Test("The store is bounded: what was not used for longest goes first; none is kept in none")
  func bounded() throws {
    let meeting = try self.meeting()
    for port: UInt16 in 1...16 {
      _ = try meeting.connect(to: self.leaf, resuming: self.attempt(port: port))
    }
    #expect(self.sessions.count == 16)
    #expect(try meeting.connect(to: self.leaf, resuming: self.attempt(port: 1)).client.isResumed)
    _ = try meeting.connect(to: self.leaf, resuming: self.attempt(port: 17))
    #expect(self.sessions.count <= 16)
    #expect(try meeting.connect(to: self.leaf, resuming: self.attempt(port: 1)).client.isResumed)
    #expect(try !meeting.connect(to: self.leaf, resuming: self.attempt(port: 2)).client.isResumed)
    self.sessions.removeAll()
    #expect(self.sessions.count == 0)
    let none = UpstreamSessions(capacity: 0)
    let clients = try TLSClientContext(roots: .pem(self.root.pem), sessions: none)
    _ = try Meeting(clients: clients, servers: meeting.servers)
      .connect(to: self.leaf, resuming: self.attempt())
    #expect(none.count == 0)
  }

  @Test(
    "An upstream that sends more certificates than anybody needs is not kept",
    arguments: [8, 40]
  )
  func longChain(kilobytes: Int) throws {
    let comment = CertificateExtension(
      kind: NID_netscape_comment,
      isCritical: false,
      value: CertificateExtension.element(0x16, [UInt8](repeating: 0x61, count: kilobytes << 10))
    )
    let chaff = try TestIdentity.make("chaff", extensions: [comment], issuer: nil)
    let leaf = Leaf(
      host: host("server.example"),
      certificate: self.leaf.certificate,
      key: self.leaf.key,
      chain: [chaff.certificate]
    )
    let pair = try self.meeting().connect(to: leaf, resuming: self.attempt())
    #expect(pair.isEstablished)
    #expect(self.sessions.count == (kilobytes == 8 ? 1 : 0))
  }

  @Test("The store is bounded in bytes too, and what is over goes before what is least used")
  func budget() throws {
    let meeting = try self.meeting()
    _ = try meeting.connect(to: self.leaf, resuming: self.attempt(port: 1))
    let size = self.sessions.size
    #expect(size > 4_096 && size < 40_960)
    #expect(self.sessions.count == 1)
    let small = UpstreamSessions(capacity: 1_000, budget: 4 * size + size / 2)
    let clients = try TLSClientContext(roots: .pem(self.root.pem), sessions: small)
    let narrow = Meeting(clients: clients, servers: try TLSServerContext(tickets: TicketKeys()))
    // The first is as old as a session gets when the last comes.
    for port: UInt16 in 1...5 {
      let late: Int64 = port == 1 ? 0 : port == 5 ? 3_601 : 100
      _ = try narrow.connect(to: self.leaf, resuming: self.attempt(port: port, after: late))
      if port == 4 {
        #expect(small.count == 4)
        let first = try self.attempt(port: 1, after: 200)
        #expect(try narrow.connect(to: self.leaf, resuming: first).client.isResumed)
      }
    }
    #expect(small.count == 4 && small.size <= 4 * size + size / 2)
    for port: UInt16 in 2...5 {
      let attempt = try self.attempt(port: port, after: 3_650)
      #expect(try narrow.connect(to: self.leaf, resuming: attempt).client.isResumed, "\(port)")
    }
    small.removeAll()
    #expect(small.size == 0)
  }

  @Test("Loops on several threads share the store")
  func threads() async throws {
    // Certificates may be read from several threads at once: nobody changes them.
    struct Shared: @unchecked Sendable {
      let tests: UpstreamSessionTests
    }
    let keys = try TicketKeys()
    let shared = Shared(tests: self)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for version: UInt16 in [0x0303, 0x0304, 0x0303, 0x0304] {
        group.addTask {
          let tests = shared.tests
          let meeting = try tests.meeting(keys: keys)
          return try (0..<50).count { _ in
            let attempt = try tests.attempt(port: version)
            let pair = try meeting.connect(to: tests.leaf, resuming: attempt, version: version)
            try #require(pair.isEstablished)
            return pair.client.isResumed
          }
        }
      }
      let resumed = try await group.reduce(0, +)
      #expect(resumed > 0 && resumed <= 198)
    }
    #expect(self.sessions.count == 2)
  }
}
