import Testing
import TideCore

@testable import TideHTTP

/// Both roles, talking to each other.
@Suite struct HTTP2CodecTests {
  private static let one = StreamID(1)

  @Test("A request with content and trailers and its response arrive as they were sent")
  func exchange() throws {
    let pair = try Joined()
    try Self.playExchange(pair) { try pair.run() }
    #expect(describe(pair.serverEvents) == Self.atServer)
    #expect(describe(pair.clientEvents) == Self.atClient)
    #expect(pair.client.openStreams == 0 && pair.server.openStreams == 0)
  }

  @Test("Cutting the bytes between the two anywhere makes no difference")
  func split() throws {
    for piece in [1, 2, 3, 5, 7, 8, 9, 10, 64] {
      let pair = try Joined()
      try Self.playExchange(pair) { try pair.run(piece: piece) }
      #expect(describe(pair.serverEvents) == Self.atServer, "pieces of \(piece)")
      #expect(describe(pair.clientEvents) == Self.atClient, "pieces of \(piece)")
    }
  }

  private static let atServer = [
    "1 POST /up?x=1 | content-type=text/plain | content-length=11", "1 body hello world",
    "1 trailers digest=abc", "1 end", "1 sent 2",
  ]
  private static let atClient = [
    "1 sent 11", "1 103 | link=</a>", "1 200 | server=x", "1 body ok", "1 trailers grpc-status=0",
    "1 end",
  ]

  private static func playExchange(_ pair: Joined, _ run: () throws -> Void) throws {
    let head = requestHead(
      "POST",
      "/up?x=1",
      [("Content-Type", "text/plain"), ("content-length", "11")]
    )
    let stream = try pair.client.open(head, isLast: false)
    #expect(stream == self.one)
    try pair.client.sendBody("hello ", on: stream)
    try pair.client.sendBody("world", on: stream)
    try pair.client.sendTrailers(HeaderFields([("Digest", "abc")]), on: stream)
    try run()
    try pair.server.sendHead(responseHead(103, [("link", "</a>")]), on: stream, isLast: false)
    try pair.server.sendHead(responseHead(200, [("server", "x")]), on: stream, isLast: false)
    try pair.server.sendBody("ok", on: stream)
    try pair.server.sendTrailers(HeaderFields([("grpc-status", "0")]), on: stream)
    try run()
  }

  @Test("A head without content is its message's end, and so is a response to HEAD with a length")
  func headsAlone() throws {
    let pair = try Joined()
    let stream = try pair.client.open(requestHead("HEAD"), isLast: true)
    try pair.run()
    let head = responseHead(200, [("content-length", "5")])
    try pair.server.sendHead(head, on: stream, isLast: true)
    try pair.run()
    #expect(describe(pair.serverEvents) == ["1 HEAD / last", "1 end"])
    #expect(describe(pair.clientEvents) == ["1 200 | content-length=5 last", "1 end"])
  }

  @Test("The raw head has every line that came, pseudo-fields too, and the fields point into it")
  func rawHead() throws {
    let fed = try HandFed(.server)
    fed.receive(
      Frames.headers(
        1,
        Frames.request("GET", "/", [("cookie", "a=1"), ("cookie", "b=2")]),
        isLast: true
      )
    )
    guard case .head(_, let head, true) = fed.events.first else {
      Issue.record("no head")
      return
    }
    #expect(
      head.raw.text == """
        :method: GET\r\n:scheme: https\r\n:authority: a.example\r\n:path: /\r\n\
        cookie: a=1\r\ncookie: b=2\r\n\r\n
        """
    )
    #expect(head.fields.buffer == head.raw)
    #expect(describe(head.fields) == "cookie=a=1 | cookie=b=2")
    #expect(head.version == .http2 && head.pseudo?.scheme == "https")
    #expect(head.pseudo?.authority == "a.example" && head.pseudo?.protocolName == nil)
  }

  @Test("A field that must never be indexed stays so on its way through")
  func neverIndexed() throws {
    let pair = try Joined()
    var head = requestHead()
    head.fields.append(name: "x-key", value: "secret", isNeverIndexed: true)
    head.fields.append(name: "x-open", value: "1")
    _ = try pair.client.open(head, isLast: true)
    try pair.run()
    guard case .head(_, let received, _) = pair.serverEvents.first else {
      Issue.record("no head")
      return
    }
    #expect(received.fields.slots.map(\.isNeverIndexed) == [true, false])
  }

  @Test("An extended CONNECT is a stream of bytes both ways, once the server offers it")
  func extendedConnect() throws {
    let pair = try Joined()
    let head = requestHead("CONNECT", "/chat", protocolName: "websocket")
    #expect(throws: HTTPFailure.self) { try pair.client.open(head, isLast: false) }
    pair.server.allowExtendedConnect()
    pair.server.allowExtendedConnect()
    try pair.run()
    #expect(describe(pair.clientEvents) == ["extended connect"])
    let stream = try pair.client.open(head, isLast: false)
    try pair.run()
    try pair.server.sendHead(responseHead(200), on: stream, isLast: false)
    try pair.server.sendBody("hi", on: stream)
    try pair.client.sendBody("ho", on: stream)
    try pair.run()
    #expect(describe(pair.serverEvents) == ["1 CONNECT /chat", "1 body ho", "1 sent 2"])
    guard case .head(_, let received, _) = pair.serverEvents.first else { return }
    #expect(received.pseudo?.protocolName == "websocket")
  }

  @Test("Content waits for the window, and goes on as the other side consumes it")
  func flowControl() throws {
    var limits = Limits()
    limits.streamWindow = 100_000
    let pair = try Joined(limits: limits)
    let stream = try pair.client.open(requestHead("POST"), isLast: false)
    try pair.client.sendBody(Bytes([UInt8](repeating: 0x61, count: 250_000)), on: stream)
    try pair.client.sendEnd(on: stream)
    try pair.run()
    #expect(Self.contentBytes(pair.serverEvents) == 100_000)
    #expect(pair.client.queued(on: stream) == 150_000)
    pair.server.consumed(100_000, on: stream)
    try pair.run()
    #expect(Self.contentBytes(pair.serverEvents) == 200_000)
    pair.server.consumed(100_000, on: stream)
    try pair.run()
    #expect(Self.contentBytes(pair.serverEvents) == 250_000)
    #expect(describe(pair.serverEvents).last == "1 end")
    #expect(pair.client.queued(on: stream) == 0)
  }

  @Test("A stream whose window is closed does not keep the others waiting")
  func noHeadOfLineBlocking() throws {
    var limits = Limits()
    limits.streamWindow = 20_000
    let pair = try Joined(limits: limits)
    let slow = try pair.client.open(requestHead("POST"), isLast: false)
    try pair.client.sendBody(Bytes([UInt8](repeating: 0x61, count: 90_000)), on: slow)
    let fast = try pair.client.open(requestHead("POST"), isLast: false)
    try pair.client.sendBody("quick", on: fast)
    try pair.client.sendEnd(on: fast)
    try pair.run()
    #expect(describe(pair.serverEvents).contains("3 body quick"))
    #expect(describe(pair.serverEvents).contains("3 end"))
  }

  @Test(
    "Credit is returned for streams that are closed, so that the connection's window never dries up"
  )
  func creditAfterClose() throws {
    var limits = Limits()
    limits.streamWindow = 50_000
    limits.connectionWindow = 100_000
    let pair = try Joined(limits: limits)
    for _ in 0..<10 {
      let stream = try pair.client.open(requestHead("POST"), isLast: false)
      try pair.client.sendBody(Bytes([UInt8](repeating: 0x61, count: 40_000)), on: stream)
      try pair.client.sendEnd(on: stream)
      try pair.run()
      try pair.server.sendHead(responseHead(204), on: stream, isLast: true)
      try pair.run()
      #expect(pair.server.openStreams == 0)
      pair.server.consumed(40_000, on: stream)
      try pair.run()
    }
    #expect(Self.contentBytes(pair.serverEvents) == 400_000)
  }

  @Test("Small pieces share a DATA frame, and large ones fill frames of 16 KiB")
  func framing() throws {
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request(), isLast: true))
    try fed.codec.sendHead(responseHead(200), on: Self.one, isLast: false)
    for _ in 0..<10 { try fed.codec.sendBody("0123456789", on: Self.one) }
    #expect(fed.frames().filter { $0.type == 0 }.map(\.payload.count) == [100])
    try fed.codec.sendBody(Bytes([UInt8](repeating: 0x61, count: 20_000)), on: Self.one)
    try fed.codec.sendEnd(on: Self.one)
    let data = fed.frames().filter { $0.type == 0 }
    #expect(data.map(\.payload.count) == [100, 16_384, 3_616])
    #expect(data.map(\.flags) == [0, 0, 1])
  }

  @Test("Output stops about at its limit and goes on where it stopped")
  func outputLimit() throws {
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request(), isLast: true))
    try fed.codec.sendHead(responseHead(200), on: Self.one, isLast: false)
    try fed.codec.sendBody(Bytes([UInt8](repeating: 0x61, count: 60_000)), on: Self.one)
    let first = fed.frames(limit: 20_000).filter { $0.type == 0 }.map(\.payload.count)
    #expect(first == [16_384, 16_384])
    #expect(fed.codec.hasOutput)
    #expect(fed.frames().filter { $0.type == 0 }.map(\.payload.count).reduce(0, +) == 60_000)
    #expect(fed.seen.filter { $0.contains("sent") } == ["1 sent 60000"])
  }

  @Test("Streams of one connection take turns whatever priorities the device names")
  func fairness() throws {
    let fed = try HandFed(.server)
    // Stream 3 asks for all, exclusively, before stream 1 (RFC 7540 §5.3).
    fed.receive(Frames.headers(1, Frames.request(), isLast: true))
    let block = Frames.block(Frames.request())
    fed.receive(
      Frames.frame(1, flags: 0x25, stream: 3, [0x80, 0, 0, 0, 255] + block),
      Frames.frame(2, stream: 1, [0, 0, 0, 3, 0]),
      Frames.frame(16, [0, 0, 0, 3] + Array("u=0".utf8))
    )
    for stream in [StreamID(1), StreamID(3)] {
      try fed.codec.sendHead(responseHead(200), on: stream, isLast: false)
      try fed.codec.sendBody(Bytes([UInt8](repeating: 0x61, count: 32_768)), on: stream)
    }
    let order = fed.frames(limit: 65_000).filter { $0.type == 0 }.map(\.stream)
    #expect(order == [1, 3, 1, 3] || order == [3, 1, 3, 1], "\(order)")
    #expect(fed.failure == nil)
  }

  @Test("What is queued for a stream that is reset does not leave, and the other side is told why")
  func reset() throws {
    let pair = try Joined()
    let stream = try pair.client.open(requestHead("POST"), isLast: false)
    try pair.client.sendBody("lost", on: stream)
    try pair.run()
    try pair.client.sendBody("never", on: stream)
    pair.client.reset(stream, .cancel)
    pair.client.reset(stream, .cancel)
    pair.client.reset(StreamID(99), .cancel)
    try pair.client.sendBody("nothing", on: stream)
    try pair.run()
    #expect(describe(pair.serverEvents) == ["1 POST /", "1 body lost", "1 reset CANCEL theirs"])
    #expect(describe(pair.clientEvents) == ["1 sent 4"])
    #expect(pair.client.openStreams == 0 && pair.server.openStreams == 0)
    #expect(pair.client.queued(on: stream) == 0)
  }

  @Test("A server that has answered may say that it does not want the rest of the request")
  func resetAfterResponse() throws {
    let pair = try Joined()
    let stream = try pair.client.open(requestHead("POST"), isLast: false)
    try pair.run()
    try pair.server.sendHead(responseHead(413), on: stream, isLast: true)
    try pair.run()
    pair.server.reset(stream, .noError)
    try pair.run()
    #expect(describe(pair.clientEvents) == ["1 413 last", "1 end", "1 reset NO_ERROR theirs"])
  }

  @Test("The settings that were promised are sent, and the connection's window is opened")
  func settings() throws {
    for role in [HTTP2Codec.Role.server, .client] {
      let codec = try HTTP2Codec(role: role, limits: Limits())
      var output: [UInt8] = []
      var events: [HTTP2Event] = []
      try codec.takeOutput(&output, limit: .max, &events)
      #expect(output.starts(with: Frames.magic) == (role == .client))
      let frames = WrittenFrame.all(in: output)
      #expect(frames.map(\.type) == [4, 8])
      #expect(frames.last?.number == UInt32(4 << 20) - 65_535)
      let settings = stride(from: 0, to: frames[0].payload.count, by: 6).map { start in
        frames[0].payload[start..<start + 6].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      }
      let common: [UInt64] = [4 << 32 | 256 << 10, 6 << 32 | 64 << 10]
      #expect(settings == common + (role == .server ? [3 << 32 | 100, 9 << 32 | 1] : [2 << 32]))
      #expect(!codec.hasOutput && !codec.isOver)
    }
  }

  @Test("A smaller header table that the peer asks for is honoured")
  func headerTable() throws {
    let fed = try HandFed(.server, settings: [(1, 0)])
    for stream in [1, 3] as [UInt32] {
      fed.receive(Frames.headers(stream, Frames.request(), isLast: true))
      let head = responseHead(200, [("x-field", "value")])
      try fed.codec.sendHead(head, on: StreamID(Int32(stream)), isLast: true)
    }
    let blocks = fed.frames().filter { $0.type == 1 }.map(\.payload)
    // A size update to 0 comes first (RFC 7541 §6.3); then nothing refers to a table that is empty.
    #expect(blocks.first?.first == 0x20)
    #expect(blocks.count == 2 && Array(blocks[0].dropFirst()) == blocks[1])
  }

  @Test("Whether a header block is under way is known, within a frame and between frames")
  func midHead() throws {
    let fed = try HandFed(.server)
    let block = Frames.block(Frames.request())
    let first = Frames.frame(1, flags: 1, stream: 1, Array(block.prefix(10)))
    fed.receive(first.slice(0..<12))
    #expect(fed.codec.isMidHead)
    fed.receive(first.dropping(first: 12))
    #expect(fed.codec.isMidHead)
    fed.receive(Frames.frame(9, flags: 4, stream: 1, Array(block.dropFirst(10))))
    #expect(!fed.codec.isMidHead)
    #expect(fed.seen == ["1 GET / last", "1 end"])
  }

  @Test("ALTSVC and ORIGIN frames go no further, and the first kind is counted")
  func alternativeService() throws {
    let fed = try HandFed(.client)
    fed.receive(
      Frames.frame(0xA, [0, 9] + Array("a.exampleh3=\":443\"".utf8)),
      Frames.frame(0xC, [0, 1, 0x61])
    )
    #expect(fed.seen == ["altsvc"])
    #expect(fed.failure == nil)
  }

  @Test("Content is a slice of what came, unless that would keep much more alive")
  func slices() throws {
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request("POST")))
    fed.receive(
      Frames.data(1, "tiny"),
      Frames.data(1, String(repeating: "a", count: 10_000))
    )
    #expect(Self.contentBytes(fed.events) == 10_004)
    #expect(fed.seen.last?.hasPrefix("1 body tinyaaaa") == true)
  }

  private static func contentBytes(_ events: [HTTP2Event]) -> Int {
    events.reduce(0) { sum, event in
      if case .body(_, let bytes) = event { return sum + bytes.count }
      return sum
    }
  }
}
