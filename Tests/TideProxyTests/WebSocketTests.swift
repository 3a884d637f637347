import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// WebSockets go through frame by frame, whichever way they were asked for.
@Suite struct WebSocketTests {
  @Test(
    "Messages go both ways, and each is recorded with its kind and direction",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func echo(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut)
    play.deviceSends(play.device.frame(.text, "hello"))
    #expect(play.server.heard == ["text hello"])
    try play.serverSends(play.server.frame(.text, "world"), play.server.frame(.binary, "\u{1}"))
    #expect(play.device.heard == ["text world", "text \u{1}"])
    play.deviceSends(play.device.close(1000, "bye"))
    try play.serverSends(play.server.close(1000))
    #expect(play.server.heard.last == "close 1000 bye")
    #expect(play.device.heard.last == "close 1000")
    let flow = try play.book.flow()
    #expect(flow.start.protocolName == "websocket")
    #expect(flow.start.url == "https://api.example/chat")
    #expect(flow.messages.map(\.message.kind) == [.text, .text, .binary, .close, .close])
    #expect(flow.messages.map(\.direction).first == .request)
    #expect(flow.messages.map(\.message.payload.text).prefix(2) == ["hello", "world"])
    #expect(flow.messages.allSatisfy { $0.stage == .original })
    play.expectCleanEnd()
    let end = try #require(try play.book.flow().end)
    #expect(end.status == (way == .upgrade ? 101 : 200))
    #expect(end.requestBytes > 0 && end.responseBytes > 0)
  }

  @Test(
    "Fragments, their masks and the control frames between them go on byte for byte",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func fragments(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut)
    let frames = [
      play.device.frame(.text, "one ", isFinal: false), play.device.frame(.ping, "p"),
      play.device.frame(.continuation, "", isFinal: false), play.device.frame(.pong, "q"),
      play.device.frame(.continuation, "two"), play.device.frame(.binary, ""),
    ]
    var sent = Bytes()
    for frame in frames {
      play.deviceSends(frame)
      sent.append(frame)
    }
    #expect(play.server.raw == sent.array)
    #expect(play.server.heard == ["ping p", "pong q", "text one two in 3", "text "])
    let messages = try play.book.flow().messages
    #expect(messages.map(\.message.kind) == [.ping, .pong, .text, .binary])
    #expect(messages[2].message.frames == 3)
    play.expectCleanEnd()
  }

  @Test("A message of more than a mebibyte goes through, and its record says how large it was")
  func large() throws {
    for way in SocketWay.allCases {
      let play = try SocketPlay(way)
      let text = String(repeating: "z", count: 1_500_000)
      try play.serverSends(play.server.frame(.text, text))
      #expect(play.device.heard.first?.utf8.count == 5 + text.utf8.count)
      let message = try #require(try play.book.flow().messages.first?.message)
      #expect(message.size == 1_500_000)
      #expect(message.payload.count == 1 << 20)
      play.expectCleanEnd()
    }
  }

  @Test(
    "Compressed messages are inspected and recorded as text, and go on as they came",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func compressed(way: SocketWay, cut: Cut) throws {
    let rules = [rule("imei", .block) { $0.finding = ["imei"] }]
    let play = try SocketPlay(way, cut, rules: rules, extensions: "permessage-deflate")
    let frames = ["hello hello", "hello imei=\(World.imei) "].map { play.device.compressed($0) }
    for frame in frames { play.deviceSends(frame) }
    #expect(play.server.raw == frames.flatMap(\.array))
    #expect(play.server.heard == ["text hello hello", "text hello imei=\(World.imei) "])
    let flow = try play.book.flow()
    #expect(flow.messages.map(\.message.payload.text).first == "hello hello")
    #expect(flow.messages.allSatisfy { $0.message.isCompressed })
    #expect(flow.findings.count == 1)
    #expect(flow.findings.first?.location == .websocket)
    play.expectCleanEnd()
    #expect(try play.book.flow().end?.verdict.decided == .block)
  }

  @Test(
    "A refused upgrade is an answer like any other, and the connection goes on",
    arguments: Cut.allCases
  )
  func refused(cut: Cut) throws {
    let play = try SocketPlay(.upgrade, cut, opens: false)
    play.ask()
    play.book.skipGot()
    play.book.server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", in: cut)
    #expect(play.book.deviceGot() == "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    play.book.device("GET /next HTTP/1.1\r\nHost: api.example\r\n\r\n", in: cut)
    #expect(play.book.serverGot().hasPrefix("GET /next "))
    #expect(play.book.flows.first?.end?.status == 403)
    #expect(play.book.flows.first?.failure == nil)
    play.expectCleanEnd()
  }

  @Test("A refused extended CONNECT is an answer like any other", arguments: Cut.allCases)
  func refusedStream(cut: Cut) throws {
    let play = try SocketPlay(.extendedConnect, cut, opens: false)
    let http2 = try #require(play.http2)
    play.ask()
    try http2.reply(to: "/chat", 403, [], "no")
    #expect(http2.answer(play.stream).status == 403)
    #expect(http2.answer(play.stream).text == "no")
    #expect(http2.answer(play.stream).isWhole)
    play.expectCleanEnd()
    #expect(try play.book.flow().end?.status == 403)
  }

  @Test("Extended CONNECT is offered to the device only once the server has offered it")
  func offered() throws {
    let without = try HTTP2Play()
    #expect(!without.device.allowsExtendedConnect)
    without.attempt { without.server.codec.allowExtendedConnect() }
    #expect(without.device.allowsExtendedConnect)
    without.expectCleanEnd()
  }

  @Test(
    "A 101 with a wrong key, without an upgrade, or that nobody asked for, is a bad gateway",
    arguments: [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: c3BPTE1CaVR4YVE5a1lHenpoWlJiSyt4T28=\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n",
      SocketPlay.agreement + "Sec-WebSocket-Extensions: x-other\r\n\r\n",
    ],
    Cut.allCases
  )
  func badAcceptance(answer: String, cut: Cut) throws {
    let play = try SocketPlay(.upgrade, cut, opens: false)
    play.ask()
    play.book.skipGot()
    play.book.server(answer, in: cut)
    #expect(play.book.deviceGot().hasPrefix("HTTP/1.1 502 "))
    #expect(play.book.upstreamClose == .abort)
    #expect(try play.book.flow().failure == .malformedMessage)
    play.expectCleanEnd()
  }

  @Test("What the device sends before the 101 waits for it, then goes on", arguments: Cut.allCases)
  func early(cut: Cut) throws {
    let play = try SocketPlay(.upgrade, cut, opens: false)
    play.ask()
    let asked = play.book.serverGot()
    play.deviceSends(play.device.frame(.text, "early"))
    #expect(play.server.raw.isEmpty)
    play.book.server(SocketPlay.agreement + "\r\n", in: cut)
    #expect(play.book.deviceGot().hasPrefix("HTTP/1.1 101 "))
    play.listen()
    #expect(play.server.heard == ["text early"])
    #expect(!asked.contains("early"))
    play.expectCleanEnd()
  }

  @Test(
    "What comes on a stream before its answer waits for it, then is read as frames",
    arguments: Cut.allCases
  )
  func earlyStream(cut: Cut) throws {
    let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
    let play = try SocketPlay(
      .extendedConnect,
      cut,
      mode: .redact,
      rules: [redacting],
      opens: false
    )
    play.ask()
    play.deviceSends(play.device.frame(.text, "early imei=\(World.imei) "))
    #expect(play.server.raw.isEmpty)
    try play.agree()
    play.listen()
    #expect(play.server.heard.count == 1)
    #expect(play.server.heard.first?.hasPrefix("text early imei=") == true)
    #expect(play.server.heard.first?.contains(World.imei) == false)
    play.expectCleanEnd()
  }

  @Test("What the server sends in one go with its 101 is not lost")
  func serverEarly() throws {
    let play = try SocketPlay(.upgrade, opens: false)
    play.ask()
    play.book.skipGot()
    var flight = Bytes(SocketPlay.agreement + "\r\n")
    flight.append(play.server.frame(.text, "first"))
    play.book.server(bytes: flight)
    let got = play.book.deviceGotBytes()
    play.device.hear(got.dropping(first: SocketPlay.agreement.utf8.count + 2))
    #expect(play.device.heard == ["text first"])
    #expect(try play.book.flow().messages.count == 1)
    play.expectCleanEnd()
  }

  @Test(
    "Frames that break the protocol close both ends with 1002",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func broken(way: SocketWay, cut: Cut) throws {
    for frame in [
      Bytes([0x81, 0x01, 0x7A]),  // a client's frame without a mask
      Bytes([0x80, 0x80, 0, 0, 0, 0]),  // a continuation of nothing
      Bytes([0xC1, 0x80, 0, 0, 0, 0]),  // a reserved bit
      Bytes([0x88, 0x81, 0, 0, 0, 0, 3]),  // half a close code
    ] {
      let play = try SocketPlay(way, cut)
      play.deviceSends(play.device.frame(.text, "good"))
      play.deviceSends(frame)
      #expect(play.device.heard == ["close 1002"])
      #expect(play.server.heard == ["text good", "close 1002"])
      #expect(play.server.failure == nil)
      #expect(play.isOver)
      let flow = try play.book.flow()
      #expect(flow.failure == .malformedMessage)
      #expect(flow.end?.failure?.origin == .downstream)
      play.expectCleanEnd()
    }
  }

  @Test(
    "Text that is not UTF-8 closes both ends with 1007, or cuts the one that has half of its frame",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func notText(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut)
    play.deviceSends(Bytes([0x81, 0x82, 0, 0, 0, 0, 0x7A, 0xFF]))
    #expect(play.device.heard == ["close 1007"])
    #expect(play.isOver)
    if play.server.heard.isEmpty {
      if let http2 = play.http2 { #expect(http2.asked.last?.reset == .cancel) }
    } else {
      #expect(play.server.heard == ["close 1007"], "nothing of the frame was out")
    }
    #expect(try play.book.flow().failure == .malformedMessage)
    play.expectCleanEnd()
  }

  @Test(
    "A server that breaks the protocol is closed with 1002 as well",
    arguments: SocketWay.allCases
  )
  func brokenServer(way: SocketWay) throws {
    let play = try SocketPlay(way)
    try play.serverSends(Bytes([0x81, 0x81, 0, 0, 0, 0, 0x7A]))  // a server's frame with a mask
    #expect(play.device.heard == ["close 1002"])
    #expect(play.server.heard == ["close 1002"])
    #expect(try play.book.flow().end?.failure?.origin == .upstream)
    play.expectCleanEnd()
  }

  @Test(
    "After both close frames the ends of both sides end the flow without failure",
    arguments: SocketWay.allCases
  )
  func closed(way: SocketWay) throws {
    let play = try SocketPlay(way)
    try play.serverSends(play.server.close(1001))
    play.deviceSends(play.device.close(1001))
    if let http2 = play.http2 {
      http2.attempt { try http2.server.codec.sendEnd(on: http2.stream("/chat")) }
      http2.attempt { try http2.device.codec.sendEnd(on: play.stream) }
      #expect(http2.book.downstreamClose == nil, "the connection lives")
    } else {
      play.book.serverCloses()
      play.book.deviceCloses()
      #expect(play.book.isFinished)
    }
    let flow = try play.book.flow()
    #expect(flow.end != nil && flow.failure == nil)
    play.expectCleanEnd()
  }

  @Test(
    "Sides that end without a close frame are recorded as cut short",
    arguments: SocketWay.allCases
  )
  func withoutClose(way: SocketWay) throws {
    let play = try SocketPlay(way)
    play.deviceSends(play.device.frame(.text, "hello"))
    if let http2 = play.http2 {
      http2.attempt { try http2.server.codec.sendEnd(on: http2.stream("/chat")) }
      http2.attempt { try http2.device.codec.sendEnd(on: play.stream) }
    } else {
      play.book.serverCloses()
      #expect(!play.book.isFinished, "the device may still send")
      play.book.deviceCloses()
    }
    #expect(try play.book.flow().failure == .truncated)
    play.expectCleanEnd()
  }

  @Test(
    "A WebSocket whose server is reset is cut for the device, or closed with 1011 on its stream",
    arguments: SocketWay.allCases
  )
  func reset(way: SocketWay) throws {
    let play = try SocketPlay(way)
    play.book.serverCloses(.reset)
    play.listen()
    if play.http2 != nil {
      #expect(
        play.device.heard == ["close 1011"],
        "the other streams' connection is not cut for it"
      )
    } else {
      #expect(play.book.downstreamClose == .abort)
    }
    #expect(try play.book.flow().failure == .truncated)
    play.expectCleanEnd()
  }

  @Test(
    "An idle WebSocket is closed with 1001 after the idle time, and pings keep it open",
    arguments: SocketWay.allCases
  )
  func idle(way: SocketWay) throws {
    let play = try SocketPlay(way)
    for _ in 0..<3 {
      play.book.tick(afterSeconds: 200)
      play.deviceSends(play.device.frame(.ping, ""))
    }
    #expect(play.server.heard == ["ping ", "ping ", "ping "])
    play.book.tick(afterSeconds: 301)
    play.listen()
    #expect(play.device.heard == ["close 1001"])
    #expect(play.server.heard.last == "close 1001")
    #expect(play.isOver)
    #expect(try play.book.flow().failure == .idleTimeout)
    play.expectCleanEnd()
  }

  @Test("A proxy that stops says 1001 to both ends", arguments: SocketWay.allCases)
  func stops(way: SocketWay) throws {
    let play = try SocketPlay(way)
    play.book.give(.shutdown)
    play.listen()
    #expect(play.device.heard == ["close 1001"])
    #expect(play.server.heard == ["close 1001"])
    #expect(try play.book.flow().failure == .shutdown)
    play.expectCleanEnd()
  }
}
