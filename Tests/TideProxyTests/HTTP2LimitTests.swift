import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideHTTP
@testable import TideProxy

/// What either side allows, and what is over it.
@Suite struct HTTP2LimitTests {
  @Test("Requests wait for room among the streams that the server allows, and leave in order")
  func serverStreams() throws {
    var serverLimits = Limits()
    serverLimits.streams = 1
    let play = try HTTP2Play(serverLimits: serverLimits)
    let streams = ["/1", "/2", "/3"].map { play.post($0, "body") }
    #expect(play.asked.map(\.path) == ["/1"])
    try play.reply(to: "/1", 200)
    #expect(play.asked.map(\.path) == ["/1", "/2"])
    play.deviceResets(streams[1], .cancel)
    #expect(play.asked[1].reset == .cancel)
    try play.reply(to: "/3", 200, [], "three")
    #expect(play.answer(streams[2]).text == "three")
    #expect(play.asked.allSatisfy { $0.text == "body" })
    play.expectCleanEnd()
  }

  @Test("A request that waits for room and is given up never leaves")
  func givenUp() throws {
    var serverLimits = Limits()
    serverLimits.streams = 1
    let play = try HTTP2Play(serverLimits: serverLimits)
    _ = play.get("/1")
    let second = play.get("/2")
    play.deviceResets(second, .cancel)
    try play.reply(to: "/1", 200)
    #expect(play.asked.map(\.path) == ["/1"])
    #expect(try play.flow("/2").failure == .truncated)
    play.expectCleanEnd()
  }

  @Test("A GOAWAY refuses the requests that wait for room, which are safe to send again")
  func refusedByGoAway() throws {
    var serverLimits = Limits()
    serverLimits.streams = 1
    let play = try HTTP2Play(serverLimits: serverLimits)
    let first = play.get("/1")
    let second = play.get("/2")
    play.attempt { play.server.codec.goAway(.noError) }
    #expect(play.answer(second).reset == .refusedStream)
    try play.reply(to: "/1", 200, [], "one")
    #expect(play.answer(first).text == "one")
    #expect(try play.flow("/2").failure == .truncated)
    play.expectCleanEnd()
  }

  @Test("A server's head over the limit is a bad gateway for its stream alone")
  func serverHeadTooLarge() throws {
    var limits = Limits()
    limits.headBytes = 2_000
    let play = try HTTP2Play(limits: limits)
    let large = play.get("/large")
    let small = play.get("/small")
    try play.reply(to: "/large", 200, [("x", String(repeating: "y", count: 3_000))], "no")
    try play.reply(to: "/small", 200, [], "ok")
    #expect(play.answer(large).status == 502)
    #expect(play.answer(large).isWhole)
    #expect(play.answer(small).text == "ok")
    #expect(try play.flow("/large").failure == .headTooLarge)
    #expect(play.device.failure == nil)
    play.book.expectCleanEnd()
  }

  @Test(
    "Where a body is held, the proxy says 100 and the server is not asked to",
    arguments: Cut.allCases
  )
  func expectation(cut: Cut) throws {
    let holding = rule("imei", .block, holdsBody: true) { $0.finding = ["imei"] }
    let play = try HTTP2Play(cut, mode: .block, rules: [holding])
    let post = play.open("POST", "/up", [("expect", "100-continue"), ("content-length", "5")])
    #expect(play.answer(post).heads.map(\.status) == [100])
    #expect(play.asked.isEmpty)
    play.upload("hello", on: post, isLast: true)
    #expect(play.asked.first?.text == "hello")
    #expect(play.asked.first?.field("expect") == nil)
    try play.reply(to: "/up", 200)
    #expect(play.answer(post).heads.map(\.status) == [100, 200])
    play.expectCleanEnd()
  }

  @Test("Where nothing is held, the server's own 100 goes through")
  func serverExpectation() throws {
    let play = try HTTP2Play()
    let post = play.open("POST", "/up", [("expect", "100-continue")])
    #expect(play.answer(post).heads.isEmpty)
    #expect(play.asked.first?.field("expect") == "100-continue")
    try play.reply(to: "/up", 100, isLast: false)
    #expect(play.answer(post).heads.map(\.status) == [100])
    play.upload("hello", on: post, isLast: true)
    try play.reply(to: "/up", 200)
    #expect(play.answer(post).heads.map(\.status) == [100, 200])
    play.expectCleanEnd()
  }

  @Test("A hundred streams at once each get their own answer", arguments: [Cut.whole, .pieces])
  func hundred(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let streams = (0..<100).map { play.post("/\($0)", "body \($0)") }
    for number in (0..<100).reversed() {
      try play.reply(to: "/\(number)", 200, [], "answer \(number)")
    }
    for (number, stream) in streams.enumerated() {
      #expect(play.answer(stream).text == "answer \(number)")
      #expect(play.asked[number].text == "body \(number)")
    }
    #expect(play.book.flows.count == 100)
    #expect(play.book.flows.allSatisfy { $0.end != nil && $0.failure == nil })
    play.expectCleanEnd()
  }

  @Test("In observe mode no head and no body is recorded, and nothing is changed")
  func observe() throws {
    let blocking = rule("imei", .block) { $0.finding = ["imei"] }
    let play = try HTTP2Play(mode: .observe, rules: [blocking])
    _ = play.post("/up", "imei=\(World.imei) ")
    #expect(play.asked.first?.text == "imei=\(World.imei) ")
    try play.reply(to: "/up", 200, [], "ok")
    let flow = try play.book.flow()
    #expect(flow.requestHead.isEmpty && flow.requestBody.isEmpty && flow.responseBody.isEmpty)
    #expect(flow.findings.count == 1)
    play.expectCleanEnd()
  }

  @Test(
    "A request that is shorter than its content-length is reset, and is never whole",
    arguments: Cut.allCases
  )
  func shortRequest(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let post = play.open("POST", "/up", [("content-length", "5")])
    play.device.codec.streams[post]?.sending = .content(left: nil)
    play.upload("hel", on: post, isLast: true)
    #expect("hel".hasPrefix(play.asked.first?.text ?? ""))
    #expect(play.asked.first?.isWhole == false)
    #expect(play.asked.first?.reset == .cancel)
    #expect(play.answer(post).reset == .protocolError)
    let flow = try play.flow("/up")
    #expect(flow.failure == .malformedMessage)
    #expect(flow.end?.failure?.origin == .downstream)
    play.expectCleanEnd()
  }

  @Test(
    "An answer that is shorter than its content-length is reset, and is never whole",
    arguments: Cut.allCases
  )
  func shortAnswer(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let get = play.get("/a")
    let stream = try play.stream("/a")
    try play.reply(to: "/a", 200, [("content-length", "5")], isLast: false)
    play.server.codec.streams[stream]?.sending = .content(left: nil)
    try play.send("hel", to: "/a", isLast: true)
    #expect("hel".hasPrefix(play.answer(get).text))
    #expect(!play.answer(get).isWhole)
    #expect(play.answer(get).reset == .internalError || play.answer(get).reset == .protocolError)
    #expect(try play.flow("/a").end?.failure?.origin == .upstream)
    play.expectCleanEnd()
  }

  @Test(
    "More than a window goes through where a rule inspects, both ways, byte for byte",
    arguments: Mode.allCases
  )
  func inspectedVolume(mode: Mode) throws {
    var limits = Limits()
    limits.streamWindow = 1 << 16
    limits.connectionWindow = 1 << 17
    let rules = [rule("imei", .block) { $0.finding = ["imei"] }]
    let play = try HTTP2Play(
      mode: mode,
      rules: rules,
      limits: limits,
      deviceLimits: limits,
      serverLimits: limits
    )
    let body = Bytes((0..<400_000).map { UInt8(truncatingIfNeeded: 0x61 + $0 % 23) })
    let posts = ["/1", "/2", "/3"].map { play.open("POST", $0) }
    for post in posts { play.upload(body, on: post, isLast: true) }
    for (path, post) in zip(["/1", "/2", "/3"], posts) {
      try play.reply(to: path, 200, [("content-type", "text/plain")], isLast: false)
      try play.send(body, to: path, isLast: true)
      #expect(play.answer(post).isWhole)
      #expect(play.answer(post).body == body.array)
    }
    #expect(play.asked.allSatisfy { $0.isWhole && $0.body == body.array })
    #expect(play.book.flows.allSatisfy { $0.end != nil && $0.failure == nil })
    play.expectCleanEnd()
  }
}
