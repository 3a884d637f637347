import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideHTTP
@testable import TideProxy

/// How streams and connections of HTTP/2 end: an error never becomes a success.
@Suite struct HTTP2EndingTests {
  @Test(
    "A device's reset reaches the server with its code, and the request is not whole",
    arguments: [HTTP2ErrorCode.cancel, .internalError, .http11Required]
  )
  func deviceResets(code: HTTP2ErrorCode) throws {
    let play = try HTTP2Play()
    let post = play.open("POST", "/up")
    play.upload("half", on: post)
    play.deviceResets(post, code)
    #expect(play.asked.first?.text == "half")
    #expect(play.asked.first?.isWhole == false)
    #expect(play.asked.first?.reset == code)
    #expect(try play.flow("/up").failure == .truncated)
    let next = play.get("/next")
    try play.reply(to: "/next", 200)
    #expect(play.answer(next).status == 200)
    play.expectCleanEnd()
  }

  @Test(
    "A server's reset reaches the device with its code, before and after the head",
    arguments: [HTTP2ErrorCode.cancel, .refusedStream, .enhanceYourCalm, .http11Required]
  )
  func serverResets(code: HTTP2ErrorCode) throws {
    let play = try HTTP2Play()
    let before = play.get("/before")
    let after = play.get("/after")
    try play.reply(to: "/after", 200, [], "half", isLast: false)
    try play.serverResets("/before", code)
    try play.serverResets("/after", code)
    #expect(play.answer(before).reset == code && play.answer(before).heads.isEmpty)
    #expect(play.answer(after).text == "half")
    #expect(play.answer(after).reset == code && !play.answer(after).isWhole)
    #expect(play.book.flows.map(\.failure) == [.truncated, .truncated])
    #expect(play.book.flows.map { $0.end?.status } == [0, 200])
    play.expectCleanEnd()
  }

  @Test("A GOAWAY of the server lets its streams end, and the device is told to go elsewhere")
  func goAway() throws {
    let play = try HTTP2Play()
    let first = play.get("/1")
    let second = play.get("/2")
    play.attempt { play.server.codec.goAway(.noError) }
    #expect(play.device.goAway == .noError)
    #expect(play.book.downstreamClose == nil)
    try play.reply(to: "/1", 200, [], "one")
    try play.reply(to: "/2", 200, [], "two")
    #expect(play.answer(first).text == "one")
    #expect(play.answer(second).text == "two" && play.answer(second).isWhole)
    #expect(play.book.downstreamClose == .writing, "nothing is left to be done here")
    #expect(play.book.flows.allSatisfy { $0.end?.failure == nil })
    play.expectCleanEnd()
  }

  @Test("A server's connection that is cut: 502 where nothing was answered, a reset where half was")
  func serverCut() throws {
    let play = try HTTP2Play()
    let unanswered = play.get("/unanswered")
    let half = play.get("/half")
    let answered = play.open("POST", "/answered")
    try play.reply(to: "/half", 200, [], "ha", isLast: false)
    try play.reply(to: "/answered", 200, [], "done")
    play.book.serverCloses(.reset)
    play.settle()
    #expect(play.answer(unanswered).status == 502 && play.answer(unanswered).isWhole)
    #expect(play.answer(half).text == "ha")
    #expect(play.answer(half).reset == .internalError && !play.answer(half).isWhole)
    #expect(play.answer(answered).text == "done" && play.answer(answered).isWhole)
    #expect(try play.flow("/unanswered").end?.status == 502)
    #expect(play.book.flows.allSatisfy { $0.failure == .truncated })
    #expect(play.device.goAway == .noError)
    #expect(play.book.downstreamClose == .writing)
    play.expectCleanEnd()
  }

  @Test("A server that ends its side with nothing under way ends the device's with GOAWAY")
  func serverEndsIdle() throws {
    let play = try HTTP2Play()
    let get = play.get("/")
    try play.reply(to: "/", 200, [], "ok")
    play.book.serverCloses(.end)
    play.settle()
    #expect(play.answer(get).text == "ok")
    #expect(play.device.goAway == .noError)
    #expect(play.book.downstreamClose == .writing)
    #expect(try play.flow("/").failure == nil)
    play.expectCleanEnd()
  }

  @Test(
    "A device's connection that is cut ends every flow, and no request becomes whole",
    arguments: [CloseKind.end, .reset]
  )
  func deviceCut(kind: CloseKind) throws {
    let play = try HTTP2Play()
    _ = play.get("/get")
    let post = play.open("POST", "/post")
    play.upload("half", on: post)
    play.book.deviceCloses(kind)
    play.settle()
    #expect(play.book.upstreamClose != nil)
    #expect(play.asked.last?.isWhole == false)
    #expect(play.book.flows.map(\.failure) == [.truncated, .truncated])
    #expect(play.book.isFinished)
    play.expectCleanEnd()
  }

  @Test("A stop lets streams end and refuses new ones; the last one ends the connection")
  func shutdown() throws {
    let play = try HTTP2Play()
    let get = play.get("/a")
    play.give(.shutdown)
    #expect(play.device.goAway == .noError)
    #expect(play.book.downstreamClose == nil)
    try play.reply(to: "/a", 200, [], "ok")
    #expect(play.answer(get).text == "ok" && play.answer(get).isWhole)
    #expect(play.book.downstreamClose == .writing)
    #expect(try play.flow("/a").failure == nil)
    play.expectCleanEnd()
  }

  @Test("A second stop ends what is still under way")
  func secondShutdown() throws {
    let play = try HTTP2Play()
    _ = play.get("/a")
    play.give(.shutdown)
    play.give(.shutdown)
    #expect(play.book.isFinished)
    #expect(try play.flow("/a").failure == .shutdown)
    play.expectCleanEnd()
  }

  @Test("A server that does not answer costs its stream a 504, and no other")
  func responseTimeout() throws {
    let play = try HTTP2Play()
    let slow = play.get("/slow")
    play.tick(afterSeconds: 40)
    let quick = play.get("/quick")
    play.tick(afterSeconds: 21)
    #expect(play.answer(slow).status == 504)
    #expect(play.asked.first?.reset == .cancel)
    #expect(play.answer(quick).heads.isEmpty)
    try play.reply(to: "/quick", 200)
    #expect(play.answer(quick).status == 200)
    #expect(try play.flow("/slow").failure == .responseTimeout)
    play.expectCleanEnd()
  }

  @Test("A stream over which nothing comes is reset after the idle time; one that is used is not")
  func idleStream() throws {
    let play = try HTTP2Play()
    let idle = play.get("/idle")
    let used = play.get("/used")
    for path in ["/idle", "/used"] { try play.reply(to: path, 200, isLast: false) }
    for _ in 0..<3 {
      play.tick(afterSeconds: 101)
      try play.send(".", to: "/used")
    }
    play.tick(afterSeconds: 1)
    #expect(play.answer(idle).reset == .internalError)
    #expect(play.answer(used).text == "..." && play.answer(used).reset == nil)
    #expect(try play.flow("/idle").failure == .idleTimeout)
    play.expectCleanEnd()
  }

  @Test("A connection without streams is ended after the idle time with GOAWAY")
  func idleConnection() throws {
    let play = try HTTP2Play()
    play.tick(afterSeconds: 301)
    #expect(play.device.goAway == .noError)
    #expect(play.book.downstreamClose == .writing)
    play.expectCleanEnd()
  }

  @Test("A head that is over the limit is answered with 431 and recorded; the connection lives")
  func headTooLarge() throws {
    var limits = Limits()
    limits.headBytes = 2_000
    let play = try HTTP2Play(limits: limits)
    let large = play.get("/large", [("x", String(repeating: "y", count: 3_000))])
    #expect(play.answer(large).status == 431)
    #expect(play.answer(large).isWhole)
    let upload = play.post("/up", "content", [("x", String(repeating: "y", count: 3_000))])
    #expect(play.answer(upload).status == 431)
    #expect(play.asked.isEmpty)
    #expect(play.book.flows.map(\.failure) == [.headTooLarge, .headTooLarge])
    #expect(play.book.flows.map { $0.end?.status } == [431, 431])
    #expect(play.book.flows.map(\.start.protocolName) == ["h2", "h2"])
    let next = play.get("/next")
    try play.reply(to: "/next", 200)
    #expect(play.answer(next).status == 200)
    play.expectCleanEnd()
  }

  @Test("An extended CONNECT that was not offered, or is for no WebSocket, is answered with 400")
  func unknownProtocol() throws {
    for isOffered in [false, true] {
      let play = try HTTP2Play(offersWebSocket: isOffered)
      play.device.codec.allowsExtendedConnect = true
      let udp = play.open("CONNECT", "/udp", protocolName: "connect-udp")
      #expect(play.answer(udp).status == 400)
      #expect(play.asked.isEmpty)
      #expect(try play.book.flow().failure == .malformedMessage)
      play.expectCleanEnd()
    }
  }

  @Test("Frames that break the protocol end the connection with GOAWAY, recorded for every flow")
  func brokenDevice() throws {
    let play = try HTTP2Play()
    _ = play.get("/a")
    // A DATA frame on the connection itself (RFC 9113 §6.1).
    play.book.device(bytes: Bytes([0, 0, 1, 0, 0, 0, 0, 0, 0, 0x7A]))
    play.settle()
    #expect(play.device.goAway == .protocolError)
    #expect(play.book.downstreamClose == .writing)
    #expect(try play.flow("/a").failure == .malformedMessage)
    #expect(play.book.upstreamClose == .abort)
    play.expectCleanEnd()
  }

  @Test("A congested device that breaks the protocol is told so first, and nothing after the end")
  func brokenCongestedDevice() throws {
    let play = try HTTP2Play()
    _ = play.get("/a")
    play.give(.congested(.downstream))
    play.book.device(bytes: Bytes([0, 0, 1, 0, 0, 0, 0, 0, 0, 0x7A]))
    play.settle()
    #expect(play.device.goAway == .protocolError)
    #expect(play.book.downstreamClose == .writing)
    play.give(.drained(.downstream))
    play.expectCleanEnd()
  }

  @Test("A server whose frames break the protocol is a bad gateway for every stream")
  func brokenServer() throws {
    let play = try HTTP2Play()
    let get = play.get("/a")
    play.book.server(bytes: Bytes([0, 0, 1, 0, 0, 0, 0, 0, 0, 0x7A]))
    play.settle()
    #expect(play.answer(get).status == 502)
    #expect(try play.flow("/a").failure == .malformedMessage)
    #expect(play.server.goAway == .protocolError)
    play.expectCleanEnd()
  }

  @Test("A head that takes too long ends the connection")
  func slowHead() throws {
    let play = try HTTP2Play()
    // HEADERS without END_HEADERS on stream 1: `:method: GET` from the static table.
    play.book.device(bytes: Bytes([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]))
    play.tick(afterSeconds: 16)
    #expect(play.device.goAway == .protocolError)
    #expect(play.book.downstreamClose == .writing)
    #expect(play.book.closures == [] || play.book.closures == [.idleTimeout])
    play.expectCleanEnd()
  }
}
