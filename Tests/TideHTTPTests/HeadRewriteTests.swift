import TideCore
import TideHTTP
import Testing

@Suite struct HeadRewriteTests {
  func request(_ fields: [(String, String)], version: HTTPVersion = .http11) -> MessageHead {
    let start = StartLine.request(method: "GET", target: "/")
    return MessageHead(start: start, version: version, fields: HeaderFields(fields))
  }

  /// The names and values that go on.
  func forwarded(_ fields: [(String, String)], _ direction: Direction = .request) -> String {
    describe(HeadRewrite.forwardable(self.request(fields), direction: direction).fields)
  }

  @Test(
    "Fields that are meant for one hop are dropped both ways",
    arguments: [
      "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "PROXY-AUTHENTICATE",
      "TE", "Upgrade", "HTTP2-Settings",
    ],
    [Direction.request, .response]
  )
  func hopByHop(name: String, direction: Direction) {
    #expect(self.forwarded([("A", "1"), (name, "x"), ("B", "2")], direction) == "A=1 | B=2")
  }

  @Test("Everything else goes on in its order and case, duplicates included")
  func endToEnd() {
    let fields = [
      ("hOST", "a"), ("Cookie", "1"), ("Cookie", "2"), ("Transfer-Encoding", "chunked"),
      ("Trailer", "x"), ("Upgrade-Insecure-Requests", "1"), ("Connections", "x"), ("Alt-Used", "a"),
    ]
    let all = fields.map { "\($0.0)=\($0.1)" }.joined(separator: " | ")
    #expect(self.forwarded(fields) == all)
    #expect(self.forwarded(fields, .response) == all)
  }

  @Test("Alt-Svc is dropped from responses only")
  func altSvc() {
    #expect(self.forwarded([("Alt-Svc", "h3")], .response) == "")
    #expect(self.forwarded([("Alt-Svc", "h3")], .request) == "Alt-Svc=h3")
  }

  @Test("TE goes on if all it says is that trailers are welcome")
  func trailersWelcome() {
    #expect(self.forwarded([("Connection", "TE"), ("TE", "Trailers")]) == "TE=Trailers")
    #expect(self.forwarded([("TE", "trailers, gzip")]) == "")
  }

  @Test("Fields that Connection names are dropped, in any case and from every Connection field")
  func named() {
    let fields = [
      ("X-One", "1"), ("Connection", "close, x-ONE ,, X-Two"), ("x-two", "2"), ("X-Three", "3"),
      ("connection", "x-four"), ("X-Four", "4"), ("Close", "5"), ("Keep", "6"),
    ]
    #expect(self.forwarded(fields) == "X-Three=3 | Close=5 | Keep=6")
  }

  @Test(
    "Connection cannot take away what the other end frames, routes or authorises by",
    arguments: [
      "Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding",
      "Authorization", "Cookie", "Trailer",
    ]
  )
  func essential(name: String) {
    #expect(self.forwarded([("Connection", name), (name, "x")]) == "\(name)=x")
  }

  @Test("A Connection of very many options costs no more than its bytes")
  func manyOptions() {
    let options = (0..<10_000).map { "x\($0)" }.joined(separator: ",")
    var fields = (0..<120).map { ("Y\($0)", "1") }
    fields += [("Connection", options), ("X9999", "2"), ("X10000", "3")]
    #expect(self.forwarded(fields).hasSuffix("Y119=1 | X10000=3"))
  }

  @Test("A head with nothing to drop stays the same, down to its buffer")
  func untouched() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", &parts)
    guard case .head(let head) = parts[0] else {
      Issue.record("no head")
      return
    }
    let forwarded = HeadRewrite.forwardable(head, direction: .request)
    #expect(forwarded.fields.count == 2)
    #expect(forwarded.fields.buffer == head.raw)
    #expect(forwarded.raw == head.raw)
  }

  @Test("A request gets another target, a response has none to get")
  func target() {
    let request = HeadRewrite.withTarget(self.request([("A", "b")]), "/other")
    #expect(describe(request) == "GET /other 1.1 | A=b")
    let start = StartLine.response(status: 200, reason: "OK")
    let response = MessageHead(start: start, fields: HeaderFields())
    #expect(HeadRewrite.withTarget(response, "/other").start == start)
  }

  @Test(
    "A connection persists by default from 1.1 on, and if asked to in 1.0",
    arguments: [
      (HTTPVersion.http11, "", true), (.http11, "close", false), (.http11, "x, CLOSE", false),
      (.http11, "closed", true), (.http10, "", false), (.http10, "Keep-Alive", true),
      (.http10, "keep-alive, close", false),
    ]
  )
  func persistence(version: HTTPVersion, connection: String, expected: Bool) {
    let fields = [("A", "close"), ("Connection", connection)]
    #expect(self.request(fields, version: version).isPersistent == expected)
  }
}

@Suite struct AcceptedCodingTests {
  @Test(
    "A request whose answer has to be read asks for codings that can be taken off, and no others",
    arguments: [
      ("gzip, deflate, br, zstd", "gzip, deflate"), ("br", "identity"), ("*", "identity"),
      ("br;q=1.0, GZIP;q=0.8, *;q=0.1", "GZIP;q=0.8"), ("gzip", "gzip"), ("", "identity"),
    ]
  )
  func narrowed(asked: String, expected: String) {
    let head = MessageHead(
      start: .request(method: "GET", target: "/"),
      fields: HeaderFields([("Host", "a.example"), ("Accept-Encoding", asked), ("Accept", "*/*")])
    )
    let fields = HeadRewrite.acceptingReadable(head).fields
    #expect(fields.all("accept-encoding").map(\.text) == [expected])
    #expect(fields.all("host").map(\.text) == ["a.example"])
  }

  @Test("A request for an event stream asks for no coding at all")
  func eventStream() {
    let head = MessageHead(
      start: .request(method: "GET", target: "/"),
      fields: HeaderFields([
        ("Accept", "text/html, Text/Event-Stream;q=0.9"), ("Accept-Encoding", "gzip, br"),
      ])
    )
    let fields = HeadRewrite.acceptingReadable(head).fields
    #expect(fields.first("accept-encoding")?.text == "identity")
  }

  @Test("A request that names no codings stays as it is")
  func silent() {
    let head = MessageHead(
      start: .request(method: "GET", target: "/"),
      fields: HeaderFields([("Accept", "text/event-stream")])
    )
    #expect(HeadRewrite.acceptingReadable(head).fields.count == 1)
  }
}
