import Testing
import TideCore
import TidePolicy
import TideRegion
import TideTLS

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct ReloadTests {
  private func ruling(
    _ mode: Mode,
    _ rules: [Rule],
    regions: RegionTable = World.regions
  ) throws -> Ruling {
    let policy = try PolicySnapshot(
      rules: rules,
      regions: regions,
      settings: PolicySettings(mode: mode, allowSpecialUse: World.documentation)
    )
    return try Ruling(policy: policy, plan: World.plan(Limits()), devices: [World.profile])
  }

  @Test("New rules hold for the next exchange on a connection that is open")
  func nextExchange() throws {
    let book = try Playbook(mode: .block)
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    try book.context.replace(self.ruling(.block, [rule("none", .block) { $0.method = ["GET"] }]))
    book.skipGot()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    book.expectCleanEnd()
  }

  @Test("An exchange that is under way is judged to its end by the rules that it began with")
  func underWay() throws {
    let book = try Playbook(mode: .redact)
    try book.tunnel()
    let body = "imei=\(World.imei)"
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.count)\r\n\r\n")
    #expect(!book.serverGot().isEmpty, "nothing is held: no rule asks for it")
    try book.context.replace(
      self.ruling(.redact, [rule("imei", .redact) { $0.finding = ["imei"] }])
    )
    book.device(body)
    book.server(ok)
    #expect(book.serverGot() == body)
    #expect(
      try book.flow().end?.verdict.applied == .allow,
      "what was not redacted is not called so"
    )
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
    )
    #expect(!book.serverGot().contains(World.imei))
    book.expectCleanEnd()
  }

  // MARK: Where a connection leads

  private static let noCN = rule("no-cn", .block) { $0.region = ["CN"] }

  /// 192.0.2.0/24, which was nowhere, is in CN now.
  private static let moved = RegionTable(
    databases: [],
    sets: [
      RegionSet(name: "moved", country: "CN", cidrs: [CIDR("192.0.2.0/24")].compactMap(\.self))
    ]
  )

  private func reload(_ book: Playbook, _ mode: Mode = .block) throws {
    try book.context.replace(self.ruling(mode, [Self.noCN], regions: Self.moved))
  }

  @Test(
    "An idle connection to what is in a blocked region since a reload ends; the device's is sinkholed"
  )
  func idle() throws {
    let book = try Playbook(mode: .block, rules: [Self.noCN])
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    try self.reload(book)
    book.tick(afterSeconds: 1)
    #expect(book.upstreamClose == .abort)
    book.skipGot()
    book.device("GET /next HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "), "read, and answered in its place")
    #expect(book.flows.last?.start.facts.treatment == .sinkhole)
    book.expectCleanEnd()
  }

  @Test("A request that is under way to such a server is answered 451, and no more of it leaves")
  func underWayToRegion() throws {
    let book = try Playbook(mode: .block, rules: [Self.noCN])
    try book.tunnel()
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 100\r\n\r\nfirst")
    book.skipGot()
    let before = book.upstreamByteCount
    try self.reload(book)
    book.device("more")
    #expect(book.upstreamByteCount == before)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    let end = try #require(try book.flow().end)
    #expect(end.verdict.rule == RuleID("no-cn") && end.exposure == 5)
    book.expectCleanEnd()
  }

  @Test("A plain keep-alive connection is not used again for it; the next request is decided anew")
  func plainReuse() throws {
    let book = try Playbook(mode: .block, rules: [Self.noCN])
    let get = "GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n"
    book.device(get)
    try book.way()
    book.server(ok)
    book.skipGot()
    try self.reload(book)
    book.device(get)
    #expect(book.resolving?.text == "api.example")
    book.resolve("192.0.2.7")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(book.opened.count == 1)
    book.expectCleanEnd()
  }

  @Test(
    "A dial that is under way is decided anew: what rules permitted before is not failed over to"
  )
  func failOver() throws {
    let book = try Playbook(mode: .block, rules: [Self.noCN])
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolve("198.51.100.1", "192.0.2.7")
    #expect(book.opened == [World.address("198.51.100.1")])
    try self.reload(book)
    book.tick(afterSeconds: 1)
    #expect(book.opened == [World.address("198.51.100.1")])
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 200 "), "sinkholed")
    #expect(book.decisions == ["dial", "sinkhole"])
    book.expectCleanEnd()
  }

  @Test(
    "A handshake with what is blocked since a reload goes no further; the device's is sinkholed"
  )
  func handshake() throws {
    let book = try Playbook(mode: .block, rules: [Self.noCN])
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolve("192.0.2.7")
    try book.connect()  // a server that says nothing
    try book.deviceHandshake("api.example")
    try self.reload(book)
    book.tick(afterSeconds: 1)
    #expect(book.upstreamClose == .abort)
    #expect(book.deviceTLS?.isEstablished == true)
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.deviceGot().contains("HTTP/1.1 451 "))
    #expect(try book.flow().failure == .blockedByRule)
    book.expectCleanEnd()
  }

  @Test("Where a reload changes regions and blocks nothing, later flows have the new ones")
  func recorded() throws {
    let book = try Playbook(mode: .record, rules: [Self.noCN])
    try book.tunnel()
    for _ in 0..<2 {
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.server(ok)
      try self.reload(book, .record)
    }
    let regions = book.flows.map { $0.start.facts.region.name }
    #expect(regions == ["local", "moved"])
    book.expectCleanEnd()
  }
}
