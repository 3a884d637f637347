import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }

/// Rules on the messages of a WebSocket, in both directions.
@Suite struct WebSocketRuleTests {
  @Test(
    "A message with a finding goes on redacted, at equal length; the others as they came",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func redact(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut, mode: .redact, rules: [redacting])
    let plain = play.device.frame(.text, "plain")
    play.deviceSends(plain)
    #expect(play.server.raw == plain.array)
    play.deviceSends(
      play.device.frame(.text, #"{"imei":""# + String(World.imei.prefix(9)), isFinal: false)
    )
    #expect(play.server.heard.count == 1, "it is held until it is whole")
    play.deviceSends(play.device.frame(.continuation, World.imei.dropFirst(9) + #""}"#))
    let redacted = try #require(play.server.heard.last)
    #expect(redacted.hasPrefix(#"text {"imei":""#) && redacted.count == 5 + 26)
    #expect(!redacted.contains(World.imei))
    try play.serverSends(play.server.frame(.text, "imei=\(World.imei) "))
    #expect(play.device.heard.last?.hasPrefix("text imei=") == true)
    #expect(play.device.heard.last?.contains(World.imei) == false)
    play.deviceSends(play.device.frame(.text, "after"))
    #expect(play.server.heard.last == "text after")
    let flow = try play.book.flow()
    let sent = flow.messages.filter { $0.stage == .sent }
    #expect(sent.map(\.direction) == [.request, .response])
    #expect(sent.allSatisfy { !$0.message.payload.text.contains(World.imei) })
    #expect(flow.messages.count == 6)
    #expect(!flow.sentBody.contains(World.imei))
    play.expectCleanEnd()
    #expect(try play.book.flow().end?.verdict.applied == .redact)
  }

  @Test(
    "A compressed message is redacted, and those after it still inflate",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func redactCompressed(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(
      way,
      cut,
      mode: .redact,
      rules: [redacting],
      extensions: "permessage-deflate"
    )
    for text in ["hello hello", "imei=\(World.imei) hello", "hello imei hello", "hello"] {
      play.deviceSends(play.device.compressed(text))
    }
    let heard = play.server.heard
    #expect(heard.count == 4)
    #expect(heard[0] == "text hello hello")
    #expect(heard[1].hasPrefix("text imei=") && heard[1].hasSuffix(" hello"))
    #expect(heard[1].count == 5 + 26 && !heard[1].contains(World.imei))
    #expect(heard[2...] == ["text hello imei hello", "text hello"])
    play.expectCleanEnd()
  }

  @Test(
    "A blocked message closes both ends with 1008, and no byte of the match leaves",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func block(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut, mode: .block, rules: [blocking])
    play.deviceSends(play.device.frame(.text, "fine"))
    #expect(play.server.heard == ["text fine"], "a message passes at its end")
    play.deviceSends(play.device.frame(.text, "imei=\(World.imei) "))
    #expect(play.device.heard == ["close 1008 blocked by a rule"])
    #expect(!String(decoding: play.server.raw, as: UTF8.self).contains("4901"))
    #expect(play.isOver)
    let flow = try play.book.flow()
    #expect(flow.failure == .blockedByRule)
    #expect(flow.end?.verdict.applied == .block)
    #expect(flow.end?.exposure != nil)
    #expect(flow.messages.last?.message.payload.text.contains(World.imei) == true)
    play.expectCleanEnd()
  }

  @Test(
    "A server's blocked message does not reach the device",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func blockResponse(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut, mode: .block, rules: [blocking])
    try play.serverSends(play.server.frame(.text, "imei=\(World.imei) "))
    #expect(!String(decoding: play.device.raw, as: UTF8.self).contains("4901"))
    #expect(play.server.heard == ["close 1008 blocked by a rule"])
    #expect(play.isOver)
    play.expectCleanEnd()
  }

  @Test(
    "With hold: body the ends of a blocked message hear 1008 alone",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func holdBody(way: SocketWay, cut: Cut) throws {
    let holding = rule("imei", .block, holdsBody: true) { $0.finding = ["imei"] }
    let play = try SocketPlay(way, cut, mode: .block, rules: [holding])
    play.deviceSends(play.device.frame(.text, "some text, then imei=\(World.imei) "))
    #expect(play.server.heard == ["close 1008 blocked by a rule"])
    #expect(play.device.heard == ["close 1008 blocked by a rule"])
    #expect(try play.book.flow().end?.exposure == 0)
    play.expectCleanEnd()
  }

  @Test(
    "A block in a compressed message stops it, wherever it was cut",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func blockCompressed(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(
      way,
      cut,
      mode: .block,
      rules: [blocking],
      extensions: "permessage-deflate"
    )
    play.deviceSends(play.device.compressed("fine"))
    #expect(play.server.heard == ["text fine"])
    play.deviceSends(play.device.compressed("imei=\(World.imei) "))
    #expect(play.server.heard.filter { $0.hasPrefix("text") } == ["text fine"])
    #expect(play.device.heard == ["close 1008 blocked by a rule"])
    play.expectCleanEnd()
  }

  @Test(
    "A rule on the handshake's path answers with 451, and no WebSocket is made",
    arguments: SocketWay.allCases
  )
  func blockHandshake(way: SocketWay) throws {
    let rules = [
      rule("no-chat", .block) {
        $0.path = ["/chat"]
        $0.protocolName = ["websocket"]
      }
    ]
    let play = try SocketPlay(way, mode: .block, rules: rules, opens: false)
    play.ask()
    if let http2 = play.http2 {
      #expect(http2.answer(play.stream).status == 451)
      #expect(http2.asked.isEmpty)
    } else {
      #expect(play.book.deviceGot().hasPrefix("HTTP/1.1 451 "))
      #expect(play.book.serverGot().isEmpty)
    }
    play.expectCleanEnd()
  }

  @Test(
    "An identifier in the handshake is redacted, and the WebSocket is still made",
    arguments: Cut.allCases
  )
  func redactHandshake(cut: Cut) throws {
    let play = try SocketPlay(.upgrade, cut, mode: .redact, rules: [redacting], opens: false)
    let request = SocketPlay.upgrade.replacing("/chat", with: "/chat?imei=\(World.imei)")
    play.book.device(request + "\r\n", in: cut)
    let asked = play.book.serverGot()
    #expect(asked.hasPrefix("GET /chat?imei=") && !asked.contains(World.imei))
    #expect(asked.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"))
    play.book.server(SocketPlay.agreement + "\r\n", in: cut)
    #expect(play.book.deviceGot().hasPrefix(SocketPlay.agreement))
    play.deviceSends(play.device.frame(.text, "imei=\(World.imei) "))
    #expect(play.server.heard.count == 1)
    #expect(play.server.heard.first?.contains(World.imei) == false)
    play.expectCleanEnd()
  }

  @Test(
    "An unknown extension makes messages unreadable: passed and counted in record mode",
    arguments: SocketWay.allCases,
    Cut.allCases
  )
  func unknownExtension(way: SocketWay, cut: Cut) throws {
    let play = try SocketPlay(way, cut, rules: [blocking], extensions: "x-other")
    let bytes = Bytes([0xF1, 0x83, 1, 2, 3, 4, 5, 6, 7])  // reserved bits mean something to x-other
    play.deviceSends(bytes)
    try play.serverSends(Bytes([0xF1, 0x01, 9]))
    #expect(play.server.raw == bytes.array)
    #expect(play.device.raw == [0xF1, 0x01, 9])
    let flow = try play.book.flow()
    #expect(flow.coverage == [.unknownExtension])
    #expect(flow.requestBody.utf8.count > 0)
    play.expectCleanEnd()
  }

  @Test(
    "A handshake with an unknown extension is answered with 451 where a rule enforces",
    arguments: SocketWay.allCases
  )
  func unknownExtensionBlocked(way: SocketWay) throws {
    for (mode, rules) in [(Mode.block, [blocking]), (.redact, [redacting])] {
      let play = try SocketPlay(way, mode: mode, rules: rules, opens: false)
      play.ask("x-other")
      if let http2 = play.http2 {
        try http2.reply(to: "/chat", 200, [("sec-websocket-extensions", "x-other")], isLast: false)
        #expect(http2.answer(play.stream).status == 451)
        #expect(http2.asked.last?.reset == .cancel)
      } else {
        play.book.skipGot()
        play.book.server(SocketPlay.agreement + "Sec-WebSocket-Extensions: x-other\r\n\r\n")
        #expect(play.book.deviceGot().hasPrefix("HTTP/1.1 451 "))
        #expect(play.book.upstreamClose == .abort)
      }
      #expect(try play.book.flow().failure == .notRedactable)
      play.expectCleanEnd()
    }
  }

  @Test(
    "An identifier in a control frame cannot be redacted and closes with 1008",
    arguments: SocketWay.allCases
  )
  func controlFrame(way: SocketWay) throws {
    let play = try SocketPlay(way, mode: .redact, rules: [redacting])
    play.deviceSends(play.device.frame(.ping, "imei=\(World.imei) "))
    #expect(play.server.heard == ["close 1008"])
    #expect(play.device.heard == ["close 1008"])
    #expect(try play.book.flow().failure == .notRedactable)
    play.expectCleanEnd()
  }

  @Test(
    "A message over the hold limit follows otherwise",
    arguments: SocketWay.allCases,
    [Action.block, .allow]
  )
  func overHoldLimit(way: SocketWay, otherwise: Action) throws {
    var limits = Limits()
    limits.holdBytes = 1_000
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let play = try SocketPlay(way, .pieces, mode: .redact, rules: [redacting], limits: limits)
    play.deviceSends(play.device.frame(.text, String(repeating: "z", count: 3_000)))
    if otherwise == .block {
      #expect(play.server.heard == ["close 1008"])
      #expect(play.device.heard == ["close 1008"])
    } else {
      #expect(play.server.heard.first?.count == 3_005)
      play.deviceSends(play.device.frame(.text, "next"))
      #expect(play.server.heard.last == "text next")
    }
    play.expectCleanEnd()
  }

  @Test(
    "Data that cannot be inflated passes unseen in record mode, and is stopped where a rule enforces",
    arguments: SocketWay.allCases
  )
  func notDeflate(way: SocketWay) throws {
    let junk = WebSocketWriter.frame(
      .text,
      Bytes([0xFF, 0xFF, 0xFF, 0xFF]),
      isCompressed: true,
      mask: 7
    )
    let record = try SocketPlay(way, rules: [blocking], extensions: "permessage-deflate")
    record.http2?.upload(junk, on: record.stream)
    if record.http2 == nil { record.book.device(bytes: junk) }
    #expect(try record.book.flow().notes.count == 1)
    let passed =
      record.http2.map { $0.asked.last?.body ?? [] } ?? record.book.serverGotBytes().array
    #expect(passed == junk.array)
    record.expectCleanEnd()
    let block = try SocketPlay(
      way,
      mode: .block,
      rules: [blocking],
      extensions: "permessage-deflate"
    )
    block.deviceSends(junk)
    #expect(block.device.heard == ["close 1008"])
    #expect(block.server.heard == ["close 1008"])
    block.expectCleanEnd()
  }

  @Test(
    "Control frames between the fragments of a message arrive in every mode, in a legal order",
    arguments: Mode.allCases,
    Cut.allCases
  )
  func controlBetweenFragments(mode: Mode, cut: Cut) throws {
    for way in SocketWay.allCases {
      let play = try SocketPlay(
        way,
        cut,
        mode: mode,
        rules: [redacting, rule("imsi", .block) { $0.finding = ["imsi"] }]
      )
      let half = String(repeating: "z", count: 700)
      play.deviceSends(
        play.device.frame(.text, half, isFinal: false),
        play.device.frame(.ping, "p"),
        play.device.frame(.continuation, half, isFinal: false),
        play.device.frame(.ping, "q"),
        play.device.frame(.continuation, "end"),
        play.device.frame(.text, "next")
      )
      #expect(play.server.failure == nil)
      #expect(play.server.heard.filter { $0.hasPrefix("ping") } == ["ping p", "ping q"])
      let messages = play.server.heard.filter { $0.hasPrefix("text") }
      #expect(messages == ["text \(half)\(half)end in 3", "text next"])
      play.expectCleanEnd()
    }
  }

  @Test(
    "A close in the middle of a held message reaches the other end",
    arguments: SocketWay.allCases,
    [Mode.redact, .block]
  )
  func closeWithinMessage(way: SocketWay, mode: Mode) throws {
    let play = try SocketPlay(way, mode: mode, rules: [redacting])
    play.deviceSends(play.device.frame(.text, "half", isFinal: false), play.device.close(1000))
    #expect(play.server.heard == ["close 1000"])
    #expect(play.server.failure == nil)
    play.expectCleanEnd()
  }

  @Test(
    "A message larger than every window is inspected and goes through",
    arguments: SocketWay.allCases,
    Mode.allCases
  )
  func large(way: SocketWay, mode: Mode) throws {
    var limits = Limits()
    limits.streamWindow = 1 << 16
    limits.connectionWindow = 1 << 17
    let play = try SocketPlay(way, mode: mode, rules: [redacting], limits: limits)
    let text = String(repeating: "z", count: 900_000)
    play.deviceSends(play.device.frame(.text, text))
    #expect(play.server.heard.map(\.utf8.count) == [5 + text.utf8.count])
    try play.serverSends(play.server.frame(.text, text))
    #expect(play.device.heard.map(\.utf8.count) == [5 + text.utf8.count])
    play.expectCleanEnd()
  }

  @Test("In a sinkhole a request for a WebSocket is recorded and answered with 451")
  func sinkhole() throws {
    let rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    let book = try Playbook(mode: .block, rules: rules)
    try book.tunnel(at: "203.0.113.5")
    book.device(SocketPlay.upgrade + "\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(try book.flow().start.protocolName == "websocket")
    #expect(book.opened.isEmpty)
    book.expectCleanEnd()
  }

  @Test(
    "Where the server agrees to no compression, a reserved bit is an error",
    arguments: SocketWay.allCases
  )
  func notAgreed(way: SocketWay) throws {
    let play = try SocketPlay(way, opens: false)
    play.ask("permessage-deflate")
    try play.agree()
    play.deviceSends(
      WebSocketWriter.frame(.text, Bytes([0xFF]), isCompressed: true, mask: 7)
    )
    #expect(play.device.heard == ["close 1002"])
    #expect(play.server.heard == ["close 1002"])
    play.expectCleanEnd()
  }
}
