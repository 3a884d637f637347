import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }

/// Credit over HTTP/2: a sender gets it for what has left on the other leg, stream by stream.
@Suite struct HTTP2FlowControlTests {
  private static func limits(stream: Int, connection: Int = 1 << 22) -> Limits {
    var limits = Limits()
    limits.streamWindow = stream
    limits.connectionWindow = connection
    return limits
  }

  private let big = Bytes([UInt8](repeating: 0x7A, count: 300_000))

  @Test(
    "A server is ahead of a device that does not read by two windows, and goes on when it reads"
  )
  func closedWindow() throws {
    let limits = Self.limits(stream: 1 << 16)
    let play = try HTTP2Play(limits: limits, deviceLimits: Self.limits(stream: 1 << 15))
    play.device.readsNothing = true
    let get = play.get("/big")
    try play.reply(to: "/big", 200, isLast: false)
    try play.send(self.big, to: "/big", isLast: true)
    #expect(play.answer(get).body.count == 1 << 15)
    let held = play.server.codec.queued(on: try play.stream("/big"))
    #expect(
      held == self.big.count - (1 << 16) - (1 << 15),
      "what left is credited, the rest is not"
    )
    #expect(!play.answer(get).isWhole)
    play.device.readsNothing = false
    play.attempt { play.device.readOn(get) }
    #expect(play.answer(get).body.count == self.big.count)
    #expect(play.answer(get).isWhole)
    #expect(try play.flow("/big").end?.responseBytes == 300_000)
    play.expectCleanEnd()
  }

  @Test("An upload waits for a server that does not read, and goes on when it does")
  func closedServerWindow() throws {
    let limits = Self.limits(stream: 1 << 16)
    let play = try HTTP2Play(limits: limits, serverLimits: Self.limits(stream: 1 << 15))
    play.server.readsNothing = true
    let post = play.open("POST", "/big")
    play.upload(self.big, on: post, isLast: true)
    #expect(play.asked.first?.body.count == 1 << 15)
    #expect(play.device.codec.queued(on: post) == self.big.count - (1 << 16) - (1 << 15))
    play.server.readsNothing = false
    play.attempt { play.server.readOn(try play.stream("/big")) }
    #expect(play.asked.first?.body.count == self.big.count)
    #expect(play.asked.first?.isWhole == true)
    play.expectCleanEnd()
  }

  @Test("A stream that the device does not read stops no other")
  func independentStreams() throws {
    let limits = Self.limits(stream: 1 << 16)
    let play = try HTTP2Play(limits: limits, deviceLimits: Self.limits(stream: 1 << 15))
    let slow = play.get("/slow")
    play.device.unread = [slow]
    let quick = play.get("/quick")
    for path in ["/slow", "/quick"] {
      try play.reply(to: path, 200, isLast: false)
      try play.send(self.big, to: path, isLast: true)
    }
    #expect(play.answer(slow).body.count == 1 << 15)
    #expect(play.answer(quick).body.count == self.big.count)
    #expect(play.answer(quick).isWhole)
    play.attempt { play.device.readOn(slow) }
    #expect(play.answer(slow).isWhole)
    play.expectCleanEnd()
  }

  @Test("A stream that is held for redaction stops no other", arguments: Cut.allCases)
  func heldStream(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let held = play.open("POST", "/held", [("content-type", "application/json")])
    play.upload(#"{"imei":"#, on: held)
    #expect(play.asked.isEmpty)
    let other = play.get("/other")
    #expect(play.asked.map(\.path) == ["/other"])
    try play.reply(to: "/other", 200, [], "ok")
    #expect(play.answer(other).text == "ok")
    play.upload(#""\#(World.imei)"}"#, on: held, isLast: true)
    #expect(play.asked.map(\.path) == ["/other", "/held"])
    #expect(play.asked.last?.isWhole == true)
    #expect(play.asked.last?.text.contains(World.imei) == false)
    play.expectCleanEnd()
  }

  @Test("What is held for redaction is credited to its sender, beyond its window, up to the limit")
  func heldIsCredited() throws {
    let limits = Self.limits(stream: 1 << 16)
    let play = try HTTP2Play(mode: .redact, rules: [redacting], limits: limits)
    let post = play.open("POST", "/up")
    play.upload(self.big, on: post)
    #expect(play.device.codec.queued(on: post) == 0)
    #expect(play.asked.isEmpty)
    play.upload("end", on: post, isLast: true)
    #expect(play.asked.first?.body.count == self.big.count + 3)
    play.expectCleanEnd()
  }

  @Test("Streams that together hold too much go on one after the other, the oldest first")
  func heldPerConnection() throws {
    var limits = Self.limits(stream: 1 << 16)
    limits.heldPerConnection = 100_000
    let play = try HTTP2Play(mode: .redact, rules: [redacting], limits: limits)
    let streams = ["/1", "/2", "/3"].map { play.open("POST", $0) }
    for stream in streams { play.upload(self.big, on: stream) }
    #expect(play.device.codec.queued(on: streams[0]) == 0, "the oldest is read to its end")
    #expect(play.device.codec.queued(on: streams[1]) > 0)
    #expect(play.device.codec.queued(on: streams[2]) > 0)
    #expect(play.asked.isEmpty)
    for stream in streams { play.upload("end", on: stream, isLast: true) }
    #expect(play.asked.map(\.path) == ["/1", "/2", "/3"])
    #expect(play.asked.allSatisfy { $0.isWhole && $0.body.count == self.big.count + 3 })
    play.expectCleanEnd()
  }

  @Test("A device's leg that is congested is given no more frames until it has drained")
  func congested() throws {
    let limits = Self.limits(stream: 1 << 20)
    let play = try HTTP2Play(limits: limits, deviceLimits: limits)
    let get = play.get("/big")
    play.give(.congested(.downstream))
    try play.reply(to: "/big", 200, isLast: false)
    try play.send(self.big, to: "/big", isLast: true)
    #expect(play.answer(get).heads.isEmpty)
    #expect(!play.book.isUpstreamPaused, "windows bound it, and other streams must be heard")
    play.give(.drained(.downstream))
    #expect(play.answer(get).isWhole)
    #expect(play.answer(get).body.count == self.big.count)
    play.expectCleanEnd()
  }

  @Test("A server's leg that is congested is given no more frames until it has drained")
  func congestedServer() throws {
    let limits = Self.limits(stream: 1 << 20)
    let play = try HTTP2Play(limits: limits, serverLimits: limits)
    let leg = Leg.upstream(try #require(play.book.upstream))
    play.give(.congested(leg))
    let post = play.open("POST", "/big")
    play.upload(self.big, on: post, isLast: true)
    #expect(play.asked.isEmpty)
    play.give(.drained(leg))
    #expect(play.asked.first?.isWhole == true)
    #expect(play.asked.first?.body.count == self.big.count)
    play.expectCleanEnd()
  }

  @Test("A recorder without room pauses both legs; with room again the streams go on")
  func recorderWithoutRoom() throws {
    let play = try HTTP2Play()
    let get = play.get("/a")
    play.book.sink.isFull = true
    try play.reply(to: "/a", 200, isLast: false)
    #expect(play.book.isDownstreamPaused)
    #expect(play.book.isUpstreamPaused)
    #expect(play.book.awaitsRoom)
    try play.send("later", to: "/a", isLast: true)
    #expect(play.answer(get).body.isEmpty)
    play.book.sink.isFull = false
    play.give(.roomAvailable)
    #expect(play.answer(get).text == "later")
    #expect(play.answer(get).isWhole)
    play.expectCleanEnd()
  }
}
