import Testing
import TideCore

@testable import TideHTTP

/// What no message may be, received by hand-made frames and sent by our own calls.
@Suite struct FieldValidationTests {
  private typealias Fields = [(String, String)]

  private static let badFields: [(String, String)] = [
    ("", "x"), ("X-Upper", "x"), ("x y", "x"), ("x:y", "x"), ("x\r\n", "x"), ("x\u{0}", "x"),
    ("\u{e9}", "x"), ("x", "a\rb"), ("x", "a\nb"), ("x", "a\r\nevil: 1"), ("x", "a\u{0}b"),
    ("x", "a\u{7f}"), ("x", "a\u{1}"), ("x", " a"), ("x", "a "), ("x", "\ta"), ("x", "a\t"),
    ("x", " "), ("connection", "close"), ("proxy-connection", "x"), ("keep-alive", "x"),
    ("transfer-encoding", "chunked"), ("upgrade", "websocket"), ("te", "gzip"),
    ("te", "trailers, gzip"), ("content-length", ""), ("content-length", "+1"),
    ("content-length", "1,1"), ("content-length", "99999999999999999999"), (":unknown", "x"),
    (":path", "/again"),
  ]

  @Test("A field that HTTP/2 forbids makes a request malformed, on a stream that can be answered")
  func badRequestFields() throws {
    for field in Self.badFields {
      let fed = try HandFed(.server)
      fed.receive(
        Frames.headers(1, Frames.request("POST", "/", [field])),
        Frames.data(1, "swallowed", isLast: true)
      )
      #expect(fed.seen == ["1 refused malformedHead"], "\(field)")
      try fed.codec.sendHead(responseHead(400), on: StreamID(1), isLast: true)
      #expect(fed.frames().contains { $0.type == 1 && $0.stream == 1 }, "\(field)")
      #expect(fed.codec.openStreams == 0 && fed.failure == nil)
    }
  }

  @Test("A field that HTTP/2 forbids makes us reset a response")
  func badResponseFields() throws {
    for field in Self.badFields {
      let fed = try HandFed(.client)
      _ = try fed.codec.open(requestHead(), isLast: true)
      _ = fed.frames()
      fed.receive(Frames.headers(1, [(":status", "200"), field]))
      let seen = ["1 violation malformedHead", "1 reset PROTOCOL_ERROR ours"]
      #expect(fed.seen == seen, "\(field)")
      #expect(fed.reset(1) == .protocolError && fed.codec.openStreams == 0)
    }
  }

  @Test("A field that HTTP/2 forbids is not sent by us either, but for names in upper case")
  func badSentFields() throws {
    for field in Self.badFields where field.0 != "X-Upper" {
      let fed = try HandFed(.server)
      fed.receive(Frames.headers(1, Frames.request(), isLast: true))
      let failure = #expect(throws: HTTPFailure.self, "\(field)") {
        try fed.codec.sendHead(responseHead(200, [field]), on: StreamID(1), isLast: false)
      }
      #expect(failure?.code == .unsendable)
    }
  }

  @Test("What HTTP/2 allows is not refused")
  func goodFields() throws {
    let good: Fields = [
      ("x", ""), ("x", "a b\tc"), ("x", "caf\u{e9}"), ("te", "trailers"), ("cookie", "a=1"),
      ("cookie", "b=2"), ("host", "A.EXAMPLE"), ("!#$%&'*+-.^_`|~09", "x"),
    ]
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request("GET", "/", good), isLast: true))
    #expect(fed.seen.first == "1 GET / | \(describe(HeaderFields(good))) last")
  }

  @Test("Pseudo-fields come once, first, known, complete and in their own syntax")
  func pseudoFields() throws {
    let right = Frames.request()
    func with(_ name: String, _ value: String) -> Fields {
      right.map { $0.0 == name ? (name, value) : $0 }
    }
    func without(_ name: String) -> Fields { right.filter { $0.0 != name } }
    let wrong: [Fields] = [
      without(":method"), without(":scheme"), without(":path"), without(":authority"),
      right + right, [("x", "y")] + right, right + [(":status", "200")],
      right + [(":method", "GET")],
      with(":method", ""), with(":method", "G T"), with(":method", "CONNECT"), with(":scheme", ""),
      with(":scheme", "ftp"), with(":scheme", "HTTPS"), with(":path", ""), with(":path", "x"),
      with(":path", "*"), with(":path", "/a b"), with(":path", "/a#b"), with(":path", "/\r\n"),
      with(":path", "/\u{0}"), with(":path", "http://b.example/"), with(":authority", ""),
      with(":authority", "u@a.example"), with(":authority", "a.example/x"),
      with(":authority", "a b"), with(":authority", "a\u{0}"),
      with(":authority", "caf\u{e9}.example"),
      with(":authority", "a.example\\b"), right + [("host", "b.example")],
      right + [("host", "a.example"), ("host", "a.example")],
      without(":authority") + [("host", "")],
      right + [(":protocol", "websocket")],
      with(":method", "CONNECT") + [(":protocol", "websocket")], [],
    ]
    for fields in wrong {
      let fed = try HandFed(.server)
      fed.receive(Frames.headers(1, fields, isLast: true))
      #expect(fed.seen == ["1 refused malformedHead"], "\(fields)")
    }
    for fields in [
      with(":method", "OPTIONS").map { $0.0 == ":path" ? (":path", "*") : $0 },
      without(":authority") + [("host", "a.example")], with(":authority", "[2001:db8::1]:8443"),
      with(":path", "/caf\u{e9}?q=%20"),
    ] {
      let fed = try HandFed(.server)
      fed.receive(Frames.headers(1, fields, isLast: true))
      #expect(fed.seen.last == "1 end", "\(fields)")
    }
  }

  @Test("An extended CONNECT needs its offer, a CONNECT, and the pseudo-fields of any request")
  func extendedConnect() throws {
    let right = Frames.request("CONNECT", "/", [])
    for (fields, isRight) in [
      (right + [(":protocol", "websocket")], true), (right + [(":protocol", "")], false),
      (right + [(":protocol", "a b")], false),
      (Frames.request() + [(":protocol", "websocket")], false),
      (right, false), ([(":method", "CONNECT"), (":authority", "a.example:443")], false),
      (right + [(":protocol", "websocket"), ("content-length", "3")], false),
    ] {
      let fed = try HandFed(.server)
      fed.codec.allowExtendedConnect()
      fed.receive(Frames.headers(1, fields))
      #expect(fed.seen == [isRight ? "1 CONNECT /" : "1 refused malformedHead"], "\(fields)")
    }
  }

  @Test("A response has a status of three digits, which is not 101, and no other pseudo-field")
  func status() throws {
    for fields: Fields in [
      [], [("x", "y")], [(":status", "")], [(":status", "20")], [(":status", "2000")],
      [(":status", "2x0")], [(":status", "099")], [(":status", "101")],
      [(":status", "200"), (":status", "200")], [(":status", "200"), (":path", "/")],
      [("x", "y"), (":status", "200")],
    ] {
      let fed = try HandFed(.client)
      _ = try fed.codec.open(requestHead(), isLast: true)
      _ = fed.frames()
      fed.receive(Frames.headers(1, fields, isLast: true))
      #expect(fed.seen.first == "1 violation malformedHead", "\(fields)")
    }
  }

  @Test("Trailers have no pseudo-fields, nothing that frames or routes, and end their message")
  func trailers() throws {
    let wrong: [(fields: Fields, isLast: Bool)] = [
      ([(":path", "/")], true), ([("content-length", "1")], true), ([("host", "a.example")], true),
      ([("transfer-encoding", "chunked")], true), ([("X", "y")], true), ([("x", "y")], false),
    ]
    for (fields, isLast) in wrong {
      let fed = try HandFed(.server)
      fed.receive(
        Frames.headers(1, Frames.request("POST")),
        Frames.headers(1, fields, isLast: isLast),
        Frames.data(3, "", isLast: true).slice(0..<0)
      )
      let seen = ["1 POST /", "1 violation malformedHead", "1 reset PROTOCOL_ERROR ours"]
      #expect(fed.seen == seen, "\(fields)")
      #expect(fed.reset(1) == .protocolError && fed.failure == nil)
    }
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request("POST")), Frames.headers(1, [], isLast: true))
    #expect(fed.seen == ["1 POST /", "1 end"])
    let sending = #expect(throws: HTTPFailure.self) {
      try fed.codec.sendTrailers(HeaderFields([("content-length", "1")]), on: StreamID(1))
    }
    #expect(sending?.code == .unsendable)
  }

  @Test("Content that is not as long as content-length said never becomes a complete message")
  func contentLength() throws {
    let head = Frames.request("POST", "/", [("content-length", "5")])
    for (frames, seen) in [
      ([Frames.data(1, "12345", isLast: true)], ["1 body 12345", "1 end"]),
      (
        [Frames.data(1, "12"), Frames.data(1, "345"), Frames.data(1, "", isLast: true)],
        ["1 body 12345", "1 end"]
      ),
      (
        [Frames.data(1, "12345"), Frames.headers(1, [("x", "y")], isLast: true)],
        ["1 body 12345", "1 trailers x=y", "1 end"]
      ),
      ([Frames.data(1, "1234", isLast: true)], ["1 body 1234", "violated"]),
      ([Frames.data(1, "123456", isLast: true)], ["violated"]),
      ([Frames.data(1, "12345"), Frames.data(1, "6")], ["1 body 12345", "violated"]),
      (
        [Frames.data(1, "1234"), Frames.headers(1, [("x", "y")], isLast: true)],
        ["1 body 1234", "violated"]
      ),
    ] {
      let fed = try HandFed(.server)
      fed.receive([Frames.headers(1, head)] + frames)
      let violated = ["1 violation malformedHead", "1 reset PROTOCOL_ERROR ours"]
      let wanted = seen.flatMap { $0 == "violated" ? violated : [$0] }
      #expect(Array(fed.seen.dropFirst()) == wanted)
      #expect((fed.reset(1) == .protocolError) == seen.contains("violated"))
    }
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, head, isLast: true))
    #expect(fed.seen == ["1 refused malformedHead"])
  }

  @Test(
    "A response has the length it says, none after HEAD, 204 and 304, and a head before content"
  )
  func responseLength() throws {
    let five = [(":status", "200"), ("content-length", "5")]
    for (method, frames, isRight) in [
      ("GET", [Frames.headers(1, five), Frames.data(1, "12345", isLast: true)], true),
      ("GET", [Frames.headers(1, five), Frames.data(1, "1234", isLast: true)], false),
      ("GET", [Frames.headers(1, five, isLast: true)], false),
      ("HEAD", [Frames.headers(1, five, isLast: true)], true),
      ("HEAD", [Frames.headers(1, five), Frames.data(1, "", isLast: true)], true),
      ("HEAD", [Frames.headers(1, five), Frames.data(1, "12345", isLast: true)], false),
      (
        "GET", [Frames.headers(1, [(":status", "304"), ("content-length", "5")], isLast: true)],
        true
      ),
      ("GET", [Frames.headers(1, [(":status", "204")]), Frames.data(1, "x", isLast: true)], false),
      ("GET", [Frames.headers(1, [(":status", "100")]), Frames.data(1, "x")], false),
      ("GET", [Frames.headers(1, [(":status", "100")]), Frames.data(1, "", isLast: true)], false),
      ("GET", [Frames.headers(1, [(":status", "103")], isLast: true)], false),
      (
        "GET", [Frames.headers(1, [(":status", "200")]), Frames.headers(1, [(":status", "200")])],
        false
      ),
    ] {
      let fed = try HandFed(.client)
      _ = try fed.codec.open(requestHead(method), isLast: true)
      _ = fed.frames()
      fed.receive(frames)
      #expect((fed.seen.last == "1 end") == isRight, "\(fed.seen)")
      #expect((fed.seen.last == "1 reset PROTOCOL_ERROR ours") == !isRight, "\(fed.seen)")
    }
  }

  @Test("A head over its limits is refused alone: the next one is decoded as it was meant")
  func headTooLarge() throws {
    var limits = Limits()
    limits.headBytes = 1_000
    limits.headFields = 10
    let many = (0..<11).map { ("x\($0)", "y") }
    for fields: Fields in [[("x", String(repeating: "y", count: 1_000))], many] {
      let fed = try HandFed(.server, limits: limits)
      // The last line of the large head enters the table, the small head refers to it.
      let large = Frames.block(Frames.request("POST", "/", fields)) + Self.indexed("kept", "1")
      let small = Frames.block(Frames.request()) + [0x80 | 62]
      fed.receive(
        Frames.frame(1, flags: 4, stream: 1, large),
        Frames.data(1, "swallowed", isLast: true),
        Frames.frame(1, flags: 5, stream: 3, small)
      )
      #expect(fed.seen == ["1 refused headTooLarge", "3 GET / | kept=1 last", "3 end"])
      try fed.codec.sendHead(responseHead(431), on: StreamID(1), isLast: true)
      #expect(fed.frames().contains { $0.type == 1 && $0.stream == 1 })
    }
  }

  @Test("What is swallowed gives its credit back")
  func swallowedCredit() throws {
    var limits = Limits()
    limits.streamWindow = 70_000
    limits.connectionWindow = 70_000
    let fed = try HandFed(.server, limits: limits)
    fed.receive(Frames.headers(1, Frames.request("POST", "/", [("X", "y")])))
    let piece = String(repeating: "a", count: 10_000)
    for _ in 0..<20 {
      fed.receive(Frames.data(1, piece))
      _ = fed.frames()
    }
    #expect(fed.failure == nil && fed.seen == ["1 refused malformedHead"])
    #expect(fed.frames().contains { $0.type == 8 && $0.stream == 0 })
  }

  /// A literal that enters the table (RFC 7541 §6.2.1).
  private static func indexed(_ name: String, _ value: String) -> [UInt8] {
    [0x40] + Frames.string(name) + Frames.string(value)
  }
}
