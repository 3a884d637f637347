import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// A ClientHello as bytes, from a device that then says nothing.
func hello(for name: String) throws -> Bytes {
  let context = try TLSClientContext(roots: .pem(World.proxyCA.get().certificatePEM))
  let session = try TLSSession.client(
    context,
    host: World.host(name),
    applicationProtocols: ["http/1.1"]
  )
  return session.takeOutput()
}

/// A session as it goes when nothing is wrong.
enum Script: CaseIterable, Sendable {
  case intercepted
  case plain
  case sinkholed
  case redacted
  case scanned
  case scannedStreams
  case opaque
  case own
  case http2
  case socket
  case socketStream

  func play(
    _ fault: (at: Int, kind: Fault)?,
    cut: Cut = .whole,
    isFull: Bool = false
  ) throws -> Playbook {
    let rules: [Rule]
    switch self {
    case .intercepted, .plain, .opaque, .own, .http2, .scanned, .scannedStreams: rules = []
    case .sinkholed: rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    case .redacted, .socket, .socketStream:
      rules = [rule("imei", .redact) { $0.finding = ["imei"] }]
    }
    let mode: Mode =
      switch self {
      case .intercepted, .plain, .opaque, .own, .http2: .record
      case .redacted, .socket, .socketStream: .redact
      case .sinkholed, .scanned, .scannedStreams: .block
      }
    let scanners: [any Scanner] =
      switch self {
      case .scanned, .scannedStreams: [FakeScanner()]
      case .intercepted, .plain, .opaque, .own, .http2, .redacted, .socket, .socketStream,
        .sinkholed:
        []
      }
    let book = try Playbook(cut, mode: mode, rules: rules, isFull: isFull, scanners: scanners)
    book.fault = fault
    switch self {
    case .intercepted: try self.exchanges(book)
    case .redacted: try self.exchanges(book, body: #"{"imei":"\#(World.imei)"}"#)
    case .scanned:
      try book.tunnel()
      for _ in 0..<2 {
        book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\nhello")
        book.scanner()
        book.server("HTTP/1.1 200 OK\r\n\r\nuntil")
        book.serverCloses()
        book.scanner()
      }
    case .scannedStreams:
      try book.tunnel(offering: ["h2"], selecting: "h2")
      let play = try HTTP2Play(book, isLenient: true)
      _ = play.post("/a", "hello")
      _ = play.get("/b")
      book.scanner()
      if let first = book.scans.first {
        play.give(.scanned(first.id, .success(ScanAnswer())))
      }
      try play.reply(to: "/a", 200, [], "whole")
      book.scanner(.refuse(reason: "because"))
    case .sinkholed:
      try book.tunnel(at: "203.0.113.5")
      book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\nhello")
    case .plain:
      book.device("POST http://api.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
      book.resolve("192.0.2.7", "192.0.2.8")
      try book.connect()
      book.device("lo")
      book.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
      book.server("0\r\n\r\n")
      book.device("GET http://www.example/ HTTP/1.1\r\nHost: a\r\n\r\n")
      book.resolve("192.0.2.9")
      book.connectFails()
    case .opaque:
      book.device("CONNECT api.example:22 HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.resolve("192.0.2.7")
      try book.connect()
      book.device("SSH-2.0-x\r\n")
      book.server("SSH-2.0-y\r\n")
      book.serverCloses()
      book.device("bye")
    case .own:
      book.device("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
      book.device("CONNECT check.tidewaiter.internal:443 HTTP/1.1\r\nHost: a\r\n\r\n")
      book.skipGot()
      try book.deviceHandshake("check.tidewaiter.internal")
      book.device("GET /2 HTTP/1.1\r\nHost: check.tidewaiter.internal\r\n\r\n")
    case .http2:
      try book.tunnel(offering: ["h2"], selecting: "h2")
      let play = try HTTP2Play(book, isLenient: true)
      _ = play.get("/a")
      let up = play.open("POST", "/up")
      play.upload("half", on: up)
      try play.reply(to: "/a", 200, [], "half", isLast: false)
      try play.send("whole", to: "/a", isLast: true)
      play.upload("whole", on: up, isLast: true)
      try play.reply(to: "/up", 204)
    case .socket:
      try book.tunnel()
      let play = SocketPlay(book, nil)
      play.ask()
      book.server(SocketPlay.agreement + "\r\n")
      try self.messages(play)
    case .socketStream:
      try book.tunnel(offering: ["h2"], selecting: "h2")
      let http2 = try HTTP2Play(book, offersWebSocket: true, isLenient: true)
      let play = SocketPlay(book, http2)
      play.ask()
      try http2.reply(to: "/chat", 200, isLast: false)
      try self.messages(play)
    }
    return book
  }

  private func messages(_ play: SocketPlay) throws {
    play.deviceSends(play.device.frame(.text, "hello"))
    try play.serverSends(play.server.frame(.text, "imei=\(World.imei) "))
    play.deviceSends(play.device.close(1000))
    try play.serverSends(play.server.close(1000))
  }

  private func exchanges(_ book: Playbook, body: String = "hello") throws {
    try book.tunnel()
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    )
    book.server("HTTP/1.1 100 Continue\r\n\r\n")
    book.server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
    book.server("ok")
    book.device("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server("HTTP/1.1 200 OK\r\n\r\nuntil")
    book.serverCloses()
  }
}

/// What may come instead of the event that a script wants.
enum Fault: CaseIterable, Sendable {
  case deviceEnds
  case deviceResets
  case serverEnds
  case serverResets
  case replyFails
  case timePasses
  case stops
}

@Suite struct FaultTests {
  @Test(
    "Whatever comes instead of any reply, the connection ends once, recorded, with nothing left",
    arguments: Script.allCases,
    Fault.allCases
  )
  func everyReplyReplaced(script: Script, fault: Fault) throws {
    let length = try script.play(nil).eventCount
    #expect(length > 3)
    for position in 1...length {
      let book = try script.play((at: position, kind: fault))
      book.expectCleanEnd()
      #expect(
        book.sink.events.count { if case .connectionOpened = $0 { true } else { false } } == 1
      )
    }
  }

  @Test(
    "With a recorder that never has room every script still ends cleanly",
    arguments: Script.allCases
  )
  func neverRoom(script: Script) throws {
    let book = try script.play(nil, isFull: true)
    book.expectCleanEnd()
  }

  @Test("No order of events traps, or leaves a flow open", arguments: 0..<60)
  func soup(seed: Int) throws {
    var random = Seeded(state: UInt64(seed))
    let rules: [Rule] = [
      rule("no-cn", .block) { $0.region = ["lab-cn"] },
      rule("imei", seed % 2 == 0 ? .redact : .block) { $0.finding = ["imei"] },
    ]
    let book = try Playbook(
      mode: Mode.allCases[seed % 4],
      rules: rules,
      passthrough: seed % 3 == 0 ? ["api.example"] : [],
      fronting: seed % 5 == 0 ? .judge : .refuse,
      scanners: seed % 3 == 2 ? [FakeScanner(), FakeScanner(name: "b", onError: .bypass)] : []
    )
    let name = try #require(Hostname("api.example"))
    let addresses = ["192.0.2.7", "203.0.113.5", "127.0.0.1"].map(World.address)
    let spoon: [Bytes] = [
      "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n",
      "GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n",
      "POST http://api.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      "5\r\nhello\r\n", "0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "\r\n", "GET", "\u{16}\u{3}\u{1}", "x",
      "HTTP/1.1 204 No Content\r\n\r\n", Bytes("imei=\(World.imei)"), try hello(for: "api.example"),
      try hello(for: "ads.example"),
    ]
    if seed % 4 > 1 { try book.tunnel() }
    for _ in 0..<400 where !book.isFinished {
      let leg: Leg =
        Bool.random(using: &random)
        ? .downstream
        : book.dialling.map { .upstream($0.id) }
          ?? book.upstream.map { .upstream($0) } ?? .upstream(UpstreamID(9))
      switch Int.random(in: 0..<43, using: &random) {
      case 0..<16:
        let bytes = spoon[Int.random(in: 0..<spoon.count, using: &random)]
        if leg == .downstream { book.device(bytes: bytes) } else { book.server(bytes: bytes) }
      case 16..<20: book.give(.congested(leg))
      case 20..<24: book.give(.drained(leg))
      case 24: book.give(.closed(leg, Bool.random(using: &random) ? .end : .reset))
      case 25..<28:
        let address = addresses[Int.random(in: 0..<3, using: &random)]
        book.give(.resolved(name, .success(Resolution(addresses: [address], source: "test"))))
      case 28: book.resolveFails()
      case 29..<32: try book.connect(as: seed % 3 == 1 ? "api.example" : nil)
      case 32: book.connectFails()
      case 33..<35: book.sink.isFull.toggle()
      case 35..<37: book.give(.roomAvailable)
      case 37..<39: book.tick(afterSeconds: UInt64.random(in: 0..<9, using: &random))
      case 39: if seed % 7 == 0 { book.give(.shutdown) }
      case 40: book.scanner()
      case 41:
        let head = MessageHead(start: .response(status: 200, reason: "OK"), fields: HeaderFields())
        book.scanner(
          [.refuse(reason: "no"), .replace(head, content: "new")][
            Int.random(in: 0..<2, using: &random)
          ],
          findings: [ScanFinding(kind: .email, certainty: .likely, range: 0..<3, value: "abc")]
        )
      default: book.scannerFails()
      }
    }
    book.expectCleanEnd()
  }
}
