import TideCore
import Testing

@testable import TideHTTP

@Suite struct WebSocketReaderTests {
  @Test(
    "The examples of RFC 6455 §5.7 read as it says, however they are cut",
    arguments: [
      ("810548656c6c6f", .server, ["text Hello"]),
      ("818537fa213d7f9f4d5158", .client, ["text Hello"]),
      ("010348656c80026c6f", .server, ["text Hello"]),
      ("890548656c6c6f", .server, ["ping Hello"]),
      ("8a8537fa213d7f9f4d5158", .client, ["pong Hello"]),
    ] as [(String, WebSocketReader.Sender, [String])]
  )
  func examples(hex: String, sender: WebSocketReader.Sender, messages: [String]) {
    let stream = Self.bytes(hex)
    let whole = WebSocketOutcome.of([stream], from: sender)
    #expect(whole.messages == messages)
    #expect(whole.failure == nil && whole.isBetweenMessages && !whole.hasClosed)
    for parts in everyCut(of: stream) {
      let outcome = WebSocketOutcome.of(parts, from: sender)
      #expect(outcome == whole)
      #expect(outcome.raw == stream)
    }
  }

  @Test("Lengths of 16 and 64 bits are read", arguments: [256, 65_536])
  func longLengths(count: Int) {
    let header = Self.bytes(count == 256 ? "827e0100" : "827f0000000000010000")
    let payload = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0) })
    let outcome = WebSocketOutcome.of([joined([header, payload])], from: .server)
    let frame = WebSocketFrame(
      opcode: .binary,
      kind: .binary,
      isFinal: true,
      isCompressed: false,
      payloadLength: UInt64(count),
      mask: nil
    )
    #expect(outcome.seen == [.frame(frame), .payload(payload, endsMessage: true)])
  }

  @Test("Control frames come between the frames of a message, and the message stays whole")
  func interleaved() {
    let stream = joined([
      WebSocketWriter.frame(.text, "first ", isFinal: false, mask: 0x0102_0304),
      WebSocketWriter.frame(.ping, "still there?", mask: 0xFFFF_FFFF),
      WebSocketWriter.frame(.continuation, "", isFinal: false, mask: 7),
      WebSocketWriter.frame(.continuation, "last", mask: 0),
      WebSocketWriter.frame(.binary, "", mask: 1),
      WebSocketWriter.close(1000, reason: "done", mask: 9),
    ])
    let whole = WebSocketOutcome.of([stream], from: .client)
    #expect(
      whole.messages == [
        "ping still there?", "text first last", "binary ", "close \u{3}\u{FFFD}done",
      ]
    )
    #expect(whole.hasClosed && whole.isBetweenMessages)
    for parts in everyCut(of: stream) {
      let outcome = WebSocketOutcome.of(parts, from: .client)
      #expect(outcome == whole)
      #expect(outcome.raw == stream)
    }
  }

  @Test("Random messages come out as they went in, and the raw bytes are the stream")
  func randomStreams() {
    for seed in 0..<30 as Range<UInt64> {
      var random = SeededRandom(seed)
      let sender: WebSocketReader.Sender = seed % 2 == 0 ? .client : .server
      var frames: [Bytes] = []
      var messages: [WebSocketOutcome.Message] = []
      for size in [0, 1, 7, 125, 126, 300, 66_000].shuffled(using: &random) {
        let payload = random.bytes(size)
        let isCompressed = Bool.random(using: &random)
        let parts = size == 0 ? [payload] : randomCut(of: payload, largest: size, &random)
        for (index, part) in parts.enumerated() {
          let mask = sender == .client ? UInt32.random(in: 0 ... .max, using: &random) : nil
          frames.append(
            WebSocketWriter.frame(
              index == 0 ? .binary : .continuation,
              part,
              isFinal: index == parts.count - 1,
              isCompressed: isCompressed && index == 0,
              mask: mask
            )
          )
          guard index < parts.count - 1, Bool.random(using: &random) else { continue }
          frames.append(WebSocketWriter.frame(.pong, part, mask: mask))
          let answer = part.slice(0..<min(part.count, 125)).array
          messages.append(WebSocketOutcome.Message(kind: .pong, payload: answer))
        }
        messages.append(WebSocketOutcome.Message(kind: .binary, payload: payload.array))
      }
      let stream = joined(frames)
      let parts = randomCut(of: stream, largest: 3_000, &random)
      let outcome = WebSocketOutcome.of(parts, from: sender, allowsCompression: true)
      #expect(outcome.failure == nil && outcome.isBetweenMessages)
      #expect(outcome.contents == messages)
      #expect(outcome.raw.array == stream.array)
    }
  }

  @Test("A payload is passed on as it comes: a frame of an exbibyte holds nothing back")
  func notBuffered() throws {
    var reader = WebSocketReader(from: .server, allowsCompression: false)
    var pieces: [WebSocketPiece] = []
    try reader.receive(Self.bytes("827f7fffffffffffffff"), &pieces)
    #expect(pieces.count == 1)
    for _ in 0..<3 {
      pieces = []
      try reader.receive("some bytes", &pieces)
      guard case .payload("some bytes", "some bytes", false, false) = pieces.first else {
        Issue.record("the bytes did not come out")
        return
      }
      #expect(!reader.isBetweenMessages)
    }
  }

  @Test("Between messages is only where no header, frame or message has begun")
  func betweenMessages() throws {
    var reader = WebSocketReader(from: .server, allowsCompression: false)
    var pieces: [WebSocketPiece] = []
    let stream = joined([
      WebSocketWriter.frame(.text, "ab", isFinal: false, mask: nil),
      WebSocketWriter.frame(.continuation, "", mask: nil),
    ])
    #expect(reader.isBetweenMessages)
    for (index, byte) in stream.enumerated() {
      try reader.receive(Bytes([byte]), &pieces)
      #expect(reader.isBetweenMessages == (index == stream.count - 1))
    }
    try reader.receive(Self.bytes("89"), &pieces)
    #expect(!reader.isBetweenMessages)
  }

  @Test("After a close frame nothing more is read")
  func afterClose() throws {
    var stream = WebSocketWriter.close(1001, reason: "", mask: nil)
    let close = stream
    stream.append("\u{0}\u{0}anything")
    for parts in everyCut(of: stream) {
      let outcome = WebSocketOutcome.of(parts, from: .server)
      #expect(outcome.hasClosed && outcome.failure == nil)
      #expect(outcome.raw == close)
    }
  }

  @Test("Random bytes never trap, however they are cut, and a failure is final")
  func hostile() {
    var random = SeededRandom(42)
    for _ in 0..<2_000 {
      var bytes = random.bytes(Int.random(in: 0...200, using: &random)).array
      // Otherwise nearly all of them fail at the first byte.
      if !bytes.isEmpty {
        bytes[0] = [0x81, 0x02, 0xC1, 0x88, 0x8A].randomElement(using: &random) ?? 0
      }
      let sender: WebSocketReader.Sender = Bool.random(using: &random) ? .client : .server
      let whole = WebSocketOutcome.of([Bytes(bytes)], from: sender, allowsCompression: true)
      let parts = randomCut(of: Bytes(bytes), largest: 9, &random)
      let cut = WebSocketOutcome.of(parts, from: sender, allowsCompression: true)
      #expect(cut.failure == whole.failure)
      #expect(cut.isBetweenMessages == whole.isBetweenMessages)
    }
    var reader = WebSocketReader(from: .server, allowsCompression: false)
    var pieces: [WebSocketPiece] = []
    #expect(throws: WebSocketFailure.self) { try reader.receive(Self.bytes("83"), &pieces) }
    #expect(throws: WebSocketFailure.self) { try reader.receive(Self.bytes("8100"), &pieces) }
    #expect(pieces.isEmpty && !reader.hasClosed && !reader.isBetweenMessages)
  }

  static func bytes(_ hex: String) -> Bytes {
    let digits = hex.utf8.compactMap(ASCII.hexValue)
    return Bytes(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
  }
}
