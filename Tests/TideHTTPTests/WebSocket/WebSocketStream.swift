import TideCore

@testable import TideHTTP

/// What came out of a reader, in a form that does not depend on how its input was cut.
struct WebSocketOutcome: Equatable {
  enum Seen: Equatable {
    case frame(WebSocketFrame)
    case payload(Bytes, endsMessage: Bool)
    case control(SocketMessage.Kind, Bytes)
  }

  var seen: [Seen] = []
  /// Every `raw` in order.
  var raw = Bytes()
  var failure: WebSocketFailure?
  var isBetweenMessages = false
  var hasClosed = false

  /// A message that is whole.
  struct Message: Equatable {
    let kind: SocketMessage.Kind
    let payload: [UInt8]
  }

  /// The messages that are whole, to be read.
  var messages: [String] {
    self.contents.map { "\($0.kind.rawValue) \(String(decoding: $0.payload, as: UTF8.self))" }
  }

  /// The messages that are whole.
  var contents: [Message] {
    var messages: [Message] = []
    var kind = SocketMessage.Kind.text
    var text: [UInt8] = []
    for piece in self.seen {
      switch piece {
      case .frame(let frame): kind = frame.kind
      case .control(let kind, let payload):
        messages.append(Message(kind: kind, payload: payload.array))
      case .payload(let bytes, let endsMessage):
        text.append(contentsOf: bytes)
        guard endsMessage else { continue }
        messages.append(Message(kind: kind, payload: text))
        text = []
      }
    }
    return messages
  }

  private mutating func add(_ piece: WebSocketPiece, inFrame: inout Bool) {
    self.raw.append(piece.raw)
    switch piece {
    case .frame(let frame, _): self.seen.append(.frame(frame))
    case .control(let kind, let payload, _): self.seen.append(.control(kind, payload))
    case .payload(let bytes, _, let endsMessage, let endsFrame):
      if inFrame, case .payload(var before, _) = self.seen.last {
        before.append(bytes)
        self.seen[self.seen.count - 1] = .payload(before, endsMessage: endsMessage)
      } else {
        self.seen.append(.payload(bytes, endsMessage: endsMessage))
      }
      inFrame = !endsFrame
    }
  }

  /// Feeds `parts` to a new reader.
  static func of(
    _ parts: [Bytes],
    from sender: WebSocketReader.Sender,
    allowsCompression: Bool = false
  ) -> WebSocketOutcome {
    var outcome = WebSocketOutcome()
    var reader = WebSocketReader(from: sender, allowsCompression: allowsCompression)
    var pieces: [WebSocketPiece] = []
    do throws(WebSocketFailure) {
      for part in parts { try reader.receive(part, &pieces) }
    } catch {
      outcome.failure = error
    }
    var inFrame = false
    for piece in pieces { outcome.add(piece, inFrame: &inFrame) }
    outcome.isBetweenMessages = reader.isBetweenMessages
    outcome.hasClosed = reader.hasClosed
    return outcome
  }
}

/// Every way to cut bytes in two, and into single bytes.
func everyCut(of bytes: Bytes) -> [[Bytes]] {
  (0...bytes.count).map { [bytes.slice(0..<$0), bytes.dropping(first: $0)] }
    + [bytes.indices.map { bytes.slice($0..<$0 + 1) }]
}

/// Cuts bytes at random places.
func randomCut(of bytes: Bytes, largest: Int, _ random: inout SeededRandom) -> [Bytes] {
  var parts: [Bytes] = []
  var at = 0
  while at < bytes.count {
    let end = min(bytes.count, at + Int.random(in: 1...largest, using: &random))
    parts.append(bytes.slice(at..<end))
    at = end
  }
  return parts
}

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { self.state = seed }

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var z = self.state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func bytes(_ count: Int) -> Bytes {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let word = self.next()
      for shift in stride(from: 0, to: 64 as UInt64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return Bytes(bytes).slice(0..<count)
  }
}

/// Frames joined to one stream.
func joined(_ frames: [Bytes]) -> Bytes {
  var stream = Bytes()
  for frame in frames { stream.append(frame) }
  return stream
}
