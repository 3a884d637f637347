import TideCore
import TideHTTP
import Testing

@Suite struct LimitTests {
  static let small: Limits = {
    var limits = Limits()
    limits.headBytes = 64
    limits.headFields = 3
    limits.chunkLineBytes = 8
    return limits
  }()

  @Test("A head of exactly the limit is accepted, one more byte is too large")
  func headBytes() {
    let room = String(repeating: "x", count: 64 - "GET / HTTP/1.0\r\nA: \r\n\r\n".utf8.count)
    let fits = Bytes("GET / HTTP/1.0\r\nA: \(room)\r\n\r\n")
    #expect(fits.count == 64)
    #expect(receiveHoweverCut(fits, as: .server, limits: Self.small).seen.last == .end)
    let over = Bytes("GET / HTTP/1.0\r\nA: \(room)x\r\n\r\n")
    let outcome = receiveHoweverCut(over, as: .server, limits: Self.small)
    #expect(outcome == Outcome(failure: .headTooLarge))
  }

  @Test("A body after a head does not count as head")
  func bodyIsNotHead() {
    let body = String(repeating: "x", count: 100)
    let input = Bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\(body)")
    let outcome = receiveHoweverCut(input, as: .client(["GET"]), limits: Self.small)
    #expect(outcome.seen.last == .end)
  }

  @Test("A head with one field too many is too large")
  func headFields() {
    let fits: Bytes = "GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"
    #expect(receiveHoweverCut(fits, as: .server, limits: Self.small).seen.last == .end)
    let over: Bytes = "GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"
    let outcome = receiveHoweverCut(over, as: .server, limits: Self.small)
    #expect(outcome == Outcome(failure: .headTooLarge))
  }

  @Test("An endless head is cut at the limit, however it comes", arguments: [1, 7, 4_096, 1 << 20])
  func endlessHead(size: Int) {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    let piece = Bytes([UInt8](repeating: 0x61, count: size))
    var sent = 0
    var most = 0
    let failure = #expect(throws: HTTPFailure.self) {
      try codec.receive("GET / HTTP/1.1\r\nA: ", &parts)
      while sent < 1 << 20 {
        sent += size
        try codec.receive(piece, &parts)
        most = max(most, codec.bufferedCount)
      }
    }
    #expect(failure?.code == .headTooLarge)
    #expect(most < 64 << 10)
    #expect(sent <= 64 << 10 + size)
    #expect(codec.bufferedCount == 0)
  }

  @Test("An endless target is cut at the limit as well")
  func endlessTarget() {
    let input = Bytes("GET /" + String(repeating: "a", count: 1 << 20))
    #expect(receive([input], as: .server) == Outcome(failure: .headTooLarge))
  }

  @Test("Trailers are held to the limits of a head")
  func trailers() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let many = Bytes(head + "0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n")
    let long = Bytes(head + "0\r\nA: " + String(repeating: "x", count: 100) + "\r\n\r\n")
    for input in [many, long] {
      let outcome = receiveHoweverCut(input, as: .client(["GET"]), limits: Self.small)
      #expect(outcome.failure == .headTooLarge)
    }
  }

  @Test("A chunk's size line is held to its limit, which begins anew with each chunk")
  func chunkLine() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    let fits = Bytes(head + "1;abcd\r\nx\r\n0;abcd\r\n\r\n")
    #expect(
      receiveHoweverCut(fits, as: .client(["GET"]), limits: Self.small).seen.last == .end
    )
    let over = Bytes(head + "1;abcde\r\nx\r\n0\r\n\r\n")
    let outcome = receiveHoweverCut(over, as: .client(["GET"]), limits: Self.small)
    #expect(outcome.failure == .malformedChunk)
  }
}
