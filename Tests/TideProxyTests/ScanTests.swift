import Testing
import TideCoding
import TideCore
import TidePolicy

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

@Suite struct ScanTests {
  private func post(_ body: String) -> String {
    "POST /up HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private func book(
    _ cut: Cut = .whole,
    mode: Mode = .block,
    by scanner: FakeScanner = FakeScanner(directions: [.request]),
    rules: [Rule] = [],
    limits: Limits = Limits()
  ) throws -> Playbook {
    let book = try Playbook(cut, mode: mode, rules: rules, limits: limits, scanners: [scanner])
    try book.tunnel()
    return book
  }

  @Test(
    "A request is held whole until its scanner has answered, then goes on as it was",
    arguments: Cut.allCases
  )
  func holds(cut: Cut) throws {
    let book = try self.book(cut)
    book.device(self.post("hello"))
    #expect(book.scans.count == 1)
    #expect(book.serverGot().isEmpty)
    let asked = try #require(book.scans.first?.request)
    #expect(asked.content == "hello")
    #expect(asked.url == "https://api.example/up")
    #expect(asked.direction == .request)
    #expect(asked.device == "redmi")
    book.scanner()
    #expect(book.serverGot() == self.post("hello"))
    book.server(ok)
    #expect(book.deviceGot() == ok)
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A response is held whole until its scanner has answered, its server gone or not",
    arguments: Cut.allCases
  )
  func holdsResponse(cut: Cut) throws {
    for closes in [false, true] {
      let book = try self.book(cut, by: FakeScanner(directions: [.response]))
      book.device(self.post("hello"))
      #expect(book.serverGot() == self.post("hello"))
      book.server(chunked)
      if closes { book.serverCloses() }
      #expect(book.deviceGot().isEmpty)
      #expect(book.scans.first?.request.content == "ok")
      #expect(book.scans.first?.request.response?.status == 200)
      book.scanner()
      let got = book.deviceGot()
      #expect(got.unchunked.hasSuffix("ok"))
      #expect(got.contains("Connection: close") == closes)
      #expect(try book.flow().failure == nil)
      book.expectCleanEnd()
    }
  }

  @Test(
    "A refusal is answered with 451 and names the scanner; no byte has left",
    arguments: [Mode.redact, .block]
  )
  func refuses(mode: Mode) throws {
    let book = try self.book(mode: mode)
    book.device(self.post("malware"))
    book.scanner(.refuse(reason: "Eicar-Signature"))
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(book.serverGot().isEmpty)
    let flow = try book.flow()
    #expect(flow.findings.map(\.kind) == [.scanner])
    #expect(flow.findings.map(\.inspector) == ["av"])
    #expect(flow.end?.verdict.rule == RuleID("scanner:av"))
    #expect(flow.end?.verdict.applied == .block)
    #expect(flow.end?.exposure == 0)
    #expect(flow.notes.contains { $0.contains("Eicar-Signature") })
    book.expectCleanEnd()
  }

  @Test(
    "In observe and record a message streams, only its last bytes wait, and a refusal is only recorded",
    arguments: [Mode.observe, .record]
  )
  func records(mode: Mode) throws {
    let book = try self.book(mode: mode, by: FakeScanner())
    book.device("POST /up HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\n")
    book.device("hel")
    #expect(book.serverGot().hasSuffix("\r\n\r\nhel"))
    book.device("lo")
    #expect(book.scans.last?.request.content == "hello")
    #expect(book.serverGot().isEmpty)
    book.scanner(.refuse(reason: "because"))
    #expect(book.serverGot() == "lo")
    book.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    #expect(book.deviceGot().hasSuffix("2\r\nok\r\n"))
    book.server("0\r\n\r\n")
    #expect(book.deviceGot().isEmpty)
    book.scanner(
      .replace(
        MessageHead(start: .response(status: 403, reason: "no"), fields: HeaderFields()),
        content: "no"
      )
    )
    #expect(book.deviceGot() == "0\r\n\r\n")
    let flow = try book.flow()
    #expect(flow.failure == nil)
    #expect(flow.findings.count == 2)
    #expect(flow.end?.verdict.decided == .block)
    #expect(flow.end?.verdict.applied == .log)
    #expect(flow.notes.filter { $0.contains("it passes as it was") }.count == 2)
    book.expectCleanEnd()
  }

  @Test(
    "A scanner that fails stops the message with on_error: block, and lets it pass with bypass; both are noted",
    arguments: ScanErrorPolicy.allCases
  )
  func fails(policy: ScanErrorPolicy) throws {
    let book = try self.book(by: FakeScanner(directions: [.request], onError: policy))
    book.device(self.post("hello"))
    book.scannerFails()
    switch policy {
    case .block:
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 503 "))
      #expect(book.serverGot().isEmpty)
      #expect(try book.flow().failure == .overLimit)
    case .bypass:
      #expect(book.serverGot() == self.post("hello"))
      book.server(ok)
      #expect(book.deviceGot() == ok)
    }
    #expect(
      try book.flow().notes == ["scanner av: connection refused; on_error: \(policy.rawValue)"]
    )
    book.expectCleanEnd()
  }

  @Test("A scanner that never answers is waited for no longer than its time-out and a second")
  func isSilent() throws {
    let book = try self.book()
    book.device(self.post("hello"))
    book.tick(afterSeconds: 5)
    #expect(book.deviceGot().isEmpty)
    book.tick(afterSeconds: 2)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 503 "))
    book.scanner()  // too late: nothing to it
    #expect(book.serverGot().isEmpty)
    book.expectCleanEnd()
  }

  @Test(
    "Content over the hold limit follows on_error, declared or not",
    arguments: ScanErrorPolicy.allCases
  )
  func isTooLarge(policy: ScanErrorPolicy) throws {
    var limits = Limits()
    limits.holdBytes = 1_000
    let body = String(repeating: "z", count: 2_000)
    let messages = [
      self.post(body),
      "POST /up HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "3e8\r\n\(body.prefix(1_000))\r\n3e8\r\n\(body.prefix(1_000))\r\n0\r\n\r\n",
    ]
    for message in messages {
      let book = try self.book(.pieces, by: FakeScanner(onError: policy), limits: limits)
      book.device(message)
      #expect(book.scans.isEmpty)
      switch policy {
      case .block: #expect(book.deviceGot().hasPrefix("HTTP/1.1 503 "))
      case .bypass:
        #expect(book.serverGot().filter { $0 == "z" }.count == 2_000)
        book.server(ok)
        book.scanner()
        #expect(book.deviceGot() == ok)
      }
      #expect(try book.flow().notes.count == 1)
      book.expectCleanEnd()
    }
  }

  @Test("What a scanner finds is judged by the rules, and masked where it says the place")
  func findings() throws {
    let secret = "tok-\\n%41 é0123"
    let found = ScanFinding(
      kind: FindingKind("email"),
      certainty: .likely,
      path: "$.t",
      range: 6..<6 + secret.utf8.count,
      value: Bytes(secret)
    )
    let body = #"{"t":""# + secret + #"","imei":"\#(World.imei)"}"#
    let rules = [rule("mail", .redact) { $0.finding = ["email"] }]
    let blocking = [rule("mail", .block) { $0.finding = ["email"] }]
    for rules in [rules, blocking] {
      let book = try self.book(rules: rules)
      book.device(self.post(body))
      book.scanner(findings: [found])
      let asked = book.serverGot()
      let flow = try book.flow()
      #expect(flow.findings.map(\.path) == ["$.imei", "$.t"])
      #expect(flow.findings.last?.inspector == "av")
      if rules[0].then == .block {
        #expect(asked.isEmpty)
        #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
      } else {
        #expect(asked.contains(#"{"t":"xxx-xxx11 xx1111","imei":""#), "\(asked)")
        #expect(!asked.contains(World.imei), "a redacted message is redacted as a whole")
        #expect(asked.hasSuffix(flow.sentBody))
      }
      book.expectCleanEnd()
    }
  }

  @Test("What is found in coded content is masked under its coding")
  func codedFindings() throws {
    let book = try self.book(rules: [rule("mail", .redact) { $0.finding = ["email"] }])
    let body = Gzip.encode("a secret")
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n"
    )
    book.device(bytes: body)
    #expect(book.scans.last?.request.decodedContent(limit: 100) == "a secret")
    let kind = FindingKind("email")
    book.scanner(findings: [ScanFinding(kind: kind, certainty: .likely, range: 2..<8)])
    let asked = book.serverGotBytes()
    let start = try #require(asked.array.firstRange(of: Array("\r\n\r\n".utf8))).upperBound
    let sent = asked.dropping(first: start)
    let limits = DecodingLimits(decodedBytes: 100, ratio: 100)
    #expect(try Gzip.decode(sent, limits: limits) == "a xxxxxx")
    #expect(asked.text.contains("Content-Length: \(sent.count)\r\n"))
    book.expectCleanEnd()
  }

  @Test(
    "What a scanner finds without saying where cannot be redacted: the rule's otherwise",
    arguments: [Action.block, .allow]
  )
  func findingsNowhere(otherwise: Action) throws {
    let rule = rule("mail", .redact, otherwise: otherwise) { $0.finding = ["email"] }
    let book = try self.book(rules: [rule])
    book.device(self.post("hello"))
    book.scanner(findings: [ScanFinding(kind: FindingKind("email"), certainty: .likely)])
    if otherwise == .block {
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    } else {
      #expect(book.serverGot() == self.post("hello"))
    }
    book.expectCleanEnd()
  }

  @Test(
    "A changed message goes on in its new form, framed anew, and is recorded",
    arguments: Cut.allCases
  )
  func replaces(cut: Cut) throws {
    let book = try self.book(cut, by: FakeScanner())
    book.device(
      "POST /up HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    book.scanner(
      .replace(
        MessageHead(
          start: .request(method: "POST", target: "https://else.example/"),
          fields: HeaderFields([("Host", "api.example"), ("X-Scanned", "yes")])
        ),
        content: "bye"
      )
    )
    #expect(
      book.serverGot()
        == "POST /up HTTP/1.1\r\nHost: api.example\r\nX-Scanned: yes\r\ncontent-length: 3\r\n\r\nbye"
    )
    book.server(chunked)
    book.scanner(
      .replace(
        MessageHead(
          start: .response(status: 403, reason: "Forbidden"),
          fields: HeaderFields([("Content-Type", "text/plain")])
        ),
        content: "no"
      )
    )
    #expect(
      book.deviceGot()
        == "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\ncontent-length: 2\r\n\r\nno"
    )
    let flow = try book.flow()
    #expect(flow.requestBody == "hello")
    #expect(flow.sentBody == "bye")
    #expect(flow.sentHead.contains("X-Scanned: yes"))
    #expect(flow.end?.status == 403)
    #expect(flow.end?.verdict.applied == .redact)
    book.expectCleanEnd()
  }

  @Test(
    "A changed message is looked through again: a scanner puts back nothing that a rule wants replaced"
  )
  func replacesIdentifier() throws {
    let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
    let book = try self.book(mode: .redact, rules: [redacting])
    book.device(self.post("nothing here"))
    book.scanner(
      .replace(
        MessageHead(
          start: .request(method: "POST", target: "/up"),
          fields: HeaderFields([("Host", "api.example")])
        ),
        content: Bytes(#"{"imei":"\#(World.imei)"}"#)
      )
    )
    let asked = book.serverGot()
    #expect(asked.contains(#"{"imei":""#))
    #expect(!asked.contains(World.imei))
    book.expectCleanEnd()
  }

  @Test("Scanners are asked one after the other, each about what the one before made of it")
  func several() throws {
    let book = try Playbook(
      mode: .block,
      scanners: [FakeScanner(name: "a", directions: [.request]), FakeScanner(name: "b")]
    )
    try book.tunnel()
    book.device(self.post("hello"))
    #expect(book.scans.map(\.request.scanner) == [0])
    book.scanner(
      .replace(
        MessageHead(
          start: .request(method: "POST", target: "/up"),
          fields: HeaderFields([("Host", "api.example")])
        ),
        content: "bye"
      )
    )
    #expect(book.scans.map(\.request.scanner) == [0, 1])
    #expect(book.scans.last?.request.content == "bye")
    book.scanner()
    #expect(book.serverGot().hasSuffix("bye"))
    book.server(ok)
    #expect(book.scans.map(\.request.scanner) == [0, 1, 1])
    book.scanner()
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test(
    "A request without content is shown too, in every mode, and waits",
    arguments: Mode.allCases
  )
  func isBare(mode: Mode) throws {
    let book = try self.book(mode: mode, by: FakeScanner())
    let get = "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
    for _ in 0..<2 {
      book.device(get)
      #expect(book.serverGot().isEmpty)
      book.scanner()
      #expect(book.serverGot() == get)
      book.server("HTTP/1.1 304 Not Modified\r\n\r\n")
      #expect(book.deviceGot().isEmpty)
      book.scanner()
      #expect(book.deviceGot() == "HTTP/1.1 304 Not Modified\r\n\r\n")
    }
    #expect(book.flows.allSatisfy { $0.failure == nil })
    book.expectCleanEnd()
  }

  @Test("A device that leaves while a scanner is asked ends its flow, with a note")
  func deviceLeaves() throws {
    let book = try self.book()
    book.device(self.post("hello"))
    book.deviceCloses(.reset)
    book.scanner()
    #expect(book.serverGot().isEmpty)
    #expect(try book.flow().failure == .truncated)
    #expect(try book.flow().notes.count == 1)
    book.expectCleanEnd()
  }

  @Test("A device that only ends its side still gets its answer")
  func halfClose() throws {
    let book = try Playbook(mode: .block, scanners: [FakeScanner()])
    book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.deviceCloses(.end)
    book.scanner()
    book.server(ok)
    book.scanner()
    #expect(book.deviceGot().hasSuffix("ok"))
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test("What goes nowhere is shown for its findings alone: a sinkhole answers by its rule")
  func sinkhole() throws {
    let rule = rule("cn", .block) { $0.region = ["lab-cn"] }
    let book = try Playbook(mode: .block, rules: [rule], scanners: [FakeScanner()])
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    book.resolve("203.0.113.7")
    book.skipGot()
    try book.deviceHandshake("api.example")
    book.device(self.post("hello"))
    book.scanner(.refuse(reason: "because"))
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(try book.flow().end?.verdict.rule == RuleID("cn"))
    #expect(try book.flow().findings.count == 1)
    book.expectCleanEnd()
  }

  @Test(
    "WebSocket messages are shown to nobody, which is noted; a response that makes none is shown"
  )
  func webSocket() throws {
    let book = try self.book(by: FakeScanner())
    let play = SocketPlay(book, nil)
    play.ask()
    book.server(SocketPlay.agreement + "\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 101 "))
    #expect(book.scans.isEmpty)
    #expect(try book.flow().notes.count == 1)
    book.expectCleanEnd()

    let other = try self.book(by: FakeScanner())
    SocketPlay(other, nil).ask()
    other.server(ok)
    #expect(other.scans.map(\.request.direction) == [.response])
    #expect(other.deviceGot().isEmpty)
    other.scanner()
    #expect(other.deviceGot() == ok)
    #expect(try other.flow().notes.isEmpty)
    other.expectCleanEnd()
  }
}
