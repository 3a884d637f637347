import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct ExchangeTests {
  @Test("Chunked messages with trailers go through both ways", arguments: Cut.allCases)
  func chunked(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5\r\nhello\r\n6\r\n world\r\n0\r\nSum: 1\r\n\r\n"
    )
    let asked = book.serverGot()
    #expect(asked.contains("\r\nTransfer-Encoding: chunked\r\n"))
    #expect(asked.unchunked == "hello world")
    #expect(asked.hasSuffix("\r\n0\r\nSum: 1\r\n\r\n"))
    book.server(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nEtag: 2\r\n\r\n"
    )
    let got = book.deviceGot()
    #expect(got.unchunked == "hi")
    #expect(got.hasSuffix("\r\n0\r\nEtag: 2\r\n\r\n"))
    let flow = try book.flow()
    #expect(flow.requestBody == "hello world")
    #expect(flow.trailers == "Sum: 1\r\nEtag: 2\r\n")
    #expect(flow.end?.requestBytes == 11)
    #expect(flow.end?.responseBytes == 2)
    #expect(book.downstreamClose == nil)
    book.expectCleanEnd()
  }

  @Test(
    "Large bodies arrive whole and in order, counted or chunked",
    arguments: [Cut.whole, .pieces]
  )
  func large(cut: Cut) throws {
    let body = (0..<20_000).map { "\($0)," }.joined()
    let size = body.utf8.count
    let book = try Playbook(cut)
    try book.tunnel()
    for _ in 0..<2 {
      let request = "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(size)\r\n\r\n\(body)"
      book.device(request)
      #expect(book.serverGot() == request)
      book.server(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(String(size, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      )
      #expect(book.deviceGot().unchunked == body)
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.skipGot()
      let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n\(body)"
      book.server(answer)
      #expect(book.deviceGot() == answer)
    }
    #expect(book.flows.allSatisfy { $0.end?.failure == nil })
    book.expectCleanEnd()
  }

  @Test(
    "Answers to HEAD, 204 and 304 have no content, and the connection goes on",
    arguments: Cut.allCases
  )
  func bodiless(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    for (method, answer) in [
      ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
      ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
      ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
      ("GET", ok),
    ] {
      book.device("\(method) / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      #expect(book.serverGot().hasPrefix(method))
      book.server(answer)
      #expect(book.deviceGot() == answer)
    }
    #expect(book.flows.allSatisfy { $0.end?.failure == nil })
    book.expectCleanEnd()
  }

  @Test(
    "An expectation is forwarded, and the server's 100 comes back before the body goes",
    arguments: Cut.allCases
  )
  func expectation(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    #expect(book.serverGot().contains("Expect: 100-continue\r\n"))
    #expect(book.deviceGot().isEmpty)
    book.server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    #expect(
      book.deviceGot()
        == "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )
    book.device("hi")
    #expect(book.serverGot() == "hi")
    book.server(ok)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test("Where the body is held we answer the expectation ourselves", arguments: Cut.allCases)
  func heldExpectation(cut: Cut) throws {
    let held = rule("no-imei", .redact) { $0.finding = ["imei"] }
    let book = try Playbook(cut, mode: .redact, rules: [held])
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    #expect(book.deviceGot() == "HTTP/1.1 100 Continue\r\n\r\n")
    #expect(book.serverGot().isEmpty)
    book.device("hi")
    let asked = book.serverGot()
    #expect(!asked.contains("Expect"))
    #expect(asked.hasSuffix("\r\n\r\nhi"))
    book.server(ok)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test(
    "An HTTP/1.0 client gets a chunked answer without chunks or trailers, ended by close",
    arguments: Cut.allCases
  )
  func oldClient(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device("GET http://api.example/ HTTP/1.0\r\nHost: api.example\r\n\r\n")
    try book.way()
    #expect(book.serverGot().hasPrefix("GET / HTTP/1.1\r\n"))
    book.server(
      "HTTP/1.1 100 Continue\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Etag\r\n\r\n2\r\nhi\r\n0\r\nEtag: 2\r\n\r\n"
    )
    #expect(book.deviceGot() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi")
    #expect(book.downstreamClose == .writing)
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A close-delimited answer is passed on until the server closes, then the device's side ends",
    arguments: Cut.allCases
  )
  func closeDelimited(cut: Cut) throws {
    for isSecure in [true, false] {
      let book = try Playbook(cut)
      if isSecure {
        try book.tunnel()
        book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      } else {
        book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
        try book.way()
      }
      book.server("HTTP/1.1 200 OK\r\n\r\nall of")
      #expect(book.deviceGot() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of")
      book.server(" it")
      #expect(book.downstreamClose == nil)
      book.serverCloses()
      #expect(book.deviceGot() == " it")
      #expect(book.downstreamClose == .writing)
      #expect(book.deviceTLS?.peerHasClosed ?? true, "ended by close_notify")
      let flow = try book.flow()
      #expect(flow.failure == nil)
      #expect(flow.responseBody == "all of it")
      book.expectCleanEnd()
    }
  }

  @Test("An answer that is cut short never ends politely", arguments: Cut.allCases)
  func truncated(cut: Cut) throws {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf"
    let open = "HTTP/1.1 200 OK\r\n\r\nhalf"
    for (answer, kind, isCut) in [
      (half, CloseKind.end, false), (half, .reset, false), (chunk, .end, false), (open, .end, true),
      (open, .reset, false),
    ] {
      let book = try Playbook(cut)
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.server(answer)
      book.serverCloses(kind, isCut: isCut)
      #expect(book.downstreamClose == .abort)
      #expect(book.deviceTLS?.peerHasClosed == false)
      #expect(try book.flow().failure == .truncated)
      book.expectCleanEnd()
    }
  }

  @Test(
    "A server that closes, resets or talks nonsense before its answer is answered for with 502",
    arguments: Cut.allCases
  )
  func noAnswer(cut: Cut) throws {
    for end in [
      "close", "reset", "HTTP/1.1 2", "nonsense\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
    ] {
      let book = try Playbook(cut)
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      switch end {
      case "close": book.serverCloses()
      case "reset": book.serverCloses(.reset)
      default:
        book.server(end)
        book.serverCloses()
      }
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 502 "), "\(end)")
      #expect(book.downstreamClose == .writing)
      #expect(book.flows.first?.end?.failure?.origin == .upstream)
      book.expectCleanEnd()
    }
  }

  @Test(
    "Request framing that breaks inside TLS is answered with 400, and the server is cut off",
    arguments: Cut.allCases
  )
  func brokenBody(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\nGET"
    )
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 400 "))
    #expect(book.upstreamClose == .abort)
    #expect(try book.flow().failure == .malformedMessage)
    book.expectCleanEnd()
  }

  @Test("Many broken pieces at once still leave the one page readable")
  func brokenPieces() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("bad\r\n\r\n" + String(repeating: "x", count: 200_000))
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 400 "))
    #expect(book.downstreamClose == .writing)
    book.expectCleanEnd()
  }

  @Test(
    "An answer before the request's end goes through at once; both ends make the exchange's end",
    arguments: Cut.allCases
  )
  func earlyAnswer(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 10\r\n\r\nhello")
    book.server(ok)
    #expect(book.deviceGot() == ok)
    #expect(try book.flow().end == nil)
    book.device("world")
    #expect(book.serverGot().hasSuffix("helloworld"))
    #expect(try book.flow().end?.requestBytes == 10)
    book.device("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test(
    "A server that answers and closes before the request's end leaves the device its answer",
    arguments: [CloseKind.end, .reset]
  )
  func earlyAnswerAndClose(kind: CloseKind) throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 10\r\n\r\nhello")
    book.server("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    book.serverCloses(kind)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 413 "))
    #expect(book.downstreamClose == .writing)
    let flow = try book.flow()
    #expect(flow.end?.status == 413)
    #expect(flow.failure == .truncated)
    book.expectCleanEnd()
  }

  @Test("Two answers to one request end the connection after the first", arguments: Cut.allCases)
  func twoAnswers(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    book.device("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(!book.deviceGot().contains("evil"))
    #expect(book.downstreamClose != nil)
    book.expectCleanEnd()
  }

  @Test(
    "A device that goes away in an exchange ends it, recorded as cut",
    arguments: [CloseKind.end, .reset]
  )
  func deviceGone(kind: CloseKind) throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 10\r\n\r\nhello")
    book.deviceCloses(kind)
    #expect(book.isFinished)
    #expect(book.upstreamClose != nil)
    let flow = try book.flow()
    #expect(flow.failure == .truncated)
    #expect(flow.end?.failure?.origin == .downstream)
    #expect(flow.end?.exposure == nil, "nothing was blocked")
    book.expectCleanEnd()
  }

  @Test(
    "Connection: close on either side ends the connection after the exchange",
    arguments: Cut.allCases
  )
  func closing(cut: Cut) throws {
    for (request, response) in [("Connection: close\r\n", ""), ("", "Connection: close\r\n")] {
      let book = try Playbook(cut)
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\(request)\r\n")
      #expect(!book.serverGot().contains("onnection"))
      book.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(response)\r\nok")
      #expect(
        book.deviceGot() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
      )
      #expect(book.downstreamClose == .writing)
      #expect(book.upstreamClose != nil)
      book.expectCleanEnd()
    }
  }
}

extension String {
  /// The content of a message in chunks.
  var unchunked: String {
    guard let start = self.firstRange(of: "\r\n\r\n") else { return "" }
    var content = ""
    var rest = self[start.upperBound...]
    while let line = rest.firstRange(of: "\r\n"),
      let size = Int(rest[..<line.lowerBound], radix: 16), size > 0
    {
      let bytes = rest[line.upperBound...].utf8.prefix(size)
      content += String(decoding: bytes, as: UTF8.self)
      rest = rest[bytes.endIndex...].dropFirst()  // CRLF is one Character
    }
    return content
  }
}
