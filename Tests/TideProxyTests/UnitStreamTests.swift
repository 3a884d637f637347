import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }
private let request = "GET /events HTTP/1.1\r\nHost: api.example\r\n\r\n"
private let head =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

extension String {
  /// The content of chunks that come after their head.
  fileprivate var joined: String { ("\r\n\r\n" + self).unchunked }
}

private func chunk(_ text: String) -> String {
  String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n"
}

/// Streams of events and lines: each passes once it is whole, and no later than that.
@Suite struct UnitStreamTests {
  @Test("The first event arrives before the last is sent, in each mode", arguments: Mode.allCases)
  func firstBeforeLast(mode: Mode) throws {
    for rules in [[], [redacting], [blocking]] {
      let book = try Playbook(mode: mode, rules: rules)
      try book.tunnel()
      book.device(request)
      book.server(head)
      #expect(book.deviceGot().hasSuffix("\r\n\r\n"), "the head does not wait")
      for number in 1...3 {
        book.server(chunk("data: \(number)\n\n"))
        #expect(book.deviceGot().joined == "data: \(number)\n\n")
      }
      book.server("0\r\n\r\n")
      #expect(book.downstreamClose == nil)
      #expect(try book.flow().failure == nil)
      book.expectCleanEnd()
    }
  }

  @Test(
    "Under a redact rule an event is held until it is whole, then passes redacted",
    arguments: Cut.allCases
  )
  func redactEvent(cut: Cut) throws {
    let book = try Playbook(mode: .redact, rules: [redacting])
    try book.tunnel()
    book.device(request)
    book.server(head + chunk("data: one\n\n"), in: cut)
    #expect(book.deviceGot().unchunked == "data: one\n\n")
    book.server(chunk("data: imei=\(World.imei)\n"), in: cut)
    #expect(book.deviceGot().isEmpty)
    book.server(chunk("\n"), in: cut)
    let event = book.deviceGot().joined
    #expect(event.hasPrefix("data: imei=") && event.utf8.count == "data: imei=\n\n".count + 15)
    #expect(!event.contains(World.imei))
    book.server(chunk("data: three\r\n\r\n") + "0\r\n\r\n", in: cut)
    #expect(book.deviceGot().joined == "data: three\r\n\r\n")
    let flow = try book.flow()
    #expect(flow.responseBody.contains(World.imei))
    #expect(flow.end?.verdict.applied == .redact)
    #expect(flow.failure == nil)
    book.expectCleanEnd()
  }

  @Test("A blocked event cuts the stream; those before it have passed", arguments: Cut.allCases)
  func blockEvent(cut: Cut) throws {
    let book = try Playbook(mode: .block, rules: [blocking])
    try book.tunnel()
    book.device(request)
    book.server(head + chunk("data: one\n\n"), in: cut)
    #expect(book.deviceGot().unchunked == "data: one\n\n")
    book.server(chunk("data: imei=\(World.imei)\n\n"), in: cut)
    #expect(!book.deviceGot().contains("=4"))
    #expect(book.downstreamClose == .abort)
    #expect(try book.flow().failure == .blockedByRule)
    book.expectCleanEnd()
  }

  @Test("With hold: body an event stream waits for its end", arguments: Cut.allCases)
  func holdBody(cut: Cut) throws {
    let holding = rule("imei", .block, holdsBody: true) { $0.finding = ["imei"] }
    let book = try Playbook(mode: .block, rules: [holding])
    try book.tunnel()
    book.device(request)
    book.server(head + chunk("data: one\n\n") + chunk("data: two\n\n"), in: cut)
    #expect(book.deviceGot().isEmpty)
    book.server("0\r\n\r\n", in: cut)
    #expect(book.deviceGot().unchunked == "data: one\n\ndata: two\n\n")
    book.expectCleanEnd()
  }

  @Test("An event over the hold limit follows otherwise", arguments: [Action.block, .allow])
  func overHoldLimit(otherwise: Action) throws {
    var limits = Limits()
    limits.holdBytes = 100
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let book = try Playbook(mode: .redact, rules: [redacting], limits: limits)
    try book.tunnel()
    book.device(request)
    book.server(head + chunk("data: one\n\n"))
    #expect(book.deviceGot().contains("data: one\n\n"))
    let large = "data: " + String(repeating: "z", count: 200) + "\n\n"
    book.server(chunk(large), in: .pieces)
    if otherwise == .block {
      #expect(book.downstreamClose == .abort)
      #expect(try book.flow().failure == .notRedactable)
    } else {
      #expect(book.deviceGot().contains("zz"))
      book.server(chunk("data: end\n\n") + "0\r\n\r\n")
      #expect(book.deviceGot().contains("data: end\n\n"))
    }
    book.expectCleanEnd()
  }

  @Test("Lines of NDJSON leave one by one, each redacted by itself", arguments: Cut.allCases)
  func lines(cut: Cut) throws {
    let book = try Playbook(mode: .redact, rules: [redacting])
    try book.tunnel()
    book.device(
      "POST /up HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/x-ndjson\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n",
      in: cut
    )
    #expect(book.serverGot().hasPrefix("POST /up "))
    book.device(chunk("{\"n\":1}\n"), in: cut)
    #expect(book.serverGot().joined == "{\"n\":1}\n")
    book.device(chunk("{\"imei\":\"\(World.imei)\"}\n{\"n\":"), in: cut)
    let second = book.serverGot().joined
    #expect(second.hasPrefix("{\"imei\":\"") && second.hasSuffix("\"}\n"))
    #expect(second.count == 27 && !second.contains(World.imei))
    book.device(chunk("3}") + "0\r\n\r\n", in: cut)
    #expect(book.serverGot().joined == "{\"n\":3}")
    let flow = try book.flow()
    #expect(flow.findings.count == 1)
    #expect(!flow.sentBody.contains(World.imei))
    book.expectCleanEnd()
  }

  @Test(
    "Lines over HTTP/2 leave one by one, and a blocked one answers its stream",
    arguments: Cut.allCases
  )
  func blockLine(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let up = play.open("POST", "/up", [("content-type", "application/x-ndjson")])
    play.upload("{\"n\":1}\n", on: up)
    #expect(play.asked[0].text == "{\"n\":1}\n")
    play.upload("{\"imei\":\"\(World.imei)\"}\n", on: up)
    #expect(play.asked[0].reset == .cancel)
    #expect(!play.asked[0].text.contains("490154"))
    #expect(play.answer(up).status == 451)
    let exposure = try #require(try play.book.flow().end?.exposure)
    #expect((8..<20).contains(exposure))
    play.expectCleanEnd()
  }

  @Test("An event stream that is not idle lasts for an hour")
  func hour() throws {
    let book = try Playbook(mode: .redact, rules: [redacting])
    try book.tunnel()
    book.device(request)
    book.server(head)
    book.skipGot()
    for minute in 0..<60 {
      book.tick(afterSeconds: 60)
      book.server(chunk("data: \(minute)\n\n"))
      #expect(book.deviceGot().joined == "data: \(minute)\n\n")
    }
    book.server("0\r\n\r\n")
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }
}
