import Testing
import TideCoding
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }

/// Ways round the rules, and ways to bring the proxy down, that somebody could think of.
@Suite struct AttackTests {
  // MARK: WebSocket

  @Test(
    "Content in what looks like a request for a WebSocket meets the rules on content",
    arguments: Cut.allCases
  )
  func contentInUpgrade(cut: Cut) throws {
    let play = try SocketPlay(.upgrade, cut, mode: .block, rules: [blocking], opens: false)
    let body = "imei=\(World.imei) "
    play.book.device(
      SocketPlay.upgrade + "Content-Length: \(body.utf8.count)\r\n\r\n" + body,
      in: cut
    )
    #expect(!play.book.serverGot().contains("4901"))
    #expect(play.book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    play.expectCleanEnd()
  }

  @Test("An extended CONNECT whose frames nobody could read is refused", arguments: Cut.allCases)
  func unversionedConnect(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking], offersWebSocket: true)
    for fields in [[], [("sec-websocket-version", "8")]] {
      let stream = play.open("CONNECT", "/chat", fields, protocolName: "websocket")
      #expect(play.answer(stream).status == 400)
    }
    #expect(play.asked.isEmpty)
    play.expectCleanEnd()
  }

  @Test(
    "A WebSocket that its device ends before the server agrees is refused",
    arguments: Cut.allCases
  )
  func endedEarly(cut: Cut) throws {
    let play = try SocketPlay(.extendedConnect, cut, opens: false)
    play.ask()
    let http2 = try #require(play.http2)
    http2.upload(play.device.frame(.text, "x"), on: play.stream, isLast: true)
    #expect(http2.answer(play.stream).status == 400)
    #expect(http2.asked.allSatisfy { $0.body.isEmpty && !$0.isWhole })
    play.expectCleanEnd()
  }

  @Test(
    "A WebSocket that is stopped after one of its ends has ended its side ends once",
    arguments: SocketWay.allCases
  )
  func stoppedHalfEnded(way: SocketWay) throws {
    let play = try SocketPlay(way, mode: .block, rules: [blocking])
    if let http2 = play.http2 {
      http2.attempt { try http2.device.codec.sendEnd(on: play.stream) }
    } else {
      play.book.deviceEndsTLS()
    }
    try play.serverSends(play.server.frame(.text, "imei=\(World.imei) "))
    #expect(!String(decoding: play.device.raw, as: UTF8.self).contains("4901"))
    #expect(play.device.heard == ["close 1008 blocked by a rule"])
    #expect(try play.book.flow().failure == .blockedByRule)
    play.expectCleanEnd()
  }

  @Test("Frames that hold nothing are not held without end", arguments: SocketWay.allCases)
  func emptyFragments(way: SocketWay) throws {
    let play = try SocketPlay(way, mode: .block, rules: [blocking])
    play.deviceSends(play.device.frame(.text, "x", isFinal: false))
    var empty = Bytes()
    for _ in 0..<1_000 { empty.append(play.device.frame(.continuation, "", isFinal: false)) }
    for _ in 0..<40 where !play.isOver { play.deviceSends(empty) }
    #expect(play.isOver)
    #expect(try play.book.flow().failure == .notRedactable)
    play.expectCleanEnd()
  }

  @Test(
    "What does not inflate goes on byte for byte where nothing is enforced",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func notInflatable(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut, extensions: "permessage-deflate")
    var sent = WebSocketWriter.frame(.text, "\u{7}no deflate", isCompressed: true, mask: 7)
    sent.append(play.device.frame(.binary, String(repeating: "z", count: 200)))
    sent.append(play.device.frame(.ping, "p"))
    var raw: [UInt8] = []
    // Cut within a header, so that the reader holds a part of it.
    for piece in [sent.slice(0..<18), sent.dropping(first: 18)] {
      if let http2 = play.http2 {
        http2.upload(piece, on: play.stream)
        raw = http2.asked.last?.body ?? []
      } else {
        play.book.device(bytes: piece)
        raw += play.book.serverGotBytes().array
      }
    }
    #expect(raw == sent.array)
    play.expectCleanEnd()
  }

  @Test(
    "A message that cannot be compressed anew after a redacted one stops the WebSocket",
    arguments: SocketWay.allCases
  )
  func notCompressedAnew(way: SocketWay) throws {
    let allowing = rule("imei", .redact, otherwise: .allow) { $0.finding = ["imei"] }
    let play = try SocketPlay(
      way,
      mode: .redact,
      rules: [allowing],
      extensions: "permessage-deflate"
    )
    play.deviceSends(play.device.compressed("imei=\(World.imei) "))
    #expect(play.server.heard.count == 1)
    let text = (0..<150_000).map { "\($0 % 89) \($0 % 97)," }.joined()
    #expect(text.utf8.count > 800_000)
    play.deviceSends(play.device.compressed(text + text))
    #expect(play.server.heard.count == 2)
    #expect(play.server.heard.last?.hasPrefix("close 1008") == true, "never a message cut short")
    play.expectCleanEnd()
  }

  @Test("Frames far ahead of the server's agreement are read on once it has come")
  func farAhead() throws {
    let play = try SocketPlay(.upgrade, opens: false)
    play.ask()
    #expect(play.book.serverGot().hasPrefix("GET /chat"))
    let text = String(repeating: "z", count: 60_000)
    for _ in 0..<3 { play.book.device(bytes: play.device.frame(.text, text)) }
    #expect(play.book.isDownstreamPaused)
    play.book.server(SocketPlay.agreement + "\r\n")
    #expect(!play.book.isDownstreamPaused)
    play.listen()
    #expect(play.server.heard.count == 3)
    play.expectCleanEnd()
  }

  // MARK: Names

  @Test(
    "An absolute URL inside a tunnel decides, and Host is made to agree",
    arguments: Cut.allCases
  )
  func absoluteInTunnel(cut: Cut) throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("GET https://api.example/a HTTP/1.1\r\nHost: other.example\r\n\r\n", in: cut)
    #expect(book.serverGot() == "GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.expectCleanEnd()
  }

  @Test("Drafts of HTTP/2 are not offered to a server, which could mean HTTP by them")
  func draftNames() throws {
    let book = try Playbook()
    try book.tunnel(offering: ["h2-14", "spdy/3.1", "http/1.1"], selecting: "http/1.1")
    #expect(book.deviceTLS?.applicationProtocol == "http/1.1")
    book.device("GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot().hasPrefix("GET /a "))
    book.expectCleanEnd()
  }

  @Test(
    "In redact mode a stream to a blocked region goes on while nothing is found in it",
    arguments: Cut.allCases
  )
  func nothingFound(cut: Cut) throws {
    let watching = rule("no-cn", .block) {
      $0.region = ["lab-cn"]
      $0.protocolName = ["stream"]
    }
    let book = try Playbook(mode: .redact, rules: [watching])
    try book.tunnel(at: "203.0.113.5", offering: [], selecting: nil)
    book.device("\u{0}hello" + String(repeating: "z", count: 6_000), in: cut)
    #expect(book.serverGot().hasPrefix("\u{0}hello"))
    book.device(" imei=\(World.imei) " + String(repeating: "z", count: 3_000), in: cut)
    #expect(!book.serverGot().contains("4901"))
    #expect(try book.flow().failure == .notRedactable)
    book.expectCleanEnd()
  }

  // MARK: HTTP/2

  @Test("Many streams that are held do not take each other's room for ever")
  func heldTogether() throws {
    var limits = Limits()
    limits.streamWindow = 1 << 16
    limits.connectionWindow = 1 << 17
    limits.heldPerConnection = 100_000
    let play = try HTTP2Play(mode: .redact, rules: [redacting], limits: limits)
    let big = Bytes([UInt8](repeating: 0x7A, count: 200_000))
    let streams = (1...8).map { play.open("POST", "/\($0)") }
    for stream in streams { play.upload(big, on: stream, isLast: true) }
    #expect(play.asked.count == 8)
    #expect(play.asked.allSatisfy { $0.isWhole && $0.body.count == 200_000 })
    play.expectCleanEnd()
  }

  @Test(
    "Trailers after no content at all go through, and a head without END_STREAM is no end",
    arguments: Cut.allCases
  )
  func trailersAfterNothing(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let post = play.open("POST", "/a", [("content-length", "0")])
    #expect(play.asked.first?.isWhole == false)
    play.uploadTrailers([("x-sum", "1")], on: post)
    #expect(play.asked.first?.trailers?.first("x-sum") == "1")
    try play.reply(to: "/a", 200, [("content-length", "0")], isLast: false)
    try play.sendTrailers([("grpc-status", "0")], to: "/a")
    #expect(play.answer(post).trailers?.first("grpc-status") == "0")
    #expect(play.answer(post).isWhole)
    play.expectCleanEnd()
  }

  // MARK: Labels that lie

  @Test(
    "A gRPC message compressed by what nobody names does not pass an enforced rule",
    arguments: Cut.allCases
  )
  func unnamedCompression(cut: Cut) throws {
    for coding in [nil, "identity", "gzip, gzip"] {
      let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
      let fields =
        [("content-type", "application/grpc")] + (coding.map { [("grpc-encoding", $0)] } ?? [])
      let stream = play.open("POST", "/a.B/C", fields)
      play.upload(Bytes([1, 0, 0, 0, 5] + Array("\u{1F}abcd".utf8)), on: stream, isLast: true)
      #expect(play.answer(stream).field("grpc-status") == "7")
      #expect(play.asked.allSatisfy { $0.body.isEmpty && !$0.isWhole })
      play.expectCleanEnd()
    }
  }

  @Test(
    "Content that is compressed as a whole is read, whatever its type says of units",
    arguments: Cut.allCases
  )
  func compressedUnits(cut: Cut) throws {
    for type in ["application/grpc", "application/x-ndjson", "text/event-stream"] {
      let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
      let stream = play.open("POST", "/a", [("content-type", type), ("content-encoding", "gzip")])
      let body = Gzip.encode(Bytes("imei=\(World.imei) "))
      play.upload(body, on: stream, isLast: true)
      #expect(try play.flow("/a").failure == .blockedByRule)
      #expect(play.asked.allSatisfy { !$0.isWhole })
      play.expectCleanEnd()
    }
  }
}
