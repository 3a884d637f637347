import Testing
import TideCoding
import TideCore
import TidePolicy

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct RuleTests {
  private func post(_ body: String, _ fields: String = "", path: String = "/up") -> String {
    "POST \(path) HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/json\r\n\(fields)"
      + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
  private let blocking = rule("imei", .block) { $0.finding = ["imei"] }

  @Test(
    "A redacted JSON body is held, replaced at equal length, and both versions are recorded",
    arguments: Cut.allCases
  )
  func redactBody(cut: Cut) throws {
    let book = try Playbook(cut, mode: .redact, rules: [self.redacting])
    try book.tunnel()
    let body = #"{"d":{"imei":"\#(World.imei)","n":1}}"#
    book.device(self.post(body))
    let asked = book.serverGot()
    #expect(!asked.contains(World.imei))
    let sent = String(asked.suffix(body.count))
    #expect(sent.hasPrefix(#"{"d":{"imei":""#))
    #expect(sent.hasSuffix(#"","n":1}}"#))
    #expect(asked.contains("Content-Length: \(body.count)\r\n"))
    book.server(ok)
    #expect(book.deviceGot() == ok)
    let flow = try book.flow()
    #expect(flow.requestBody == body)
    #expect(flow.sentBody == sent)
    #expect(flow.sentHead.hasPrefix("POST /up HTTP/1.1\r\n"))
    #expect(flow.findings.map(\.path) == ["$.d.imei"])
    #expect(flow.end?.verdict.applied == .redact)
    book.expectCleanEnd()
  }

  @Test("A chunked body is redacted too, chunk borders or not", arguments: Cut.allCases)
  func redactChunked(cut: Cut) throws {
    let book = try Playbook(cut, mode: .redact, rules: [self.redacting])
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "d\r\n{\"imei\":\"4901\r\nd\r\n54203237518\"}\r\n0\r\n\r\n"
    )
    let asked = book.serverGot()
    #expect(asked.unchunked.count == 26)
    #expect(!asked.contains("237518"))
    book.expectCleanEnd()
  }

  @Test(
    "Path, query, header and cookie are redacted, in origin-form and absolute-form",
    arguments: Cut.allCases
  )
  func redactHead(cut: Cut) throws {
    let fields = "X-Imei: \(World.imei)\r\nCookie: a=1; i=\(World.imei)\r\n"
    for isSecure in [true, false] {
      for path in ["/p/\(World.imei)/x?i=\(World.imei)", "/?i=\(World.imei)"] {
        let book = try Playbook(cut, mode: .redact, rules: [self.redacting])
        if isSecure {
          try book.tunnel()
          book.device("GET \(path) HTTP/1.1\r\nHost: api.example\r\n\(fields)\r\n")
        } else {
          book.device(
            "GET http://api.example\(path) HTTP/1.1\r\nHost: api.example\r\n\(fields)\r\n"
          )
          try book.way()
        }
        let asked = book.serverGot()
        #expect(!asked.contains(World.imei), "\(path)")
        #expect(asked.hasPrefix("GET /"))
        #expect(asked.contains("\r\nX-Imei: "))
        #expect(asked.contains("\r\nCookie: a=1; i="))
        #expect(
          asked.firstRange(of: " HTTP/1.1")?.lowerBound.utf16Offset(in: asked)
            == 4 + path.count
        )
        let flow = try book.flow()
        #expect(flow.requestHead.contains(World.imei), "the original is evidence")
        #expect(!flow.sentHead.isEmpty && !flow.sentHead.contains(World.imei))
        book.expectCleanEnd()
      }
    }
  }

  @Test("A query straight after the host is redacted or stopped, never sent as it was")
  func redactBareQuery() throws {
    let book = try Playbook(mode: .redact, rules: [self.redacting])
    book.device("GET http://api.example?i=\(World.imei) HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    #expect(!book.serverGot().contains(World.imei))
    book.expectCleanEnd()
  }

  @Test(
    "A body over the hold limit follows the rule's otherwise",
    arguments: [Action.block, .allow]
  )
  func overHoldLimit(otherwise: Action) throws {
    var limits = Limits()
    limits.holdBytes = 1_000
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let book = try Playbook(.pieces, mode: .redact, rules: [redacting], limits: limits)
    try book.tunnel()
    let body = String(repeating: "z", count: 3_000) + World.imei
    book.device(self.post(body))
    let flow = try book.flow()
    if otherwise == .block {
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
      #expect(book.serverGot().isEmpty)
      #expect(flow.failure == .notRedactable)
      #expect(flow.end?.exposure == 0)
    } else {
      #expect(book.serverGot().hasSuffix(body))
      #expect(flow.notes.count == 1)
      book.server(ok)
      #expect(book.deviceGot() == ok)
    }
    book.expectCleanEnd()
  }

  @Test("What cannot be inspected is let pass by otherwise: allow, and noted once")
  func unknownCoding() throws {
    let redacting = rule("imei", .redact, otherwise: .allow) { $0.finding = ["imei"] }
    let book = try Playbook(.pieces, mode: .redact, rules: [redacting])
    try book.tunnel()
    let body = String(repeating: "z", count: 500)
    book.device(self.post(body, "Content-Encoding: zstd\r\n"))
    #expect(book.serverGot().hasSuffix(body))
    #expect(try book.flow().notes.filter { $0.contains("otherwise") }.count == 1)
    book.expectCleanEnd()
  }

  @Test(
    "A block by finding stops at the match: no byte of it leaves, however it was split",
    arguments: Cut.allCases
  )
  func blockWindow(cut: Cut) throws {
    let book = try Playbook(cut, mode: .block, rules: [self.blocking])
    try book.tunnel()
    let body = #"{"a":""# + String(repeating: "z", count: 6_000) + #"","imei":"\#(World.imei)"}"#
    book.device(self.post(body))
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(book.upstreamClose == .abort)
    let asked = book.serverGot()
    #expect(!asked.contains("imei\":\"4"))
    let flow = try book.flow()
    #expect(flow.failure == .blockedByRule)
    let sent = asked.firstRange(of: "\r\n\r\n").map { asked[$0.upperBound...].utf8.count } ?? 0
    let exposure = try #require(flow.end?.exposure)
    #expect(UInt64(sent) <= exposure)
    #expect(exposure <= UInt64(body.utf8.count - World.imei.count - 2))
    #expect(flow.end?.verdict.decided == .block)
    book.expectCleanEnd()
  }

  @Test("No piece of a match leaves, wherever two reads divide the body")
  func everySplit() throws {
    let body = #"{"a":""# + String(repeating: "z", count: 2_500) + #"","imei":"\#(World.imei)"}"#
    let request = Array(self.post(body).utf8)
    let first = request.count - 24
    for split in first..<request.count {
      let book = try Playbook(mode: .block, rules: [self.blocking])
      book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.resolve("192.0.2.7")
      try book.connect(as: "api.example")
      try book.deviceHandshake("api.example")
      book.skipGot()
      book.device(String(decoding: request[..<split], as: UTF8.self))
      book.device(String(decoding: request[split...], as: UTF8.self))
      #expect(!book.serverGot().contains("imei\":\"4"))
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    }
  }

  @Test("With hold: body nothing of a blocked request leaves", arguments: Cut.allCases)
  func holdBody(cut: Cut) throws {
    let blocking = rule("imei", .block, holdsBody: true) { $0.finding = ["imei"] }
    let book = try Playbook(cut, mode: .block, rules: [blocking])
    try book.tunnel()
    book.device(self.post(String(repeating: "z", count: 6_000) + " imei=\(World.imei) "))
    #expect(book.serverGot().isEmpty)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(try book.flow().end?.exposure == 0)
    book.expectCleanEnd()
  }

  @Test(
    "A size rule counts a chunked body and stops it when it reaches the figure",
    arguments: Cut.allCases
  )
  func sizeRule(cut: Cut) throws {
    let blocking = rule("uploads", .block) {
      $0.method = ["POST"]
      $0.size = [SizeCondition(relation: .atLeast, bytes: 10)]
    }
    let book = try Playbook(cut, mode: .block, rules: [blocking])
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    #expect(book.serverGot().unchunked == "hello")
    book.device("5\r\nworld\r\n0\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    let exposure = try #require(try book.flow().end?.exposure)
    #expect((5..<10).contains(exposure))
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 10\r\n\r\n")
    book.expectCleanEnd()
  }

  @Test(
    "A rule on responses blocks an answer: a page if its head is held, else a cut",
    arguments: [true, false]
  )
  func responseRule(holds: Bool) throws {
    let blocking = rule("imei-back", .block, holdsBody: holds) {
      $0.direction = [.response]
      $0.finding = ["imei"]
    }
    let book = try Playbook(mode: .block, rules: [blocking])
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    let body = #"{"imei":"\#(World.imei)"}"#
    book.server(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
    )
    let got = book.deviceGot()
    #expect(!got.contains(World.imei))
    if holds {
      #expect(got.hasPrefix("HTTP/1.1 451 "))
    } else {
      #expect(book.downstreamClose == .abort)
    }
    #expect(try book.flow().failure == .blockedByRule)
    book.expectCleanEnd()
  }

  @Test(
    "Record mode changes nothing and records what would have been done",
    arguments: Cut.allCases
  )
  func recordMode(cut: Cut) throws {
    let book = try Playbook(cut, rules: [self.blocking])
    try book.tunnel()
    let request = self.post(#"{"imei":"\#(World.imei)"}"#)
    book.device(request)
    #expect(book.serverGot() == request)
    book.server(ok)
    #expect(book.deviceGot() == ok)
    let flow = try book.flow()
    #expect(flow.end?.verdict.decided == .block)
    #expect(flow.end?.verdict.applied == .log)
    #expect(flow.end?.verdict.rule == RuleID("imei"))
    #expect(flow.end?.findings == 1)
    #expect(flow.end?.exposure == nil)
    book.expectCleanEnd()
  }

  @Test("Observe mode keeps findings but neither heads nor bodies")
  func observeMode() throws {
    let book = try Playbook(mode: .observe, rules: [self.blocking])
    try book.tunnel()
    book.device(self.post(#"{"imei":"\#(World.imei)"}"#))
    book.server(ok)
    let flow = try book.flow()
    #expect(flow.requestHead.isEmpty && flow.requestBody.isEmpty && flow.responseBody.isEmpty)
    #expect(flow.findings.count == 1)
    book.expectCleanEnd()
  }

  @Test(
    "A compressed body is redacted inside its coding, and Content-Length is that of the new one",
    arguments: Cut.allCases
  )
  func redactCompressed(cut: Cut) throws {
    let book = try Playbook(cut, mode: .redact, rules: [self.redacting])
    try book.tunnel()
    // The note repeats most of the value, so that it compresses worse once the value is another.
    let plain = #"{"imei":"\#(World.imei)","note":"49015420323751 49015420323751 4901542032375"}"#
    let body = Gzip.encode(Bytes(plain))
    var request: Bytes =
      "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Encoding: gzip\r\nContent-Length: "
    request.append(Bytes("\(body.count)\r\n\r\n"))
    request.append(body)
    book.device(bytes: request)
    let asked = Bytes(book.serverText)
    let end = try #require(asked.text.firstRange(of: "\r\n\r\n"))
    let head = String(asked.text[..<end.upperBound])
    let sent = asked.dropping(first: head.utf8.count)
    #expect(head.contains("\r\nContent-Length: \(sent.count)\r\n"))
    let decoded = try Gzip.decode(sent, limits: DecodingLimits(decodedBytes: 1_000, ratio: 100))
      .text
    #expect(decoded.count == plain.count)
    #expect(decoded.hasPrefix(#"{"imei":""#))
    #expect(!decoded.contains(World.imei))
    book.server(ok)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test("Where an answer has to be read, no coding is asked for that cannot be taken off")
  func readableAnswers() throws {
    let redacting = rule("imei-back", .redact) {
      $0.direction = [.response]
      $0.finding = ["imei"]
    }
    for (mode, expected) in [(Mode.redact, "gzip"), (.record, "br, gzip")] {
      let book = try Playbook(mode: mode, rules: [redacting])
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\nAccept-Encoding: br, gzip\r\n\r\n")
      #expect(book.serverGot().contains("\r\nAccept-Encoding: \(expected)\r\n"))
      book.server(ok)
      book.expectCleanEnd()
    }
  }

  @Test(
    "An answer is redacted on its way to the device where a rule says so",
    arguments: Cut.allCases
  )
  func redactResponse(cut: Cut) throws {
    let redacting = rule("imei-back", .redact) {
      $0.direction = [.response]
      $0.finding = ["imei"]
    }
    let book = try Playbook(cut, mode: .redact, rules: [redacting])
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    let body = #"{"imei":"\#(World.imei)"}"#
    book.server(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
    )
    let got = book.deviceGot()
    #expect(got.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(!got.contains(World.imei))
    #expect(got.hasSuffix("\"}"))
    #expect(book.downstreamClose == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A trailer with an identifier goes on with a pseudonym where it is to be redacted",
    arguments: Cut.allCases
  )
  func trailer(cut: Cut) throws {
    let book = try Playbook(cut, mode: .redact, rules: [self.redacting])
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "2\r\nhi\r\n0\r\nX-Imei: \(World.imei)\r\n\r\n"
    )
    let asked = book.serverGot()
    #expect(asked.unchunked == "hi")
    #expect(asked.contains("\r\n0\r\nX-Imei: "))
    #expect(asked.hasSuffix("\r\n\r\n"))
    #expect(!asked.contains(World.imei))
    book.expectCleanEnd()
  }
}
