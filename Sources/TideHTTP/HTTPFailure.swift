import TideCore

/// Why bytes are not a message we accept, or a part is not one we can send.
public struct HTTPFailure: Error, Hashable, Sendable {
  /// What is wrong.
  public enum Code: String, CaseIterable, Sendable {
    /// A start line or field line breaks its grammar (RFC 9112 §3 to §5).
    case malformedHead
    /// A request target is in none of its four forms (RFC 9112 §3.2).
    case malformedTarget
    /// A chunk breaks its grammar, or its size line is over its limit (RFC 9112 §7.1).
    case malformedChunk
    /// Two recipients could find the message's end in different places (RFC 9112 §6.3, §11.2).
    case ambiguousFraming
    /// A head or trailer section is over its limit of bytes or fields.
    case headTooLarge
    /// The peer closed in the middle of a message.
    case truncated
    /// A server sent bytes that answer no request.
    case unexpectedBytes
    /// An HTTP/2 frame breaks its grammar, its stream's state or a window (RFC 9113).
    case malformedFrame
    /// An HTTP/2 peer sends so much that moves nothing forward that it looks like an attack.
    case flood
    /// Well formed, but of a version, scheme or kind that we do not speak.
    case unsupported
    /// A part that we were given to send is out of order, against the framing, or not legal.
    case unsendable
  }

  /// What is wrong.
  public let code: Code
  /// For people: one clause that quotes at most 64 bytes of the peer's input, escaped.
  public let detail: String

  /// Joins a code and a clause.
  public init(_ code: Code, detail: String) {
    self.code = code
    self.detail = detail
  }

  /// Joins a code and a clause with the beginning of what was wrong.
  init(_ code: Code, _ clause: String, quoting bytes: some Sequence<UInt8>) {
    self.init(code, detail: "\(clause): \"\(Self.escaped(bytes))\"")
  }

  /// The first 64 of `bytes` as printable ASCII; an ellipsis stands for the rest.
  static func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    var count = 0
    for byte in bytes {
      guard count < 64 else { return text + "…" }
      count += 1
      switch byte {
      case 0x22, 0x5C: text += "\\" + String(UnicodeScalar(byte))
      case 0x20...0x7E: text.unicodeScalars.append(UnicodeScalar(byte))
      default: text += "\\x" + ASCII.hex(CollectionOfOne(byte))
      }
    }
    return text
  }
}
