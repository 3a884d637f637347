public import TideCore

/// What a close frame says (RFC 6455 §5.5.1).
public struct WebSocketClose: Hashable, Sendable {
  /// The status code; nil if the frame is empty.
  public let code: UInt16?
  /// Why, in UTF-8; often empty.
  public let reason: Bytes

  /// Reads the payload of a close frame.
  ///
  /// - Throws: `.protocolError` for half a code or one that is never sent, `.invalidText` for a reason
  ///   that is not UTF-8.
  public init(payload: Bytes) throws(WebSocketFailure) {
    guard !payload.isEmpty else {
      self.code = nil
      self.reason = Bytes()
      return
    }
    guard payload.count >= 2 else {
      throw WebSocketFailure(.protocolError, detail: "a close frame has half a code")
    }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    guard Self.isSendable(code) else {
      throw WebSocketFailure(.protocolError, detail: "close code \(code) is not for sending")
    }
    let reason = payload.dropping(first: 2)
    var validator = UTF8Validator()
    guard validator.accepts(reason), validator.isComplete else {
      throw WebSocketFailure(.invalidText, detail: "the reason of a close is not UTF-8")
    }
    self.code = code
    self.reason = reason
  }

  /// Whether `code` may stand in a close frame.
  ///
  /// RFC 6455 §7.4.1 with what IANA's registry has added (1012 to 1014), and the ranges of §7.4.2 that
  /// are for libraries and applications.
  private static func isSendable(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
