import NIOCore
import NIOPosix
import Testing
import TideCore

@testable import TideEngineNIO

private typealias Resolver = TideEngineNIO.Resolver

@Suite struct StubResolverTests {
  private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let loop = Self.group.next()

  /// Answers A with an alias and two addresses, AAAA with nothing.
  @Sendable private static func usual(_ asked: FakeNameServer.Asked) -> [DNSBuilder] {
    guard asked.type == 1 else { return [asked.answer()] }
    return [
      asked.answer([
        // Longer than a busy machine takes for all tests.
        DNSBuilder.alias(asked.name, "edge.cdn.example", ttl: 3_000),
        DNSBuilder.address("edge.cdn.example", "192.0.2.7", ttl: 3_600),
        DNSBuilder.address("edge.cdn.example", "203.0.113.9", ttl: 3_600),
      ])
    ]
  }

  private func resolver(_ servers: [NameServer], patience: UInt64 = 5_000_000_000) -> Resolver {
    Resolver(hosts: [:], servers: servers, patience: patience, on: self.loop)
  }

  private func look(
    _ name: String,
    _ resolver: Resolver
  ) async throws -> Result<
    Resolution, FlowFailure
  > {
    let name = try #require(Hostname(name))
    return await withCheckedContinuation { continuation in
      resolver.resolve(name, on: self.loop) { continuation.resume(returning: $0) }
    }
  }

  @Test("A name's addresses, aliases, TTL and server are the answer, which is kept for its time")
  func answers() async throws {
    let fake = try await FakeNameServer(on: self.loop, Self.usual)
    let resolver = self.resolver([fake.server])
    let first = try await self.look("www.vendor.example", resolver).get()
    #expect(first.addresses.map(\.description) == ["192.0.2.7", "203.0.113.9"])
    #expect(first.aliases.map(\.text) == ["edge.cdn.example"])
    #expect(first.ttl == 3_000 && first.source == fake.server.description && !first.isCached)
    let second = try await self.look("www.vendor.example", resolver).get()
    #expect(second.isCached && second.addresses == first.addresses)
    #expect(fake.asked.map(\.type).sorted() == [1, 28], "each family once")
    #expect(fake.asked.allSatisfy { $0.isExtended && !$0.isTCP })
    try await fake.stop()
  }

  @Test("What does not answer the question is not heard, however early it comes")
  func forged() async throws {
    let fake = try await FakeNameServer(on: self.loop) { asked in
      var wrongID = asked.answer([DNSBuilder.address(asked.name, "198.51.100.66")])
      wrongID.id ^= 1
      var wrongName = wrongID
      wrongName.id = asked.id
      wrongName.question = DNSBuilder.name("other.example") + [0, 1, 0, 1]
      return [wrongID, wrongName] + Self.usual(asked)
    }
    let found = try await self.look("www.vendor.example", self.resolver([fake.server])).get()
    #expect(found.addresses.map(\.description) == ["192.0.2.7", "203.0.113.9"])
    try await fake.stop()
  }

  @Test(
    "A truncated answer, and one in another spelling, is asked for again over TCP",
    arguments: [true, false]
  )
  func overTCP(isTruncated: Bool) async throws {
    let fake = try await FakeNameServer(on: self.loop) { asked in
      guard !asked.isTCP else { return Self.usual(asked) }
      var answer = asked.answer([DNSBuilder.address(asked.name, "198.51.100.66")])
      if isTruncated {
        answer.flags |= 0x0200
      } else {
        answer.question =
          DNSName(spelling: asked.spelling).wire + DNSBuilder.octets(asked.type) + [0, 1]
      }
      return [answer]
    }
    let name = "a-long-name-with-many-letters-that-cannot-all-be-small.vendor.example"
    let found = try await self.look(name, self.resolver([fake.server])).get()
    #expect(found.addresses.map(\.description) == ["192.0.2.7", "203.0.113.9"])
    #expect(fake.asked.filter(\.isTCP).count == 2)
    try await fake.stop()
  }

  @Test("A server that fails, or knows no EDNS, is not the end of it")
  func nextServer() async throws {
    let failing = try await FakeNameServer(on: self.loop) { [$0.answer(code: 2)] }
    let old = try await FakeNameServer(on: self.loop) { asked in
      asked.isExtended ? [asked.answer(code: 1)] : Self.usual(asked)
    }
    let found = try await self.look(
      "www.vendor.example",
      self.resolver([failing.server, old.server])
    ).get()
    #expect(found.source == old.server.description)
    try await failing.stop()
    try await old.stop()
  }

  @Test("That there is no such name is an answer; that every server fails is told with its cause")
  func failures() async throws {
    let absent = try await FakeNameServer(on: self.loop) { [$0.answer(code: 3)] }
    let none = await Result {
      try await self.look("no.vendor.example", self.resolver([absent.server])).get()
    }
    #expect(none.failure?.code == .nameNotFound)
    let refusing = try await FakeNameServer(on: self.loop) { [$0.answer(code: 5)] }
    let refused = await Result {
      try await self.look("a.vendor.example", self.resolver([refusing.server])).get()
    }
    #expect(refused.failure?.code == .resolverFailed)
    #expect(refused.failure?.detail.contains("\(refusing.server): REFUSED") == true)
    try await refusing.stop()
    let gone = await Result {
      try await self.look("a.vendor.example", self.resolver([refusing.server])).get()
    }
    #expect(gone.failure?.code == .resolverFailed, "nobody listens there any more")
    try await absent.stop()
  }

  @Test("A server that says nothing is given up within the time there is")
  func silence() async throws {
    let silent = try await FakeNameServer(on: self.loop) { _ in [] }
    let began = NIODeadline.now()
    let result = await Result {
      try await self.look(
        "a.vendor.example",
        self.resolver([silent.server], patience: 300_000_000)
      ).get()
    }
    #expect(result.failure?.code == .resolverFailed)
    #expect(result.failure?.detail.contains("no answer in time") == true)
    #expect(silent.asked.filter { $0.type == 1 }.count >= 2, "it was asked more than once")
    #expect(NIODeadline.now() - began < .seconds(5))
    try await silent.stop()
  }

  @Test("An alias that is answered alone is followed by a question of its own")
  func follows() async throws {
    let fake = try await FakeNameServer(on: self.loop) { asked in
      if asked.name == "edge.cdn.example" {
        return [
          asked.answer(asked.type == 1 ? [DNSBuilder.address(asked.name, "192.0.2.7")] : [])
        ]
      }
      return [asked.answer([DNSBuilder.alias(asked.name, "edge.cdn.example")])]
    }
    let found = try await self.look("www.vendor.example", self.resolver([fake.server])).get()
    #expect(found.addresses.map(\.description) == ["192.0.2.7"])
    #expect(found.aliases.map(\.text) == ["edge.cdn.example"])
    try await fake.stop()
  }

  @Test(
    "However many wait for a name, it is asked for once; with a TTL of 0 the next one asks again"
  )
  func sharing() async throws {
    let fake = try await FakeNameServer(on: self.loop) { asked in
      [asked.answer(asked.type == 1 ? [DNSBuilder.address(asked.name, "192.0.2.7", ttl: 0)] : [])]
    }
    let resolver = self.resolver([fake.server])
    await withTaskGroup { group in
      for _ in 0..<20 {
        group.addTask { _ = try? await self.look("www.vendor.example", resolver) }
      }
    }
    let first = fake.asked.count
    #expect(first >= 2 && first.isMultiple(of: 2))
    _ = try await self.look("www.vendor.example", resolver).get()
    #expect(fake.asked.count == first + 2)
    try await fake.stop()
  }

  @Test("Who waits when the proxy stops is told so at once, and so is who asks after that")
  func stops() async throws {
    let silent = try await FakeNameServer(on: self.loop) { _ in [] }
    let resolver = self.resolver([silent.server], patience: 60_000_000_000)
    async let waiting = self.look("a.vendor.example", resolver)
    try await Task.yielding(until: { !silent.asked.isEmpty })
    resolver.stop()
    guard case .failure(let failure) = try await waiting else {
      Issue.record("nobody answered")
      return
    }
    #expect(failure.code == .shutdown)
    let after = try await self.look("b.vendor.example", resolver)
    #expect(throws: FlowFailure.self) { try after.get() }
    try await silent.stop()
  }

  @Test("The operator's own addresses come before any server")
  func hosts() async throws {
    let name = try #require(Hostname("www.vendor.example"))
    let address = try #require(IPAddress("192.0.2.9"))
    let resolver = Resolver(
      hosts: [name: [address]],
      servers: [NameServer(address: .v4(0x7F00_0001), port: 9)],
      patience: 1_000_000_000,
      on: self.loop
    )
    let found = try await self.look("www.vendor.example", resolver).get()
    #expect(found.addresses == [address] && found.source == "hosts" && found.ttl == nil)
  }
}

extension Task where Success == Never, Failure == Never {
  fileprivate static func yielding(until condition: () -> Bool) async throws {
    while !condition() {
      try Task<Never, Never>.checkCancellation()
      await Task<Never, Never>.yield()
    }
  }
}

extension Result where Failure == any Error {
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }

  fileprivate var failure: FlowFailure? {
    if case .failure(let error) = self { error as? FlowFailure } else { nil }
  }
}
