/// Why bytes are not a WebSocket that we accept.
public struct WebSocketFailure: Error, Hashable, Sendable {
  /// What is wrong; the raw value is the status code to close with (RFC 6455 §7.4.1).
  public enum Code: UInt16, CaseIterable, Sendable {
    /// A frame, a close code or a handshake breaks its grammar, or a message its order.
    case protocolError = 1002
    /// Text, or the reason of a close, is not UTF-8.
    case invalidText = 1007
    /// A message is over a limit.
    case tooLarge = 1009
  }

  /// What is wrong.
  public let code: Code
  /// For people: one clause, no payload.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, detail: String) {
    self.code = code
    self.detail = detail
  }

  /// The status code to close with.
  public var closeCode: UInt16 { self.code.rawValue }
}
