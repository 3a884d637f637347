import Testing
import TideCore

@testable import TideHTTP

/// Peers that attack: memory and work are bounded, and the connection ends with the right code.
@Suite struct HTTP2AbuseTests {
  private static func limits() -> Limits {
    var limits = Limits()
    limits.idleFrameBurst = 50
    limits.idleFramesPerSecond = 10
    limits.resetBurst = 20
    limits.resetsPerSecond = 10
    return limits
  }

  @Test(
    "Each frame that moves nothing forward costs a permit, and a flood of them ends the connection"
  )
  func idleFrames() throws {
    let idle: [Bytes] = [
      Frames.frame(6, [0, 0, 0, 0, 0, 0, 0, 0]),
      Frames.frame(6, flags: 1, [0, 0, 0, 0, 0, 0, 0, 0]),
      Frames.settings(), Frames.settings([(4, 100_000)]),
      Frames.frame(2, stream: 1, [0, 0, 0, 0, 1]),
      Frames.data(1, ""), Frames.frame(0, flags: 8, stream: 1, [3, 0, 0, 0]),
      Frames.windowUpdate(0, 1), Frames.windowUpdate(1, 1), Frames.frame(0x55, [1, 2, 3]),
      Frames.frame(0xA, [0, 0]),
    ]
    for frame in idle {
      let fed = try HandFed(.server, limits: Self.limits())
      fed.receive(Frames.headers(1, Frames.request("POST")))
      fed.receive(Array(repeating: frame, count: 40))
      #expect(fed.failure == nil, "\(Array(frame))")
      fed.receive(Array(repeating: frame, count: 40))
      #expect(fed.failure?.code == .flood, "\(Array(frame))")
      #expect(fed.goAway() == .enhanceYourCalm, "\(Array(frame))")
      #expect(fed.codec.isOver)
    }
  }

  @Test("Time gives permits back, at the rate that is always allowed")
  func idleRate() throws {
    let fed = try HandFed(.server, limits: Self.limits())
    let ping = Frames.frame(6, [0, 0, 0, 0, 0, 0, 0, 0])
    for second in 0..<100 {
      fed.now = Instant(nanoseconds: UInt64(second + 1) * 1_000_000_000)
      fed.receive(Array(repeating: ping, count: 10))
      _ = fed.frames()
    }
    #expect(fed.failure == nil)
    fed.receive(Array(repeating: ping, count: 60))
    #expect(fed.failure?.code == .flood)
  }

  @Test("A busy honest reader may answer content with many small window updates")
  func busyReader() throws {
    let fed = try HandFed(.server, limits: Self.limits(), settings: [(4, 1 << 20)])
    fed.receive(Frames.headers(1, Frames.request(), isLast: true), Frames.windowUpdate(0, 1 << 20))
    try fed.codec.sendHead(responseHead(200), on: StreamID(1), isLast: false)
    for _ in 0..<20 {
      try fed.codec.sendBody(Bytes([UInt8](repeating: 0, count: 100_000)), on: StreamID(1))
      _ = fed.frames()
      for _ in 0..<100 {
        fed.receive(Frames.windowUpdate(0, 1_000), Frames.windowUpdate(1, 1_000))
      }
    }
    #expect(fed.failure == nil)
  }

  @Test("A stream of many small messages is not a flood")
  func smallContent() throws {
    let fed = try HandFed(.server, limits: Self.limits())
    fed.receive(Frames.headers(1, Frames.request("POST")))
    for _ in 0..<50 { fed.receive(Array(repeating: Frames.data(1, "x"), count: 100)) }
    #expect(fed.failure == nil)
    #expect(fed.seen.last == "1 body " + String(repeating: "x", count: 5_000))
  }

  @Test("Opening and resetting streams in haste ends the connection (rapid reset)")
  func rapidReset() throws {
    let fed = try HandFed(.server, limits: Self.limits())
    for index in 0..<40 {
      let stream = UInt32(index * 2 + 1)
      fed.receive(
        Frames.headers(stream, Frames.request(), isLast: true),
        Frames.reset(stream, .cancel)
      )
    }
    #expect(fed.failure?.code == .flood && fed.goAway() == .enhanceYourCalm)
    #expect(fed.seen.filter { $0.hasSuffix("reset CANCEL theirs") }.count == 21)
  }

  @Test("Streams that the device makes us reset count as if it had reset them (MadeYouReset)")
  func madeYouReset() throws {
    let provocations: [(UInt32) -> [Bytes]] = [
      { [Frames.windowUpdate($0, UInt32(Int32.max))] },
      { [Frames.headers($0, [("X", "y")], isLast: true)] },
    ]
    for provocation in provocations {
      let fed = try HandFed(.server, limits: Self.limits())
      for index in 0..<40 {
        let stream = UInt32(index * 2 + 1)
        fed.receive([Frames.headers(stream, Frames.request("POST"))] + provocation(stream))
        _ = fed.frames()
      }
      #expect(fed.failure?.code == .flood && fed.goAway() == .enhanceYourCalm)
      #expect(fed.seen.filter { $0.hasSuffix("ours") }.count == 21)
    }
  }

  @Test("A reset of a stream whose response has left is nobody's attack")
  func lateReset() throws {
    let fed = try HandFed(.server, limits: Self.limits())
    for index in 0..<100 {
      let stream = UInt32(index * 2 + 1)
      fed.receive(Frames.headers(stream, Frames.request("POST")))
      try fed.codec.sendHead(responseHead(200), on: StreamID(Int32(stream)), isLast: true)
      _ = fed.frames()
      fed.receive(Frames.reset(stream, .noError))
    }
    #expect(fed.failure == nil)
  }

  @Test("A header block in too many CONTINUATION frames ends the connection, empty ones too")
  func continuations() throws {
    for payload in [[], Frames.block([("x", "y")])] {
      let fed = try HandFed(.server)
      fed.receive(Frames.frame(1, flags: 1, stream: 1, Frames.block(Frames.request())))
      fed.receive(Array(repeating: Frames.frame(9, stream: 1, payload), count: 16))
      #expect(fed.failure == nil && fed.codec.isMidHead)
      fed.receive(Frames.frame(9, stream: 1, payload))
      #expect(fed.failure?.code == .flood && fed.goAway() == .enhanceYourCalm)
    }
  }

  @Test("A header block that decompresses without end (HPACK bomb) ends the connection")
  func compressionBomb() throws {
    let fed = try HandFed(.server)
    let entry = [0x40] + Frames.string("x") + Frames.string(String(repeating: "y", count: 4_000))
    let references = [UInt8](repeating: 0x80 | 62, count: 12_000)
    fed.receive(Frames.frame(1, flags: 5, stream: 1, entry + references))
    #expect(fed.failure?.code == .flood && fed.goAway() == .enhanceYourCalm)
  }

  @Test("A device over the limit of streams is stopped: refused before it knew it, ended after")
  func tooManyStreams() throws {
    var limits = Limits()
    limits.streams = 2
    let codec = try HTTP2Codec(role: .server, limits: limits)
    var events: [HTTP2Event] = []
    var frames = [Frames.magic, Frames.settings()]
    frames += [1, 3, 5].map { Frames.headers($0, Frames.request(), isLast: true) }
    let now = Instant(nanoseconds: 1)
    try codec.receive(Frames.concatenated(frames), at: now, &events)
    var output: [UInt8] = []
    try codec.takeOutput(&output, limit: .max, &events)
    #expect(
      WrittenFrame.all(in: output).first { $0.type == 3 && $0.stream == 5 }?.code == .refusedStream
    )
    #expect(codec.openStreams == 2)

    let fed = try HandFed(.server, limits: limits)
    for stream in [1, 3, 5] as [UInt32] {
      fed.receive(Frames.headers(stream, Frames.request(), isLast: true))
    }
    #expect(fed.failure?.code == .malformedFrame && fed.goAway() == .protocolError)
  }

  @Test("Answers that nobody takes are bounded")
  func untakenAnswers() throws {
    var limits = Limits()
    limits.idleFrameBurst = 1_000_000
    let fed = try HandFed(.server, limits: limits)
    let ping = Frames.frame(6, [0, 0, 0, 0, 0, 0, 0, 0])
    for _ in 0..<100 { fed.receive(Array(repeating: ping, count: 100)) }
    #expect(fed.failure?.code == .flood && fed.goAway() == .enhanceYourCalm)
    #expect(fed.written.count < 100_000)
  }

  @Test("A server that never stops sending informational heads is stopped")
  func endlessInformational() throws {
    let fed = try HandFed(.client, limits: Self.limits())
    _ = try fed.codec.open(requestHead(), isLast: true)
    _ = fed.frames()
    fed.receive(Array(repeating: Frames.headers(1, [(":status", "103")]), count: 100))
    #expect(fed.failure?.code == .flood)
  }

  @Test("Content for streams that are gone is dropped with its credit, but not for ever")
  func contentForGoneStreams() throws {
    let fed = try HandFed(.server, limits: Self.limits())
    fed.receive(Frames.headers(1, Frames.request("POST")))
    fed.codec.reset(StreamID(1), .cancel)
    _ = fed.frames()
    let piece = Frames.data(1, String(repeating: "a", count: 1_000))
    for _ in 0..<30 { fed.receive(piece) }
    #expect(fed.failure == nil)
    for _ in 0..<30 { fed.receive(piece) }
    #expect(fed.failure?.code == .flood)
  }

  @Test("No bytes at all make a codec trap, neither in the place of frames nor inside them")
  func randomBytes() throws {
    var generator = Repeatable()
    for round in 0..<300 {
      let role: HTTP2Codec.Role = round % 2 == 0 ? .server : .client
      let fed = try HandFed(role)
      if role == .client { _ = try fed.codec.open(requestHead(), isLast: false) }
      _ = fed.frames()
      for _ in 0..<20 {
        let stream = UInt32.random(in: 0...3, using: &generator)
        let payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        let type = UInt8.random(in: 0...12, using: &generator)
        let flags = UInt8.random(in: 0...63, using: &generator)
        fed.receive(Frames.frame(type, flags: flags, stream: stream, payload))
        fed.codec.reset(StreamID(Int32(stream)), .cancel)
        fed.codec.consumed(10, on: StreamID(Int32(stream)))
        _ = fed.frames()
      }
      if fed.failure != nil { #expect(fed.goAway() != nil && fed.codec.isOver) }
    }
  }
}

/// The same numbers in each run (SplitMix64).
private struct Repeatable: RandomNumberGenerator {
  private var state: UInt64 = 2_026

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
