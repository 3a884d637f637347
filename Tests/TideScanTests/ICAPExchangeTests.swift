import Testing
import TideCore
import TideProxy

@testable import TideScan

/// Questions that tests ask.
enum Question {
  static func request(_ content: String, url: String = "https://api.example/up") -> ScanRequest {
    ScanRequest(
      scanner: 0,
      flow: FlowID(7),
      device: "redmi",
      client: .v4(0xC000_0209),
      direction: .request,
      url: url,
      request: MessageHead(
        start: .request(method: "POST", target: "/up"),
        fields: HeaderFields([("Host", "api.example"), ("Content-Type", "text/plain")])
      ),
      response: nil,
      content: Bytes(content)
    )
  }

  static func response(_ content: String, fields: [(String, String)] = []) -> ScanRequest {
    ScanRequest(
      scanner: 0,
      flow: FlowID(7),
      device: "redmi",
      client: .v4(0xC000_0209),
      direction: .response,
      url: "https://api.example/file.bin",
      request: MessageHead(
        start: .request(method: "GET", target: "/file.bin"),
        version: .http2,
        fields: HeaderFields([("accept", "*/*")])
      ),
      response: MessageHead(
        start: .response(status: 200, reason: "OK"),
        fields: HeaderFields(fields + [("Transfer-Encoding", "chunked")])
      ),
      content: Bytes(content)
    )
  }

  static func settings(
    _ direction: Direction,
    port: Int = 1_344,
    timeout: UInt64 = 5
  ) -> ICAPSettings {
    ICAPSettings(
      name: "av",
      host: "127.0.0.1",
      port: UInt16(clamping: port),
      service: "/scan",
      direction: direction,
      timeout: timeout * 1_000_000_000,
      onError: .block
    )
  }

  static func options(_ lines: String...) throws(ScanFailure) -> ICAPOptions {
    var parser = ICAPParser(contentLimit: 0)
    let text = "ICAP/1.0 200 OK\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    guard let response = try parser.receive(Bytes(text)) else { return ICAPOptions() }
    return try ICAPOptions(response, for: "REQMOD")
  }
}

@Suite("ICAP exchanges") struct ICAPExchangeTests {
  private func exchange(_ request: ScanRequest, _ options: ICAPOptions) -> ICAPExchange {
    ICAPExchange(
      request,
      to: Question.settings(request.direction),
      options,
      contentLimit: 1_000
    )
  }

  @Test("REQMOD encapsulates the request as a proxy has it, with the offsets of its parts")
  func requestModification() throws {
    let text = self.exchange(Question.request("hello"), ICAPOptions()).opening.text
    let head =
      "POST https://api.example/up HTTP/1.1\r\nHost: api.example\r\nContent-Type: text/plain\r\n\r\n"
    #expect(
      text
        == "REQMOD icap://127.0.0.1:1344/scan ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n"
        + "X-Client-IP: 192.0.2.9\r\nEncapsulated: req-hdr=0, req-body=\(head.utf8.count)\r\n\r\n"
        + head + "5\r\nhello\r\n0\r\n\r\n"
    )
  }

  @Test("RESPMOD has both heads, without the framing of the wire; HTTP/2's request gets a Host")
  func responseModification() throws {
    let text = self.exchange(Question.response(""), ICAPOptions()).opening.text
    let asked =
      "GET https://api.example/file.bin HTTP/1.1\r\nHost: api.example\r\naccept: */*\r\n\r\n"
    let got = "HTTP/1.1 200 OK\r\n\r\n"
    #expect(
      text.hasSuffix(
        "Encapsulated: req-hdr=0, res-hdr=\(asked.utf8.count), "
          + "null-body=\(asked.utf8.count + got.utf8.count)\r\n\r\n\(asked)\(got)"
      )
    )
  }

  @Test(
    "Content longer than the preview waits for 100 Continue; shorter content says that it is all"
  )
  func preview() throws {
    let options = try Question.options("Preview: 4", "Allow: 204")
    var long = self.exchange(Question.request("hello"), options)
    #expect(long.opening.text.contains("\r\nPreview: 4\r\n"))
    #expect(long.opening.text.contains("\r\nAllow: 204\r\n"))
    #expect(long.opening.text.hasSuffix("\r\n4\r\nhell\r\n0\r\n\r\n"))
    guard case .send(let rest) = try long.receive("ICAP/1.0 100 Continue\r\n\r\n") else {
      Issue.record("the rest is sent")
      return
    }
    #expect(rest == "1\r\no\r\n0\r\n\r\n")
    guard case .done(let answer, true) = try long.receive("ICAP/1.0 204 No Content\r\n\r\n") else {
      Issue.record("it is over")
      return
    }
    #expect(answer.status == 204)
    let short = self.exchange(Question.request("hell"), options)
    #expect(short.opening.text.hasSuffix("\r\n4\r\nhell\r\n0; ieof\r\n\r\n"))
    let none = self.exchange(Question.request("hello"), try Question.options("Preview: 0"))
    #expect(none.opening.text.hasSuffix("\r\n\r\n0\r\n\r\n"))
  }

  @Test("100 Continue without a preview, twice, or with more behind it is a mistake")
  func oddContinue() throws {
    var whole = self.exchange(Question.request("hello"), ICAPOptions())
    #expect(throws: ScanFailure.self) { _ = try whole.receive("ICAP/1.0 100 Continue\r\n\r\n") }
    var twice = self.exchange(Question.request("hello"), try Question.options("Preview: 1"))
    _ = try twice.receive("ICAP/1.0 100 Continue\r\n\r\n")
    #expect(throws: ScanFailure.self) { _ = try twice.receive("ICAP/1.0 100 Continue\r\n\r\n") }
    var hasty = self.exchange(Question.request("hello"), try Question.options("Preview: 1"))
    #expect(throws: ScanFailure.self) {
      _ = try hasty.receive("ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 204 No\r\n\r\n")
    }
  }

  @Test("A connection is not used again after Connection: close, or with more behind the answer")
  func reuse() throws {
    for (answer, expected) in [
      ("ICAP/1.0 204 No\r\n\r\n", true), ("ICAP/1.0 204 No\r\nConnection: close\r\n\r\n", false),
      ("ICAP/1.0 204 No\r\n\r\nICAP", false),
    ] {
      var exchange = self.exchange(Question.request("hello"), ICAPOptions())
      guard case .done(_, let isReusable) = try exchange.receive(Bytes(answer)) else {
        Issue.record("it is over")
        continue
      }
      #expect(isReusable == expected, "\(answer)")
    }
  }

  @Test("OPTIONS: methods, limits and how the content of each kind of file goes")
  func options() throws {
    let options = try Question.options(
      "Methods: RESPMOD, REQMOD",
      "Preview: 1024",
      "Allow: 204, 206",
      "Max-Connections: 3",
      "Options-TTL: 60",
      "ISTag: \"a\"",
      "Transfer-Preview: *",
      "Transfer-Ignore: jpg, PNG",
      "Transfer-Complete: exe"
    )
    #expect(options.preview == 1_024)
    #expect(options.allows204)
    #expect(options.maxConnections == 3)
    #expect(options.lifetime == 60)
    #expect(options.transfer(of: "https://a.example/x/y.png?z=1.exe") == .ignore)
    #expect(options.transfer(of: "https://a.example/setup.EXE") == .complete)
    #expect(options.transfer(of: "https://a.example/") == .preview)
    #expect(throws: ScanFailure.self) { _ = try Question.options("Methods: RESPMOD") }
    let odd = try Question.options("Preview: -1", "Max-Connections: 0", "Options-TTL: many")
    #expect(odd.preview == nil)
    #expect(odd.maxConnections == 1)
    #expect(odd.lifetime == 3_600)
  }

  // MARK: Verdicts

  private func verdict(
    _ request: ScanRequest,
    _ fields: [(String, String)],
    head: MessageHead?,
    _ content: Bytes = Bytes(),
    status: Int = 200
  ) throws(ScanFailure) -> String {
    var response = ICAPResponse(status: status, fields: HeaderFields(fields))
    response.head = head
    response.content = content
    let answer = try ICAPVerdict.of(response, to: request)
    #expect(answer.findings.isEmpty)
    switch answer.verdict {
    case .pass: return "pass"
    case .refuse(let reason): return "refuse \(reason)"
    case .replace(let head, let content): return "replace \(head.status) \(content)"
    }
  }

  private let forbidden = MessageHead(
    start: .response(status: 403, reason: "Forbidden"),
    fields: HeaderFields()
  )

  @Test("A threat that is named refuses; another message without one replaces; the same one passes")
  func verdicts() throws {
    let got = Question.response("body", fields: [("Content-Type", "text/plain")])
    let found = [("X-Infection-Found", "Type=0; Resolution=2; Threat=Eicar-Signature;")]
    #expect(try self.verdict(got, found, head: self.forbidden, "no") == "refuse Eicar-Signature")
    #expect(try self.verdict(got, [], head: self.forbidden, "no") == "replace 403 no")
    let same = MessageHead(
      start: .response(status: 200, reason: "OK"),
      fields: HeaderFields([("Via", "1.0 icap"), ("content-type", "text/plain")])
    )
    #expect(try self.verdict(got, [], head: same, "body") == "pass")
    #expect(try self.verdict(got, [], head: same, "other") == "replace 200 other")
    #expect(try self.verdict(got, [], head: nil, status: 204) == "pass")
    let asked = Question.request("body")
    #expect(try self.verdict(asked, [], head: self.forbidden).hasPrefix("refuse "))
  }

  @Test("A service changes no request's way, and its complaints are failures")
  func failures() {
    let asked = Question.request("body")
    let elsewhere = MessageHead(
      start: .request(method: "POST", target: "https://else.example/up"),
      fields: HeaderFields()
    )
    #expect(throws: ScanFailure.self) { _ = try self.verdict(asked, [], head: elsewhere) }
    #expect(throws: ScanFailure.self) { _ = try self.verdict(asked, [], head: nil) }
    #expect(throws: ScanFailure.self) { _ = try self.verdict(asked, [], head: nil, status: 500) }
    let got = Question.response("body")
    #expect(throws: ScanFailure.self) { _ = try self.verdict(got, [], head: elsewhere) }
  }
}
