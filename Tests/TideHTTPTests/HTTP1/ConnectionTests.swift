import TideCore
import TideHTTP
import Testing

@Suite struct ConnectionTests {
  static let first: Bytes = "GET /1 HTTP/1.0\r\n\r\n"

  @Test("A pipelined request stays raw until next() is called")
  func pipelining() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    var outcome = Outcome()
    try codec.receive("GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET /3 HT", &parts)
    outcome.add(parts)
    #expect(outcome.seen == [.head("GET /1 1.0"), .end])
    #expect(codec.bufferedCount == 28)
    #expect(!codec.isBetweenMessages)
    #expect(!codec.isMidHead)

    parts = []
    try codec.next(&parts)
    outcome = Outcome()
    outcome.add(parts)
    #expect(outcome.seen == [.head("GET /2 1.0"), .end])

    parts = []
    try codec.next(&parts)
    #expect(parts.isEmpty)
    #expect(codec.isMidHead)
    try codec.receive("TP/1.0\r\n\r\n", &parts)
    outcome = Outcome()
    outcome.add(parts)
    #expect(outcome.seen == [.head("GET /3 1.0"), .end])
  }

  @Test("Pipelined requests of every framing are told apart, however they are cut")
  func pipelinedMix() {
    let outcome = receiveHoweverCut(
      """
      POST /1 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc\
      POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n\
      GET /3 HTTP/1.0\r\n\r\n\r\nGET /4 HTTP/1.0\r\n\r\n
      """,
      as: .server
    )
    let seen: [Seen] = [
      .head("POST /1 1.0 | Content-Length=3"), .body("abc"), .end,
      .head("POST /2 1.1 | Host=a | Transfer-Encoding=chunked"), .body("d"), .trailers("T=u"), .end,
      .head("GET /3 1.0"), .end, .head("GET /4 1.0"), .end,
    ]
    #expect(outcome == Outcome(seen: seen))
  }

  @Test("What follows a CONNECT is handed out raw, also what comes later")
  func connect() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive(
      "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n\u{16}\u{3}",
      &parts
    )
    #expect(parts.count == 2)
    #expect(codec.takeLeftover() == "\u{16}\u{3}")
    try codec.receive("\u{1}", &parts)
    #expect(codec.takeLeftover() == "\u{1}")
    #expect(parts.count == 2)
  }

  @Test("In the middle of a message there is no leftover to take")
  func leftoverInTheMiddle() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive("GET / HT", &parts)
    #expect(codec.takeLeftover().isEmpty)
    try codec.next(&parts)
    try codec.receive("TP/1.0\r\n\r\n", &parts)
    #expect(parts.count == 2)
  }

  @Test("Informational responses come before the final one and have no end of their own")
  func informational() {
    let outcome = receiveHoweverCut(
      """
      HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n\
      HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
      """,
      as: .client(["POST"])
    )
    let seen: [Seen] = [
      .head("1.1 100 Continue"), .head("1.1 103 Early | Content-Length=9"),
      .head("1.1 200 OK | Content-Length=2"), .body("ok"), .end,
    ]
    #expect(outcome == Outcome(seen: seen))
  }

  @Test("A connection that waits after a 1xx is not between messages")
  func afterInformational() throws {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    var parts: [MessagePart] = []
    codec.expectResponse(toMethod: "POST")
    #expect(codec.isBetweenMessages)
    try codec.receive("HTTP/1.1 100 Continue\r\n\r\n", &parts)
    #expect(!codec.isBetweenMessages)
    #expect(!codec.isMidHead)
    try codec.receive("HTTP/1.1 204 Done\r\n\r\n", &parts)
    #expect(codec.isBetweenMessages)
  }

  @Test("Bytes from a server that was not asked are an error")
  func unasked() throws {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    var parts: [MessagePart] = []
    let failure = #expect(throws: HTTPFailure.self) {
      try codec.receive("HTTP/1.1 408 Slow\r\n\r\n", &parts)
    }
    #expect(failure?.code == .unexpectedBytes)
  }

  @Test(
    "A response sent ahead of its request is never taken for its answer",
    arguments: [true, false],
    [true, false]
  )
  func responseInAdvance(isWithTheFirst: Bool, isAskedBeforeNext: Bool) throws {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    var parts: [MessagePart] = []
    let response: Bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    codec.expectResponse(toMethod: "GET")
    if isWithTheFirst {
      var both = response
      both.append(response)
      try codec.receive(both, &parts)
    } else {
      try codec.receive(response, &parts)
      try codec.receive(response, &parts)
    }
    #expect(parts.count == 2)
    if isAskedBeforeNext { codec.expectResponse(toMethod: "GET") }
    let failure = #expect(throws: HTTPFailure.self) { try codec.next(&parts) }
    #expect(failure?.code == .unexpectedBytes)
    #expect(parts.count == 2)
  }

  @Test("A client's connection carries one response after another, each read for its own method")
  func keepAlive() throws {
    var codec = HTTP1Codec(role: .client, limits: Limits())
    let response: Bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    for (method, body) in [("HEAD", ""), ("GET", "ok"), ("HEAD", "")] as [(Bytes, Bytes)] {
      var parts: [MessagePart] = []
      codec.expectResponse(toMethod: method)
      var input = response
      input.append(body)
      try codec.receive(input, &parts)
      #expect(parts.count == (body.isEmpty ? 2 : 3))
      #expect(codec.receivedFraming == (body.isEmpty ? .none : .length(2)))
      try codec.next(&parts)
      #expect(codec.isBetweenMessages)
    }
  }

  @Test("A peer may close between messages, before and after next()")
  func closeBetween() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receiveEnd(&parts)
    codec = HTTP1Codec(role: .server, limits: Limits())
    try codec.receive(Self.first, &parts)
    try codec.receiveEnd(&parts)
    try codec.next(&parts)
    #expect(parts.count == 2)
    #expect(codec.isBetweenMessages)
  }

  @Test("A pipelined request that was cut by the close is found out when its turn comes")
  func closeWithLeftover() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive("GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET /3", &parts)
    try codec.receiveEnd(&parts)
    try codec.next(&parts)
    #expect(parts.count == 4)
    let failure = #expect(throws: HTTPFailure.self) { try codec.next(&parts) }
    #expect(failure?.code == .truncated)
  }

  @Test("The framing of what is received is known with its head")
  func receivedFraming() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    try codec.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n", &parts)
    #expect(codec.receivedFraming == .length(7))
    try codec.receive("1234567", &parts)
    try codec.next(&parts)
    #expect(codec.receivedFraming == .none)
    try codec.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &parts)
    #expect(codec.receivedFraming == .chunked)
  }
}
