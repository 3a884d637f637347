import TideCore
import TideHTTP
import Testing

/// A message that has to be refused, and as what.
struct Refused: Sendable, CustomTestStringConvertible {
  let name: String
  let code: HTTPFailure.Code
  let input: String

  init(_ name: String, _ code: HTTPFailure.Code, _ input: String) {
    self.name = name
    self.code = code
    self.input = input
  }

  var testDescription: String { self.name }

  /// A POST with these field lines and body.
  static func post(
    _ name: String,
    _ code: HTTPFailure.Code,
    _ lines: String,
    version: String = "1.1"
  ) -> Refused {
    let head = "POST / HTTP/\(version)\r\nHost: a.example\r\n\(lines)\r\n\r\n"
    return Refused(name, code, head + "5\r\nhello\r\n0\r\n\r\n")
  }

  static func get(_ name: String, _ lines: String) -> Refused {
    Refused(name, .malformedHead, "GET / HTTP/1.1\r\nHost: a.example\r\n\(lines)\r\n\r\n")
  }

  static func line(_ line: String, _ code: HTTPFailure.Code = .malformedHead) -> Refused {
    Refused("request line \(line.debugDescription)", code, "\(line)\r\nHost: a.example\r\n\r\n")
  }

  static func chunk(_ name: String, _ body: String) -> Refused {
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Refused(name, .malformedChunk, head + body)
  }
}

@Suite struct RefusalTests {
  static let framing: [Refused] = [
    .post(
      "length and coding",
      .ambiguousFraming,
      "Content-Length: 5\r\nTransfer-Encoding: chunked"
    ),
    .post(
      "coding and length",
      .ambiguousFraming,
      "Transfer-Encoding: chunked\r\nContent-Length: 5"
    ),
    .post("two lengths", .ambiguousFraming, "Content-Length: 5\r\nContent-Length: 6"),
    .post("one length twice", .ambiguousFraming, "Content-Length: 5\r\nContent-Length: 5"),
    .post("a list of lengths", .ambiguousFraming, "Content-Length: 5, 6"),
    .post("a list of one length", .ambiguousFraming, "Content-Length: 5, 5"),
    .post("a length and a comma", .ambiguousFraming, "Content-Length: 5,"),
    .post("a signed length", .malformedHead, "Content-Length: +5"),
    .post("a negative length", .malformedHead, "Content-Length: -5"),
    .post("a hexadecimal length", .malformedHead, "Content-Length: 0x5"),
    .post("a length with a space", .malformedHead, "Content-Length: 1 5"),
    .post("an empty length", .malformedHead, "Content-Length:"),
    .post("a fractional length", .malformedHead, "Content-Length: 5.0"),
    .post("a length of 2^63", .malformedHead, "Content-Length: 9223372036854775808"),
    .post("a length of 2^64 + 5", .malformedHead, "Content-Length: 18446744073709551621"),
    .post("gzip before chunked", .ambiguousFraming, "Transfer-Encoding: gzip, chunked"),
    .post("chunked before gzip", .ambiguousFraming, "Transfer-Encoding: chunked, gzip"),
    .post("chunked twice", .ambiguousFraming, "Transfer-Encoding: chunked, chunked"),
    .post(
      "chunked in two fields",
      .ambiguousFraming,
      "Transfer-Encoding: chunked\r\nTransfer-encoding: chunked"
    ),
    .post(
      "identity in a second field",
      .ambiguousFraming,
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"
    ),
    .post("xchunked", .ambiguousFraming, "Transfer-Encoding: xchunked"),
    .post("a quoted coding", .ambiguousFraming, "Transfer-Encoding: \"chunked\""),
    .post("a coding with a parameter", .ambiguousFraming, "Transfer-Encoding: chunked;a=b"),
    .post("identity", .ambiguousFraming, "Transfer-Encoding: identity"),
    .post("an empty coding", .ambiguousFraming, "Transfer-Encoding:"),
    .post("a comma before the coding", .ambiguousFraming, "Transfer-Encoding: ,chunked"),
    .post("a vertical tab before the coding", .malformedHead, "Transfer-Encoding: \u{0B}chunked"),
    .post("a space in the coding's name", .malformedHead, "Transfer-Encoding : chunked"),
    .post("a fold before the coding", .malformedHead, "Transfer-Encoding:\r\n chunked"),
    .post("a coding in 1.0", .ambiguousFraming, "Transfer-Encoding: chunked", version: "1.0"),
    Refused(
      "a CONNECT with a length",
      .ambiguousFraming,
      "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
    ),
    Refused(
      "a CONNECT with a coding",
      .ambiguousFraming,
      "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
  ]

  static let heads: [Refused] = [
    .get("a space before the colon", "Name : value"),
    .get("a tab before the colon", "Name\t: value"),
    .get("an empty name", ": value"),
    .get("no colon", "Name"),
    .get("a name that is no token", "Na(me: value"),
    .get("a name beyond ASCII", "N\u{E9}me: value"),
    .get("a folded value", "Name: a\r\n b"),
    .get("a line that begins with a tab", "\tName: a"),
    .get("a NUL in a value", "Name: a\u{0}b"),
    .get("a bare CR in a value", "Name: a\rb"),
    .get("a bare CR at a line's beginning", "Name: a\r\n\rb: c"),
    .get("a DEL in a value", "Name: a\u{7F}b"),
    .get("a bare LF as a line's end", "Name: a\nOther: b"),
    .get("a CR CR LF", "Name: a\r\r\nOther: b"),
    .get("a second Host", "Host: b.example"),
    .get("the same Host again", "Host: a.example"),
    Refused(
      "a white space before the first field",
      .malformedHead,
      "GET / HTTP/1.0\r\n A: b\r\n\r\n"
    ),
    Refused("no Host in 1.1", .malformedHead, "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
    Refused("two Hosts in 1.0", .malformedHead, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
    Refused("bare LF throughout", .malformedHead, "GET / HTTP/1.1\nHost: a\n\n"),
    Refused("LF at the head's end", .malformedHead, "GET / HTTP/1.0\r\nHost: a\r\n\n"),
    Refused("a bare CR after the version", .malformedHead, "GET / HTTP/1.0\rHost: a\r\n\r\n"),
    Refused("an LF before the request", .malformedHead, "\nGET / HTTP/1.0\r\n\r\n"),
    Refused("a CR before the request", .malformedHead, "\rGET / HTTP/1.0\r\n\r\n"),
    Refused("TLS", .malformedHead, "\u{16}\u{3}\u{1}\r\n\r\n"),
    .line("GET  / HTTP/1.1"), .line("GET /  HTTP/1.1"), .line("GET / HTTP/1.1 "),
    .line(" GET / HTTP/1.1"), .line("GET\t/ HTTP/1.1"), .line("GET /\tHTTP/1.1"),
    .line("GET /a b HTTP/1.1"), .line("GET  HTTP/1.1"), .line("GET /"), .line("GET"),
    .line("G\u{0}T / HTTP/1.1"), .line("GET /\u{0} HTTP/1.1"), .line("GET /\u{7F} HTTP/1.1"),
    .line("G(T / HTTP/1.1"), .line("GET / http/1.1"), .line("GET / HTTP/1.10"),
    .line("GET / HTTP/11"), .line("GET / HTTP/1.x"), .line("GET / HTTP/ 1.1"),
    .line("GET / XTTP/1.1"),
    .line("GET / HTTP/2.0", .unsupported), .line("GET / HTTP/0.9", .unsupported),
    Refused("the HTTP/2 preface", .unsupported, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  ]

  static let chunks: [Refused] = [
    .chunk("a chunk size over 2^64", "FFFFFFFFFFFFFFFFF\r\n"),
    .chunk("a chunk size of 2^64 - 1", "FFFFFFFFFFFFFFFF\r\n"),
    .chunk("a chunk size of 2^63", "8000000000000000\r\n"),
    .chunk("a chunk size of 17 zeros", "00000000000000000\r\n\r\n"),
    .chunk("no chunk size", "\r\n"), .chunk("a signed chunk size", "+5\r\nhello\r\n0\r\n\r\n"),
    .chunk("a negative chunk size", "-5\r\nhello\r\n"),
    .chunk("a chunk size in 0x", "0x5\r\nhello\r\n"),
    .chunk("a space before the chunk size", " 5\r\nhello\r\n0\r\n\r\n"),
    .chunk("a space after the chunk size", "5 \r\nhello\r\n0\r\n\r\n"),
    .chunk("a space in the chunk size", "5 5\r\nhello\r\n"), .chunk("no hexadecimal", "g\r\n"),
    .chunk("an extension without a size", ";a=b\r\n"),
    .chunk("a bare LF after the size", "5\nhello\r\n0\r\n\r\n"),
    .chunk("a bare CR after the size", "5\rhello\r\n0\r\n\r\n"),
    .chunk("a NUL in an extension", "5;a=\u{0}\r\nhello\r\n0\r\n\r\n"),
    .chunk("a bare LF in an extension", "5;a=b\nc\r\nhello\r\n0\r\n\r\n"),
    .chunk("a bare CR in an extension", "5;a=b\rc\r\nhello\r\n0\r\n\r\n"),
    .chunk("data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"),
    .chunk("data that ends in LF", "5\r\nhello\n0\r\n\r\n"),
    .chunk("data that ends in CR", "5\r\nhello\r0\r\n\r\n"),
  ]

  static let responses: [Refused] = [
    Refused("a version of 2", .unsupported, "HTTP/2.0 200 OK\r\n\r\n"),
    Refused("no version", .malformedHead, "ICY 200 OK\r\n\r\n"),
    Refused("a status of two digits", .malformedHead, "HTTP/1.1 20 OK\r\n\r\n"),
    Refused("a status of four digits", .malformedHead, "HTTP/1.1 2000 OK\r\n\r\n"),
    Refused("a status below 100", .malformedHead, "HTTP/1.1 099 OK\r\n\r\n"),
    Refused("two spaces before the status", .malformedHead, "HTTP/1.1  200 OK\r\n\r\n"),
    Refused("a NUL in the reason", .malformedHead, "HTTP/1.1 200 O\u{0}K\r\n\r\n"),
    Refused("a bare LF after the reason", .malformedHead, "HTTP/1.1 200 OK\nA: b\r\n\r\n"),
    Refused("an empty line before the status line", .malformedHead, "\r\nHTTP/1.1 200 OK\r\n\r\n"),
    Refused("a folded value", .malformedHead, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
    Refused(
      "a length and a coding",
      .ambiguousFraming,
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    Refused(
      "a coding we do not speak",
      .ambiguousFraming,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"
    ),
    Refused(
      "a coding in 1.0",
      .ambiguousFraming,
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    Refused(
      "one length twice",
      .ambiguousFraming,
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"
    ),
    Refused("switching protocols", .unsupported, "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n"),
  ]

  @Test("A request that two servers could frame differently is refused", arguments: Self.framing)
  func ambiguousRequests(shape: Refused) {
    let outcome = receiveHoweverCut(Bytes(shape.input), as: .server)
    #expect(outcome == Outcome(failure: shape.code))
  }

  @Test("A request head that breaks the grammar is refused", arguments: Self.heads)
  func malformedRequests(shape: Refused) {
    let outcome = receiveHoweverCut(Bytes(shape.input), as: .server)
    #expect(outcome == Outcome(failure: shape.code))
  }

  @Test("A chunk that breaks the grammar is refused", arguments: Self.chunks)
  func malformedChunks(shape: Refused) {
    let outcome = receiveHoweverCut(Bytes(shape.input), as: .server)
    #expect(outcome.failure == shape.code)
    #expect(!outcome.seen.contains(.end))
  }

  @Test("A response that breaks the grammar or is ambiguous is refused", arguments: Self.responses)
  func badResponses(shape: Refused) {
    let outcome = receiveHoweverCut(Bytes(shape.input), as: .client(["GET"]))
    #expect(outcome == Outcome(failure: shape.code))
  }

  @Test("After a failure the same failure is all there is")
  func failureStays() throws {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    let failure = try #require(
      #expect(throws: HTTPFailure.self) {
        try codec.receive("GET / HTTP/1.1\r\nBad name: x\r\n\r\n", &parts)
      }
    )
    #expect(failure.detail == "not a field name: \"Bad name\"")
    let good: Bytes = "GET / HTTP/1.0\r\n\r\n"
    #expect(throws: failure) { try codec.receive(good, &parts) }
    #expect(throws: failure) { try codec.next(&parts) }
    #expect(throws: failure) { try codec.receiveEnd(&parts) }
    #expect(parts.isEmpty)
    #expect(codec.bufferedCount == 0)
  }

  @Test("A failure quotes 64 bytes at most, escaped, and never a field's value")
  func quoting() {
    func failure(_ input: String) -> HTTPFailure? {
      var codec = HTTP1Codec(role: .server, limits: Limits())
      var parts: [MessagePart] = []
      return #expect(throws: HTTPFailure.self) { try codec.receive(Bytes(input), &parts) }
    }
    let long = failure("GET / HTTP/1.0\r\n" + String(repeating: "a", count: 99) + "(\r\n\r\n")
    #expect(long?.detail == "not a field name: \"\(String(repeating: "a", count: 64))…\"")
    let escaped = failure("\"\u{1}\\\r\n\r\n")
    #expect(escaped?.detail == #"not a request line: "\"\x01\\\x0d""#)
    let folded = failure("GET / HTTP/1.0\r\nAuthorization: Basic\r\n hush\r\n\r\n")
    #expect(folded?.detail == "white space at the beginning of a line")
    let secret = failure("GET / HTTP/1.0\r\nAuthorization: hush\u{1}hush\r\n\r\n")
    #expect(secret?.detail == "octet 0x01 may not stand in the value of: \"Authorization\"")
  }
}
