import Testing
import TideCore
import TidePolicy

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct ReloadTests {
  private func ruling(_ mode: Mode, _ rules: [Rule]) throws -> Ruling {
    let policy = try PolicySnapshot(
      rules: rules,
      regions: World.regions,
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
}
