import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// What only becomes known late: with the body, after a reload, or not at all before the end.
@Suite struct LateVerdictTests {
  @Test(
    "A head that is held is redacted when only the body turns the verdict",
    arguments: Cut.allCases
  )
  func headAfterBody(cut: Cut) throws {
    let late = rule("imei", .block) {
      $0.finding = ["imei"]
      $0.size = [SizeCondition(relation: .atLeast, bytes: 16)]
    }
    let book = try Playbook(cut, mode: .redact, rules: [late])
    try book.tunnel()
    let body = #"{"imei":"\#(World.imei)","pad":"0123456789"}"#
    let size = String(body.utf8.count, radix: 16)
    book.device(
      "POST /p?imei=\(World.imei) HTTP/1.1\r\nHost: api.example\r\nX-Imei: \(World.imei)\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n"
    )
    let asked = book.serverGot()
    #expect(asked.hasPrefix("POST /p?imei="))
    #expect(!asked.contains(World.imei))
    book.server(ok)
    let flow = try book.flow()
    #expect(flow.end?.verdict.applied == .redact)
    #expect(!flow.sentHead.contains(World.imei))
    book.expectCleanEnd()
  }

  @Test("A way that the device leaves while it is being made is recorded, with the address dialled")
  func abandoned() throws {
    let book = try Playbook(rules: [])
    book.device(connect)
    book.resolve("203.0.113.5")
    try book.connect()
    book.skipGot()
    book.deviceRaw(try hello(for: "api.example"))
    book.deviceCloses()
    let flow = try book.flow()
    #expect(flow.failure == .truncated)
    #expect(flow.start.facts.address == World.address("203.0.113.5"))
    #expect(flow.start.facts.region.name == "lab-cn")
    book.expectCleanEnd()
  }

  @Test("A reload that forbids an open tunnel ends it before another byte leaves")
  func tunnelAfterReload() throws {
    let book = try Playbook(mode: .block)
    book.device(connect)
    book.resolve("203.0.113.5")
    try book.connect()
    book.skipGot()
    book.device("SSH-2.0-x\r\n")
    #expect(book.serverGot() == "SSH-2.0-x\r\n")
    let watching = rule("not-there", .block) { $0.region = ["lab-cn"] }
    let policy = try PolicySnapshot(
      rules: [watching],
      regions: World.regions,
      settings: PolicySettings(mode: .block, allowSpecialUse: World.documentation)
    )
    try book.context.replace(
      Ruling(policy: policy, plan: World.plan(Limits()), devices: [World.profile])
    )
    book.device("secret")
    #expect(book.serverGot().isEmpty)
    let flow = try book.flow()
    #expect(flow.failure == .opaque)
    #expect(flow.end?.verdict.rule == RuleID("not-there"))
    book.expectCleanEnd()
  }

  @Test("A sinkholed name is no front for another: the hello must name what CONNECT named")
  func frontedSinkhole() throws {
    let book = try Playbook(
      mode: .block,
      rules: [rule("not-there", .block) { $0.region = ["lab-cn"] }]
    )
    book.device(connect)
    book.resolve("203.0.113.5")
    book.skipGot()
    book.deviceRaw(try hello(for: "bank.example"))
    #expect(Array(book.deviceGot().utf8).last == TLSAlert.unrecognizedName)
    #expect(try book.flow().failure == .fronting)
    book.expectCleanEnd()
  }

  @Test("An interim response is recorded, and left out where a rule could block a response")
  func interim() throws {
    for rules in [
      [],
      [
        rule("no-imei", .block) {
          $0.direction = [.response]; $0.finding = ["imei"]
        }
      ],
    ] {
      let book = try Playbook(mode: .block, rules: rules)
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.server("HTTP/1.1 103 Early Hints\r\nLink: </\(World.imei)>\r\n\r\n" + ok)
      #expect(book.deviceGot().contains("103 Early Hints") == rules.isEmpty)
      let heads = book.sink.events.filter { event in
        if case .head(_, .response, .original, let bytes) = event {
          return bytes.text.hasPrefix("HTTP/1.1 103 ")
        }
        return false
      }
      #expect(heads.count == 1)
      book.expectCleanEnd()
    }
  }
}
