import TideCore
import TideHTTP
import Testing

@Suite struct BodyTests {
  static let chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
  static let chunkedSeen = Seen.head("1.1 200 OK | Transfer-Encoding=Chunked")

  @Test("A body ends after as many bytes as Content-Length says")
  func length() {
    let outcome = receiveHoweverCut(
      "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 005\r\n\r\nhello",
      as: .server
    )
    let head = Seen.head("POST / 1.1 | Host=a | content-length=005")
    #expect(outcome == Outcome(seen: [head, .body("hello"), .end]))
  }

  @Test("The longest length that can be counted is accepted")
  func longestLength() {
    let input = "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello"
    let outcome = receiveHoweverCut(Bytes(input), as: .client(["GET"]))
    #expect(
      outcome.seen == [.head("1.1 200 OK | Content-Length=9223372036854775807"), .body("hello")]
    )
    #expect(outcome.failure == nil)
  }

  @Test("Chunks are joined, their extensions dropped, their sizes read in either case")
  func chunks() {
    let body =
      "5\r\nhello\r\n1;a=b\r\n,\r\n00A \t;q=\"x; y\"\r\n0123456789\r\nb;\r\n0123456789a\r\n0;z\r\n\r\n"
    let outcome = receiveHoweverCut(Bytes(Self.chunkedHead + body), as: .client(["GET"]))
    let seen: [Seen] = [Self.chunkedSeen, .body("hello,01234567890123456789a"), .end]
    #expect(outcome == Outcome(seen: seen))
  }

  @Test("The longest chunk that can be counted is accepted")
  func longestChunk() {
    let input = Bytes(Self.chunkedHead + "7fffFFFFffffFFFF\r\nhello")
    let outcome = receiveHoweverCut(input, as: .client(["GET"]))
    #expect(outcome == Outcome(seen: [Self.chunkedSeen, .body("hello")]))
  }

  @Test("Trailers come after the body and before the end")
  func trailers() {
    let body = "5\r\nhello\r\n0\r\nDigest: abc\r\nX-Time:  1 \r\n\r\n"
    let outcome = receiveHoweverCut(Bytes(Self.chunkedHead + body), as: .client(["GET"]))
    let seen: [Seen] = [
      Self.chunkedSeen, .body("hello"), .trailers("Digest=abc | X-Time=1"), .end,
    ]
    #expect(outcome == Outcome(seen: seen))
  }

  @Test("A trailer that frames or routes is refused", arguments: ["Content-Length: 5", "HOST: b"])
  func framingTrailers(line: String) {
    let input = Bytes(Self.chunkedHead + "0\r\n\(line)\r\n\r\n")
    let outcome = receiveHoweverCut(input, as: .client(["GET"]))
    #expect(outcome == Outcome(seen: [Self.chunkedSeen], failure: .ambiguousFraming))
  }

  @Test("A trailer that breaks the grammar is refused", arguments: [" A: b", "A : b", "A: \u{0}"])
  func malformedTrailers(line: String) {
    let input = Bytes(Self.chunkedHead + "0\r\n\(line)\r\n\r\n")
    let outcome = receiveHoweverCut(input, as: .client(["GET"]))
    #expect(outcome == Outcome(seen: [Self.chunkedSeen], failure: .malformedHead))
  }

  @Test("A response with neither length nor chunks goes on until the server closes")
  func untilClose() {
    let input: Bytes = "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    let outcome = receiveHoweverCut(input, as: .client(["GET"]), close: true)
    let seen: [Seen] = [.head("1.0 200 OK"), .body("HTTP/1.1 200 OK\r\n\r\n"), .end]
    #expect(outcome == Outcome(seen: seen))
  }

  @Test(
    "A message that is cut before its end is an error",
    arguments: [
      "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 100 Go\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Self.chunkedHead,
      Self.chunkedHead + "5\r\nhello\r\n", Self.chunkedHead + "0\r\n",
    ]
  )
  func truncated(input: String) {
    let outcome = receiveHoweverCut(Bytes(input), as: .client(["GET"]), close: true)
    #expect(outcome.failure == .truncated)
    #expect(!outcome.seen.contains(.end))
  }

  @Test(
    "A response that cannot have a body ends with its head, whatever its fields say",
    arguments: [
      ("HEAD", 200), ("GET", 204), ("GET", 304), ("CONNECT", 200), ("CONNECT", 299),
    ]
  )
  func noBody(method: String, status: Int) {
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked", "A: b"] {
      let input = Bytes("HTTP/1.1 \(status) X\r\n\(field)\r\n\r\n")
      let outcome = receiveHoweverCut(input, as: .client([method]))
      #expect(outcome.seen.count == 2)
      #expect(outcome.seen.last == .end)
      #expect(outcome.failure == nil)
    }
  }

  @Test("A refused CONNECT has a body like any other response")
  func refusedConnect() {
    let input: Bytes = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
    let outcome = receiveHoweverCut(input, as: .client(["CONNECT"]))
    #expect(outcome.seen == [.head("1.1 403 No | Content-Length=2"), .body("no"), .end])
  }

  @Test("A CONNECT with a length of 0, as old clients send it, is a CONNECT")
  func connectWithLength() {
    let input: Bytes = "CONNECT a.example:443 HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    let outcome = receiveHoweverCut(input, as: .server)
    #expect(outcome.seen == [.head("CONNECT a.example:443 1.0 | Content-Length=0"), .end])
  }

  @Test("Body parts are slices of what came, not copies")
  func noCopies() throws {
    let input: Bytes = "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive(input, &parts)
    guard case .body(let body) = parts[1] else {
      Issue.record("no body")
      return
    }
    let place = unsafe body.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    let start = unsafe input.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    #expect(place == start + UInt(input.count - 5))
  }

  @Test(
    "The framing of a head that nobody received can be asked for",
    arguments: [
      ("GET", 200, "chunked", BodyFraming.chunked), ("HEAD", 200, "chunked", .none),
      ("GET", 200, nil, .untilClose), ("GET", 304, nil, .none), ("CONNECT", 200, nil, .none),
    ] as [(Bytes, Int, String?, BodyFraming)]
  )
  func framing(method: Bytes, status: Int, coding: String?, expected: BodyFraming) throws {
    let fields = HeaderFields(coding.map { [("transfer-encoding", $0)] } ?? [])
    let head = MessageHead(start: .response(status: status, reason: ""), fields: fields)
    #expect(try BodyFraming.of(head, answering: method) == expected)
    let request = MessageHead(start: .request(method: "GET", target: "/"), fields: HeaderFields())
    #expect(try BodyFraming.of(request) == .none)
  }
}
