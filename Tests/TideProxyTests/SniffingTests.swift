import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
private let get = "GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }

/// What is spoken inside a tunnel where ALPN does not say: told by the first bytes.
@Suite struct SniffingTests {
  /// A tunnel with TLS whose ends agreed on no protocol.
  private func secure(
    _ mode: Mode = .record,
    _ rules: [Rule] = [],
    offering offer: [String] = [],
    selecting choice: String? = nil,
    at address: String = "192.0.2.7"
  ) throws -> Playbook {
    let book = try Playbook(mode: mode, rules: rules)
    try book.tunnel(at: address, offering: offer, selecting: choice)
    #expect(book.deviceTLS?.isEstablished == true)
    return book
  }

  /// A tunnel that has no TLS.
  private func plain(
    _ mode: Mode = .record,
    _ rules: [Rule] = [],
    at address: String = "192.0.2.7"
  ) throws -> Playbook {
    let book = try Playbook(mode: mode, rules: rules)
    book.device(connect)
    book.resolve(address)
    try book.connect()
    book.skipGot()
    return book
  }

  // MARK: HTTP

  @Test("HTTP without ALPN is handled as HTTP, with TLS and without", arguments: Cut.allCases)
  func withoutALPN(cut: Cut) throws {
    for (book, scheme) in [(try self.secure(), "https"), (try self.plain(), "http")] {
      book.device(get, in: cut)
      #expect(book.serverGot() == get)
      book.server(ok, in: cut)
      #expect(book.deviceGot() == ok)
      book.device(get, in: cut)
      #expect(book.serverGot() == get, "and the next request too")
      let flow = try #require(book.flows.first)
      #expect(flow.start.protocolName == "http/1.1")
      #expect(flow.start.url.hasPrefix("\(scheme)://api.example") && flow.start.url.hasSuffix("/a"))
      #expect(flow.failure == nil)
      book.expectCleanEnd()
    }
  }

  @Test(
    "A method that nobody knows, in a line that ends as a request's does, is HTTP",
    arguments: Cut.allCases
  )
  func unknownMethod(cut: Cut) throws {
    let book = try self.secure()
    let request = get.replacing("GET", with: "PROPFIND")
    book.device(request, in: cut)
    #expect(book.serverGot() == request)
    book.expectCleanEnd()
  }

  @Test(
    "White space before a method is still HTTP and meets the strict parser",
    arguments: Cut.allCases
  )
  func whiteSpace(cut: Cut) throws {
    for junk in [" ", "\t", "\r", "\u{B}", " \n "] {
      let book = try self.secure(.block, [blocking])
      book.device(junk + get, in: cut)
      #expect(book.serverGot().isEmpty, "no rule on requests is got round")
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 400 "))
      book.expectCleanEnd()
    }
  }

  @Test(
    "HTTP/2 with prior knowledge goes through, with TLS without ALPN and without TLS",
    arguments: Cut.allCases
  )
  func priorKnowledge(cut: Cut) throws {
    let play = try HTTP2Play(cut, isSecure: false)
    let stream = play.get("/a")
    #expect(play.asked.map(\.path) == ["/a"])
    #expect(play.asked.first?.head?.pseudo?.scheme == "http")
    try play.reply(to: "/a", 200, [], "ok")
    #expect(play.answer(stream).text == "ok")
    let flow = try play.book.flow()
    #expect(flow.start.protocolName == "h2")
    #expect(flow.start.url.hasPrefix("http://api.example"))
    play.expectCleanEnd()
  }

  @Test("HTTP after CONNECT without TLS meets the rules on requests", arguments: Cut.allCases)
  func plainRules(cut: Cut) throws {
    let book = try self.plain(.block, [blocking], at: "203.0.113.5")
    book.device(get.replacing("/a", with: "/a?imei=\(World.imei)"), in: cut)
    #expect(book.serverGot().isEmpty)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(try book.flow().failure == .blockedByRule)
    book.expectCleanEnd()
  }

  @Test(
    "A request begun slowly is waited for as a head is, then given up",
    arguments: ["GE", "  ", "PRI * HT"]
  )
  func slowRequest(begun: String) throws {
    let book = try self.secure()
    book.device(begun)
    book.tick(afterSeconds: 14)
    #expect(!book.isFinished)
    book.tick(afterSeconds: 2)
    #expect(book.isFinished)
    #expect(book.serverGot().isEmpty)
    #expect(try book.flow().failure == .idleTimeout)
    book.expectCleanEnd()
  }

  @Test("A request whose first bytes come in two halves is one request")
  func slowButInTime() throws {
    let book = try self.secure()
    book.device("GE")
    book.tick(afterSeconds: 10)
    book.device(String(get.dropFirst(2)))
    #expect(book.serverGot() == get)
    book.expectCleanEnd()
  }

  @Test("A server that answers before it was asked is refused")
  func unaskedAnswer() throws {
    let book = try self.secure()
    book.server(ok)
    #expect(book.deviceGot().isEmpty)
    #expect(try book.flow().failure == .malformedMessage)
    book.expectCleanEnd()
  }

  // MARK: Streams

  @Test(
    "A protocol that is not HTTP goes both ways, recorded and inspected",
    arguments: Cut.allCases
  )
  func stream(cut: Cut) throws {
    let book = try self.secure(.record, [blocking])
    book.device("\u{0}\u{1}hello imei=\(World.imei) ", in: cut)
    #expect(book.serverGot() == "\u{0}\u{1}hello imei=\(World.imei) ")
    book.server("\u{2}world", in: cut)
    #expect(book.deviceGot() == "\u{2}world")
    let flow = try book.flow()
    #expect(flow.start.protocolName == "stream")
    #expect(flow.requestBody == "\u{0}\u{1}hello imei=\(World.imei) ")
    #expect(flow.responseBody == "\u{2}world")
    #expect(flow.coverage == [.byteStream])
    book.deviceEndsTLS()
    #expect(try book.flow().findings.map(\.kind) == [.imei])
    book.expectCleanEnd()
    #expect(try book.flow().end?.verdict.decided == .block)
    #expect(try book.flow().end?.verdict.applied == .log)
  }

  @Test(
    "A protocol that ALPN names and that is not HTTP is a stream from its first byte",
    arguments: Cut.allCases
  )
  func namedProtocol(cut: Cut) throws {
    let book = try self.secure(offering: ["mqtt"], selecting: "mqtt")
    #expect(book.deviceTLS?.applicationProtocol == "mqtt")
    book.server("hi", in: cut)
    #expect(book.deviceGot() == "hi")
    book.device("GET / not HTTP", in: cut)
    #expect(book.serverGot() == "GET / not HTTP")
    #expect(try book.flow().start.protocolName == "stream")
    book.expectCleanEnd()
  }

  @Test(
    "A server that speaks first makes a stream, and nothing of the device's is lost",
    arguments: Cut.allCases
  )
  func serverFirst(cut: Cut) throws {
    for book in [try self.secure(), try self.plain()] {
      book.server("220 mail.example\r\n", in: cut)
      #expect(book.deviceGot() == "220 mail.example\r\n")
      book.device("EHLO a\r\n", in: cut)
      #expect(book.serverGot() == "EHLO a\r\n")
      #expect(try book.flow().responseBody == "220 mail.example\r\n")
      book.expectCleanEnd()
    }
  }

  @Test("Bytes that could begin a request of nobody's are taken for a stream after a second")
  func slowStream() throws {
    let book = try self.secure()
    book.device("user")
    #expect(book.serverGot().isEmpty)
    book.tick(afterSeconds: 2)
    #expect(book.serverGot() == "user")
    book.device(" more")
    #expect(book.serverGot() == " more")
    #expect(try book.flow().requestBody == "user more")
    book.expectCleanEnd()
  }

  @Test(
    "A request whose unknown method came a second before the rest is no stream: it ends there",
    arguments: Cut.allCases
  )
  func requestInPieces(cut: Cut) throws {
    let book = try self.secure()
    book.device("FOO")
    book.tick(afterSeconds: 2)
    #expect(book.serverGot() == "FOO")
    book.device(" /upload HTTP/1.1\r\nHost: api.example\r\n\r\n", in: cut)
    #expect(!book.serverGot().contains("HTTP/1.1\r\n"))
    #expect(book.isFinished)
    #expect(try book.flow().failure == .malformedMessage)
    book.expectCleanEnd()
  }

  @Test("A stream that its device half-closes goes on the other way", arguments: [true, false])
  func deviceHalfCloses(isSecure: Bool) throws {
    let book = isSecure ? try self.secure() : try self.plain()
    book.device("\u{0}hello")
    if isSecure { book.deviceEndsTLS() }
    book.deviceCloses(.end)
    #expect(book.upstreamClose == .writing)
    #expect(!book.isFinished)
    book.server("bye")
    #expect(book.deviceGot() == "bye")
    book.serverCloses()
    #expect(book.isFinished)
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A stream that its server half-closes still takes the device's bytes",
    arguments: [true, false]
  )
  func serverHalfCloses(isSecure: Bool) throws {
    let book = isSecure ? try self.secure() : try self.plain()
    book.device("\u{0}hello")
    book.serverCloses()
    #expect(book.downstreamClose == .writing)
    #expect(!book.isFinished)
    book.device("more")
    #expect(book.serverGot() == "\u{0}hellomore")
    if isSecure { book.deviceEndsTLS() }
    book.deviceCloses(.end)
    #expect(book.isFinished)
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A stream that is cut without close_notify, or reset, is recorded as cut",
    arguments: [CloseKind.end, .reset]
  )
  func cut(kind: CloseKind) throws {
    let book = try self.secure()
    book.device("\u{0}hello")
    book.serverCloses(kind, isCut: true)
    #expect(book.downstreamClose == .abort)
    #expect(try book.flow().failure == .truncated)
    book.expectCleanEnd()
  }

  @Test(
    "An identifier in a stream blocks it: no byte of it leaves, both legs are cut",
    arguments: Cut.allCases
  )
  func blockStream(cut: Cut) throws {
    let book = try self.secure(.block, [blocking])
    book.device("\u{0}" + String(repeating: "z", count: 6_000), in: cut)
    book.device(" imei=\(World.imei) " + String(repeating: "z", count: 3_000), in: cut)
    #expect(!book.serverGot().contains("4901"))
    #expect(book.downstreamClose == .abort)
    #expect(book.upstreamClose == .abort)
    let flow = try book.flow()
    #expect(flow.failure == .blockedByRule)
    #expect(flow.end?.exposure ?? 0 > 1_000)
    book.expectCleanEnd()
  }

  @Test(
    "An identifier in a stream that is to be redacted follows otherwise",
    arguments: [Action.block, .allow]
  )
  func redactStream(otherwise: Action) throws {
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let book = try self.secure(.redact, [redacting])
    book.device("\u{0}hello imei=\(World.imei) and on")
    book.device(String(repeating: "z", count: 3_000))
    let got = book.serverGot()
    if otherwise == .block {
      #expect(!got.contains("4901"))
      #expect(book.downstreamClose == .abort)
      #expect(try book.flow().failure == .notRedactable)
    } else {
      #expect(got.contains("imei=\(World.imei) and on"))
      #expect(try book.flow().notes.count == 1)
    }
    book.expectCleanEnd()
  }

  @Test(
    "What is not HTTP after CONNECT without TLS is refused where a rule enforces its region",
    arguments: Cut.allCases
  )
  func plainRefused(cut: Cut) throws {
    let watching = rule("no-imei-to-cn", .redact) {
      $0.region = ["lab-cn"]
      $0.finding = ["imei"]
    }
    for isServerFirst in [false, true] {
      let book = try self.plain(.redact, [watching], at: "203.0.113.5")
      if isServerFirst {
        book.server("220 mail\r\n", in: cut)
      } else {
        book.device("SSH-2.0-x\r\n", in: cut)
      }
      #expect(book.serverGot().isEmpty && book.deviceGot().isEmpty)
      #expect(try book.flow().failure == .opaque)
      book.expectCleanEnd()
    }
    let elsewhere = try self.plain(.redact, [watching])
    elsewhere.device("SSH-2.0-x\r\n", in: cut)
    #expect(elsewhere.serverGot() == "SSH-2.0-x\r\n")
    elsewhere.expectCleanEnd()
  }

  @Test("A stream over which nothing comes ends after the idle time", arguments: [true, false])
  func idle(isSecure: Bool) throws {
    let book = isSecure ? try self.secure() : try self.plain()
    book.device("\u{0}hello")
    book.tick(afterSeconds: 301)
    #expect(book.isFinished)
    #expect(try book.flow().failure == .idleTimeout)
    book.expectCleanEnd()
  }

  @Test("A device that says nothing after its handshake is let go after the idle time, unrecorded")
  func silent() throws {
    let book = try self.secure()
    book.tick(afterSeconds: 301)
    #expect(book.isFinished)
    #expect(book.flows.isEmpty)
    book.expectCleanEnd()
  }
}
