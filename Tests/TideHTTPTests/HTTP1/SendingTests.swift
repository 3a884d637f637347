import TideCore
import TideHTTP
import Testing

@Suite struct SendingTests {
  /// A response head with these fields.
  static func response(_ status: Int, _ fields: [(String, String)]) -> MessagePart {
    let start = StartLine.response(status: status, reason: "X")
    return .head(MessageHead(start: start, fields: HeaderFields(fields)))
  }

  /// What a server that answers `method` writes for `parts`.
  func sent(_ parts: [MessagePart], answering method: Bytes = "GET") throws(HTTPFailure) -> String {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    codec.willAnswer(method: method)
    var output: [UInt8] = []
    for part in parts { try codec.send(part, &output) }
    return String(decoding: output, as: UTF8.self)
  }

  func refused(_ parts: [MessagePart], answering method: Bytes = "GET") -> HTTPFailure.Code? {
    do throws(HTTPFailure) {
      _ = try self.sent(parts, answering: method)
      return nil
    } catch {
      return error.code
    }
  }

  @Test("A request goes out with its fields in order, bytes untouched")
  func request() throws {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    var output: [UInt8] = []
    let fields = HeaderFields([("hOsT", "a.example"), ("B", ""), ("b", "caf\u{E9}")])
    let head = MessageHead(start: .request(method: "GET", target: "/x"), fields: fields)
    try codec.send(.head(head), &output)
    try codec.send(.end, &output)
    #expect(Bytes(output) == "GET /x HTTP/1.1\r\nhOsT: a.example\r\nB: \r\nb: caf\u{E9}\r\n\r\n")
  }

  @Test("A received head goes out as it came, but for what was dropped or replaced")
  func rewritten() throws {
    var receiver = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    let input: Bytes =
      "GET / HTTP/1.1\r\nHost:a\r\nTwo:  2\r\nThree: 3\r\nFour: 4 \r\nFive: 5\r\n\r\n"
    try receiver.receive(input, &parts)
    guard case .head(var head) = parts[0] else {
      Issue.record("no head")
      return
    }
    var output: [UInt8] = []
    var sender = HTTP1Codec(role: .client, limits: Limits())
    head.fields.removeAll("two")
    head.fields.replaceValue(at: 1, with: "iii")
    try sender.send(.head(head), &output)
    #expect(
      Bytes(output) == "GET / HTTP/1.1\r\nHost:a\r\nThree: iii\r\nFour: 4\r\nFive: 5\r\n\r\n"
    )
  }

  @Test("A body with a length goes out as it is, and nothing may be missing or too much")
  func length() throws {
    let head = Self.response(200, [("Content-Length", "5")])
    let whole = "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nhello"
    #expect(try self.sent([head, .body("he"), .body("llo"), .end]) == whole)
    #expect(self.refused([head, .body("hello!")]) == .unsendable)
    #expect(self.refused([head, .body("hell"), .end]) == .unsendable)
    #expect(self.refused([head, .body("hello"), .trailers(HeaderFields([("A", "b")]))]) != nil)
  }

  @Test("A chunked body gets chunks, and its last chunk and trailers with the end")
  func chunked() throws {
    let head = Self.response(200, [("Transfer-Encoding", "chunked")])
    let body = Bytes([UInt8](repeating: 0x61, count: 0x1AF))
    let trailers = HeaderFields([("Digest", "abc"), ("T", "u")])
    let output = try self.sent([head, .body("hello"), .body(""), .body(body)])
    let start =
      "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1af\r\n\(body)\r\n"
    #expect(output == start)
    #expect(try self.sent([head, .body("x"), .end]).hasSuffix("1\r\nx\r\n0\r\n\r\n"))
    #expect(try self.sent([head, .end]).hasSuffix("\r\n\r\n0\r\n\r\n"))
    #expect(
      try self.sent([head, .trailers(trailers), .end])
        .hasSuffix("\r\n\r\n0\r\nDigest: abc\r\nT: u\r\n\r\n")
    )
    #expect(self.refused([head, .trailers(trailers), .body("x")]) == .unsendable)
    #expect(
      self.refused([head, .trailers(HeaderFields([("Content-Length", "1")]))]) == .ambiguousFraming
    )
  }

  @Test("A response without length or chunks is followed by nothing")
  func untilClose() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var output: [UInt8] = []
    for part in [Self.response(200, []), .body("hello"), .end] { try codec.send(part, &output) }
    #expect(codec.sentFraming == .untilClose)
    #expect(Bytes(output) == "HTTP/1.1 200 X\r\n\r\nhello")
    let failure = #expect(throws: HTTPFailure.self) {
      try codec.send(Self.response(200, []), &output)
    }
    #expect(failure?.code == .unsendable)
  }

  @Test("An answer to HEAD has no body, and the next answer does again")
  func headAnswer() throws {
    let head = Self.response(200, [("Content-Length", "5")])
    #expect(self.refused([head, .body("hello")], answering: "HEAD") == .unsendable)
    let both = try self.sent([head, .end, head, .body("hello"), .end], answering: "HEAD")
    let text = "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n"
    #expect(both == text + text + "hello")
  }

  @Test("An informational response leaves the way free for the final one")
  func informational() throws {
    let parts = [Self.response(103, []), Self.response(200, [("Content-Length", "0")]), .end]
    let text = "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"
    #expect(try self.sent(parts) == text)
    #expect(try self.sent(parts, answering: "HEAD") == text)
    #expect(self.refused([Self.response(101, [])]) == .unsendable)
  }

  @Test("Parts out of order are refused")
  func order() {
    let head = Self.response(204, [])
    #expect(self.refused([.end]) == .unsendable)
    #expect(self.refused([.body("x")]) == .unsendable)
    #expect(self.refused([head, head]) == .unsendable)
    #expect(self.refused([head, .body("x")]) == .unsendable)
    #expect(self.refused([head, .end, .end]) == .unsendable)
    let request = MessageHead(start: .request(method: "GET", target: "/"), fields: HeaderFields())
    #expect(self.refused([.head(request)]) == .unsendable)
  }

  @Test("A head that a recipient could frame in two ways is not sent")
  func ambiguous() {
    let fields = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
    #expect(self.refused([Self.response(200, fields)]) == .ambiguousFraming)
  }

  @Test(
    "A field that would not be read as it is meant is not sent",
    arguments: [
      ("A", "b\r\nC: d"), ("A", "b\rc"), ("A", "b\nc"), ("A", "\u{0}"), ("", "b"), ("A ", "b"),
      ("A:", "b"), ("A\r\nB", "c"), ("N\u{E9}", "b"),
    ]
  )
  func injection(name: String, value: String) {
    #expect(self.refused([Self.response(200, [(name, value)])]) == .unsendable)
    let chunked = Self.response(200, [("Transfer-Encoding", "chunked")])
    let trailers = HeaderFields([(name, value)])
    #expect(self.refused([chunked, .trailers(trailers)]) == .unsendable)
  }

  @Test(
    "A start line that would not be read as it is meant is not sent, and leaves no trace",
    arguments: [
      .request(method: "", target: "/"), .request(method: "G T", target: "/"),
      .request(method: "GET", target: ""), .request(method: "GET", target: "/ HTTP/1.1"),
      .request(method: "GET", target: "/\r\nA: b"),
    ] as [StartLine]
  )
  func badStartLine(start: StartLine) {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    var output: [UInt8] = [1, 2, 3]
    let head = MessageHead(start: start, fields: HeaderFields([("A", "b")]))
    let failure = #expect(throws: HTTPFailure.self) { try codec.send(.head(head), &output) }
    #expect(failure?.code == .unsendable)
    #expect(output == [1, 2, 3])
    #expect(self.refused([Self.response(99, [])]) == .unsendable)
    #expect(self.refused([Self.response(1_000, [])]) == .unsendable)
    let reason = StartLine.response(status: 200, reason: "O\nK")
    #expect(self.refused([.head(MessageHead(start: reason, fields: HeaderFields()))]) != nil)
  }
}
