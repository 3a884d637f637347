import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// A request for a WebSocket that is on its way.
struct SocketOffer {
  let handshake: WebSocketHandshake
}

/// A WebSocket after its handshake: two directions of messages; confined to its connection.
final class SocketRelay {
  let request: SocketDirection
  let response: SocketDirection
  /// Whether we end it.
  var isClosing = false

  init(_ request: SocketDirection, _ response: SocketDirection) {
    self.request = request
    self.response = response
  }

  subscript(direction: Direction) -> SocketDirection {
    switch direction {
    case .request: self.request
    case .response: self.response
    }
  }
}

/// One direction of a WebSocket: frames are read, their messages inspected, the frames passed on.
///
/// ```
///   raw ──► reader ──► payload ──► inflater ──► inspection        (reading)
///    └────► held ─────────────────────────────► raw again, or one frame made anew
/// ```
final class SocketDirection {
  let relay: MessageRelay
  let sender: WebSocketReader.Sender
  private let deflate: PerMessageDeflate?
  var reader: WebSocketReader
  var inflater: MessageInflater?
  /// Compresses this direction's messages anew since redaction changed one: the receiver's window is
  /// no longer what the sender thinks it is.
  private var deflater: MessageDeflater?
  var message: SocketMessageState?
  /// For each held piece, in order: its size, the payload that has to be settled before it goes on, and
  /// whether a frame ends with it.
  var marks: [(raw: Int, content: Int, endsFrame: Bool)] = []
  /// Whether its frames cannot be read, and pass as they are.
  let isOpaque: Bool
  /// Whether a message could not be decompressed, and so nothing that refers to it can.
  var hasLostContext = false
  /// A frame's header that waits for its payload.
  var header = Bytes()
  /// Whether a part of a frame has gone on without the rest.
  var isMidFrame = false
  var hasEnded = false

  init(
    _ relay: MessageRelay,
    _ sender: WebSocketReader.Sender,
    _ extensions: WebSocketExtensions,
    limits: DecodingLimits
  ) {
    self.relay = relay
    self.sender = sender
    switch extensions {
    case .none:
      self.deflate = nil
      self.isOpaque = false
    case .deflate(let parameters):
      self.deflate = parameters
      self.isOpaque = false
    case .unknown:
      self.deflate = nil
      self.isOpaque = true
    }
    self.reader = WebSocketReader(from: sender, allowsCompression: self.deflate != nil)
    if let deflate = self.deflate {
      self.inflater = MessageInflater(
        windowBits: deflate.windowBits(of: sender),
        keepsContext: deflate.keepsContext(of: sender),
        limits: limits
      )
    }
  }

  /// Whether compressed messages have to be made anew.
  var recompresses: Bool { self.deflater != nil }

  /// One frame with a whole message; compressed as the ends agreed if the message came so.
  func frame(_ message: SocketMessageState, _ payload: Bytes) -> Bytes {
    guard message.isCompressed, let deflate = self.deflate else {
      return WebSocketWriter.frame(
        WebSocketFrame.Opcode(message.kind),
        payload,
        mask: message.mask
      )
    }
    if self.deflater == nil {
      self.deflater = MessageDeflater(
        windowBits: deflate.windowBits(of: self.sender),
        keepsContext: deflate.keepsContext(of: self.sender)
      )
    }
    var pieces: [Bytes] = []
    self.deflater?.deflate(payload, &pieces)
    self.deflater?.finishMessage(&pieces)
    var compressed = Bytes()
    for piece in pieces { compressed.append(piece) }
    return WebSocketWriter.frame(
      WebSocketFrame.Opcode(message.kind),
      compressed,
      isCompressed: true,
      mask: message.mask
    )
  }
}

/// A message under way.
final class SocketMessageState {
  let kind: SocketMessage.Kind
  let isCompressed: Bool
  /// The key of its first frame.
  let mask: UInt32?
  var frames = 0
  /// How much of the payload came.
  var size: UInt64 = 0
  /// The payload's beginning: all of it where it is held.
  var payload: [UInt8] = []
  var inspection: BodyInspection?
  var reportedNotes = 0
  var findings: [Finding] = []
  /// Whether it is compressed, and could not be decompressed to its end.
  var isUnreadable = false

  init(_ frame: WebSocketFrame, _ inspection: BodyInspection?) {
    self.kind = frame.kind
    self.isCompressed = frame.isCompressed
    self.mask = frame.mask
    self.inspection = inspection
  }

  /// Keeps the payload up to `limit` bytes.
  func keep(_ bytes: Bytes, limit: Int) {
    self.size += UInt64(bytes.count)
    let room = limit - self.payload.count
    if room > 0 { self.payload += bytes.prefix(room) }
  }

  var isWhole: Bool { UInt64(self.payload.count) == self.size }

  func record(limit: Int) -> SocketMessage {
    SocketMessage(
      kind: self.kind,
      payload: Bytes(Array(self.payload.prefix(limit))),
      size: self.size,
      frames: self.frames,
      isCompressed: self.isCompressed
    )
  }
}
