import COpenSSL
import Synchronization
import Testing
import TideCore

@testable import TideTLS

@Suite struct TicketTests {
  let root: TestIdentity
  let leaf: Leaf
  let clients: TLSClientContext

  init() throws {
    self.root = try .authority("root")
    self.leaf = try Self.leaf("server.example", self.root)
    self.clients = try TLSClientContext(roots: .pem(self.root.pem))
  }

  private static func leaf(
    _ name: String,
    _ issuer: TestIdentity,
    notAfter: WallTime = now.advanced(bySeconds: day)
  ) throws -> Leaf {
    let identity = try TestIdentity.server(
      [host(name)],
      notAfter: notAfter,
      issuer: issuer
    )
    return Leaf(host: host(name), certificate: identity.certificate, key: identity.key, chain: [])
  }

  /// A connection of a device that verifies little and shows its ticket wherever it likes.
  private func connect(
    _ keys: TicketKeys?,
    _ leaf: Leaf? = nil,
    showing ticket: UpstreamTicket? = nil,
    version: UInt16? = nil,
    scope: String = "phone",
    by clients: TLSClientContext? = nil
  ) throws -> SessionPair {
    let pair = SessionPair(
      client: try deviceSession(clients ?? self.clients, showing: ticket),
      server: try .server(
        // A context of its own, as on another loop.
        TLSServerContext(tickets: keys),
        leaf: leaf ?? self.leaf,
        applicationProtocol: nil,
        maximumVersion: version,
        scope: scope
      )
    )
    pair.run()
    try #require(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    #expect(pair.client.isResumed == pair.server.isResumed)
    return pair
  }

  /// The newest ticket that a connection brought.
  private func ticket(of pair: SessionPair) throws -> UpstreamTicket {
    try #require(pair.client.resuming?.tickets.last)
  }

  @Test("A device goes on from its ticket at any loop, by keys alone", arguments: [0x0303, 0x0304])
  func resumes(version: UInt16) throws {
    let keys = try TicketKeys()
    let first = try self.connect(keys, version: version)
    #expect(!first.server.isResumed)
    let ticket = try self.ticket(of: first)
    let next = try self.connect(keys, showing: ticket, version: version)
    #expect(next.server.isResumed)
    #expect(next.server.facts.isResumed && next.server.facts.leg == "downstream")
    #expect(leftOverError == 0)
  }

  @Test("One ticket is given for a handshake of TLS 1.3, and the next one with every use")
  func oneTicket() throws {
    let keys = try TicketKeys()
    let first = try self.connect(keys)
    #expect(first.client.resuming?.tickets.count == 1)
    let next = try self.connect(keys, showing: self.ticket(of: first))
    #expect(next.server.isResumed && next.client.resuming?.tickets.count == 1)
    let third = try self.connect(keys, showing: self.ticket(of: next))
    #expect(third.server.isResumed)
  }

  @Test(
    "TLS-12: a ticket opens nothing at another host, under another CA, in another scope",
    arguments: [0x0303, 0x0304]
  )
  func keptApart(version: UInt16) throws {
    let keys = try TicketKeys()
    let otherRoot = try TestIdentity.authority("root")
    let clients = try TLSClientContext(roots: .pem(self.root.pem + otherRoot.pem))
    let first = try self.connect(keys, version: version)
    let ticket = try self.ticket(of: first)
    let elsewhere: [(Leaf, String)] = [
      (try Self.leaf("other.example", self.root), "phone"),
      (try Self.leaf("server.example", otherRoot), "phone"),
      (self.leaf, "tablet"),
      (self.leaf, ""),
    ]
    for (leaf, scope) in elsewhere {
      let pair = try self.connect(
        keys,
        leaf,
        showing: ticket,
        version: version,
        scope: scope,
        by: clients
      )
      #expect(!pair.server.isResumed, "\(leaf.host) \(scope)")
    }
    // A later leaf of the same host and CA is the same server.
    let later = try Self.leaf("server.example", self.root)
    #expect(
      try self.connect(keys, later, showing: ticket, version: version).server.isResumed
    )
    #expect(leftOverError == 0)
  }

  @Test("A leaf that names no issuer stands for itself alone")
  func noIssuer() throws {
    let leaves = try (0..<2).map { _ in
      try TestIdentity.server([host("server.example")], extensions: [], issuer: self.root).leaf()
    }
    #expect(leaves[0].ticketScope("") == leaves[0].ticketScope(""))
    #expect(leaves[0].ticketScope("").count == 32)
    #expect(leaves[0].ticketScope("") != leaves[0].ticketScope("phone"))
  }

  @Test(
    "Past its key's lifetime a ticket is taken once more and renewed; past two it is not",
    arguments: [0x0303, 0x0304]
  )
  func rotation(version: UInt16) throws {
    let clock = TestClock()
    let keys = try TicketKeys(lifetimeSeconds: 1_000) { clock.seconds }
    let old = try self.ticket(of: self.connect(keys, version: version))
    clock.advance(by: 999)
    let fresh = try self.connect(keys, showing: old, version: version)
    #expect(fresh.server.isResumed)
    #expect((fresh.client.resuming?.tickets.isEmpty == true) == (version == 0x0303))
    clock.advance(by: 1)
    let renewed = try self.connect(keys, showing: old, version: version)
    #expect(renewed.server.isResumed)
    // Of TLS 1.2 libssl reports no renewed ticket: the session has it.
    let ticket = try #require(
      unsafe SSL_get_session(renewed.client.handle).flatMap { unsafe UpstreamTicket(copying: $0) }
    )
    clock.advance(by: 999)
    #expect(try self.connect(keys, showing: old, version: version).server.isResumed)
    clock.advance(by: 1)
    #expect(try !self.connect(keys, showing: old, version: version).server.isResumed)
    if version == 0x0303 {
      #expect(try self.connect(keys, showing: ticket, version: version).server.isResumed)
    }
    #expect(leftOverError == 0)
  }

  @Test("Keys that nobody used for two lifetimes open nothing")
  func idleKeys() throws {
    let clock = TestClock()
    let keys = try TicketKeys(lifetimeSeconds: 1_000) { clock.seconds }
    let old = try self.ticket(of: self.connect(keys))
    clock.advance(by: 2_000)
    #expect(try !self.connect(keys, showing: old).server.isResumed)
  }

  @Test("Other keys, and a proxy without keys, shake hands in full", arguments: [0x0303, 0x0304])
  func foreignKeys(version: UInt16) throws {
    let ticket = try self.ticket(of: self.connect(TicketKeys(), version: version))
    let other = try self.connect(TicketKeys(), showing: ticket, version: version)
    #expect(!other.server.isResumed)
    let none = try self.connect(nil, showing: ticket, version: version)
    #expect(!none.server.isResumed)
    #expect(none.client.resuming?.tickets.isEmpty == true)
    #expect(leftOverError == 0)
  }

  @Test("A ticket is good for an hour at most, and never longer than the leaf that was shown")
  func boundByLeaf() throws {
    let keys = try TicketKeys()
    for version: UInt16 in [0x0303, 0x0304] {
      let long = try self.ticket(of: self.connect(keys, version: version))
      #expect(try long.lifetimeHint == 3_600)
      let leaf = try Self.leaf("server.example", self.root, notAfter: now.advanced(bySeconds: 600))
      let short = try self.ticket(of: self.connect(keys, leaf, version: version))
      #expect(try (590...600).contains(short.lifetimeHint))
      guard version == 0x0304 else { continue }
      // Going on with a later leaf, the device still knows only the first.
      let next = try self.connect(keys, showing: short)
      #expect(next.server.isResumed)
      #expect(try (590...600).contains(self.ticket(of: next).lifetimeHint))
    }
  }

  @Test("No early data is invited, on either leg")
  func noEarlyData() throws {
    let ticket = try self.ticket(of: self.connect(TicketKeys()))
    #expect(try ticket.earlyData == 0)
  }

  @Test("A session of TLS 1.3 bounded to 1.2 by its upstream is shaken hands anew, and the reverse")
  func otherVersion() throws {
    let keys = try TicketKeys()
    let newer = try self.ticket(of: self.connect(keys))
    let bounded = try self.connect(keys, showing: newer, version: 0x0303)
    #expect(!bounded.server.isResumed && bounded.server.negotiatedVersion == 0x0303)
    let older = try self.ticket(of: bounded)
    let free = try self.connect(keys, showing: older)
    #expect(!free.server.isResumed && free.server.negotiatedVersion == 0x0304)
  }

  @Test("A ticket that was tampered with opens nothing")
  func tampered() throws {
    let keys = try TicketKeys()
    let clients = self.clients
    let ticket = try self.ticket(of: self.connect(keys, version: 0x0303))
    let hello = try deviceSession(clients, showing: ticket).takeOutput().array
    let content = try ticket.content
    let place = try #require(hello.indices.first { hello[$0...].starts(with: content) })
    // In order: the key's name, the vector, the sealed session, its authenticator.
    for position in [0, 20, 60, content.count - 1] {
      var altered = hello
      altered[place + position] ^= 1
      let server = try TLSSession.server(
        TLSServerContext(tickets: keys),
        leaf: self.leaf,
        applicationProtocol: nil,
        maximumVersion: 0x0303,
        scope: "phone"
      )
      var plaintext: [Bytes] = []
      try server.receive(Bytes(altered), &plaintext)
      #expect(!server.isResumed && server.hasOutput, "position \(position)")
      #expect(leftOverError == 0)
    }
  }
}

/// A clock that stands still until it is told otherwise.
private final class TestClock: Sendable {
  private let time = Mutex<Int64>(5_000)

  var seconds: Int64 { self.time.withLock { $0 } }

  func advance(by seconds: Int64) { self.time.withLock { $0 += seconds } }
}
