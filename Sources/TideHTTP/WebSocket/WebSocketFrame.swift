public import TideCore

/// What the header of a data frame says (RFC 6455 §5.2).
public struct WebSocketFrame: Hashable, Sendable {
  /// What a frame is; the raw value is what is sent.
  public enum Opcode: UInt8, CaseIterable, Sendable {
    /// The next part of a message.
    case continuation = 0x0
    /// A text message, or the first part of one.
    case text = 0x1
    /// A binary message, or the first part of one.
    case binary = 0x2
    /// The end of one direction.
    case close = 0x8
    /// A question.
    case ping = 0x9
    /// Its answer.
    case pong = 0xA

    /// The opcode of an unfragmented message or control frame.
    public init(_ kind: SocketMessage.Kind) {
      switch kind {
      case .text: self = .text
      case .binary: self = .binary
      case .close: self = .close
      case .ping: self = .ping
      case .pong: self = .pong
      }
    }

    /// What a frame is by itself; nil for a continuation.
    public var kind: SocketMessage.Kind? {
      switch self {
      case .continuation: nil
      case .text: .text
      case .binary: .binary
      case .close: .close
      case .ping: .ping
      case .pong: .pong
      }
    }

    /// Whether the frame may come between the frames of a message (RFC 6455 §5.5).
    public var isControl: Bool { self.rawValue & 0x8 != 0 }
  }

  /// Text or binary for a message's first frame, `continuation` for the others.
  public let opcode: Opcode
  /// What the whole message is, text or binary, in each of its frames.
  public let kind: SocketMessage.Kind
  /// Whether it is the message's last.
  public let isFinal: Bool
  /// Whether the first reserved bit is set: the message that begins here is compressed (RFC 7692 §6).
  ///
  /// Never set on the later frames of a compressed message.
  public let isCompressed: Bool
  /// The size of the payload, below 2^63.
  public let payloadLength: UInt64
  /// The key of a client's frame, its first byte the most significant; nil for a server's.
  public let mask: UInt32?

  /// Joins what a header says.
  public init(
    opcode: Opcode,
    kind: SocketMessage.Kind,
    isFinal: Bool,
    isCompressed: Bool,
    payloadLength: UInt64,
    mask: UInt32?
  ) {
    self.opcode = opcode
    self.kind = kind
    self.isFinal = isFinal
    self.isCompressed = isCompressed
    self.payloadLength = payloadLength
    self.mask = mask
  }
}

/// A piece of one direction of a WebSocket.
///
/// `raw` is always the bytes as they came: passing on every `raw` in order passes on the stream.
public enum WebSocketPiece: Sendable {
  /// A data frame begins; its payload follows, in one piece or more.
  case frame(WebSocketFrame, raw: Bytes)
  /// The next bytes of the frame's payload, unmasked; empty only if the whole payload is.
  case payload(Bytes, raw: Bytes, endsMessage: Bool, endsFrame: Bool)
  /// A whole ping, pong or close; it may come between the frames of a message, never within one.
  case control(SocketMessage.Kind, payload: Bytes, raw: Bytes)

  /// The bytes as they came.
  public var raw: Bytes {
    switch self {
    case .frame(_, let raw), .payload(_, let raw, _, _), .control(_, _, let raw): raw
    }
  }
}
