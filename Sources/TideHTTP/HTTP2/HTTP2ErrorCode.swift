import CNghttp2

/// Why a stream or a connection ends early (RFC 9113 §7); a peer may send any number.
public struct HTTP2ErrorCode: RawRepresentable, Hashable, Sendable {
  /// The number on the wire.
  public let rawValue: UInt32

  /// Takes any number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Nothing went wrong.
  public static let noError = HTTP2ErrorCode(rawValue: 0x0)
  /// The peer broke the protocol in a way that no other code names.
  public static let protocolError = HTTP2ErrorCode(rawValue: 0x1)
  /// The sender itself failed.
  public static let internalError = HTTP2ErrorCode(rawValue: 0x2)
  /// The peer sent more than a window, or made one too large.
  public static let flowControlError = HTTP2ErrorCode(rawValue: 0x3)
  /// The peer did not acknowledge settings in time.
  public static let settingsTimeout = HTTP2ErrorCode(rawValue: 0x4)
  /// A frame came for a stream that its sender had ended.
  public static let streamClosed = HTTP2ErrorCode(rawValue: 0x5)
  /// A frame has a size that its type does not allow.
  public static let frameSizeError = HTTP2ErrorCode(rawValue: 0x6)
  /// Nothing was done with the request: it may be sent again.
  public static let refusedStream = HTTP2ErrorCode(rawValue: 0x7)
  /// The stream is no longer wanted.
  public static let cancel = HTTP2ErrorCode(rawValue: 0x8)
  /// Field compression is out of step.
  public static let compressionError = HTTP2ErrorCode(rawValue: 0x9)
  /// The connection behind a CONNECT was reset.
  public static let connectError = HTTP2ErrorCode(rawValue: 0xA)
  /// The peer does too much that moves nothing forward.
  public static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 0xB)
  /// The TLS beneath is not good enough.
  public static let inadequateSecurity = HTTP2ErrorCode(rawValue: 0xC)
  /// The request has to be made in HTTP/1.1.
  public static let http11Required = HTTP2ErrorCode(rawValue: 0xD)
}

extension HTTP2ErrorCode: CustomStringConvertible {
  /// The RFC's name, such as `PROTOCOL_ERROR`; a number in hexadecimal if it has none.
  public var description: String {
    guard self.rawValue <= Self.http11Required.rawValue,
      let name = unsafe nghttp2_http2_strerror(self.rawValue)
    else { return "0x" + String(self.rawValue, radix: 16) }
    return unsafe String(cString: name)
  }
}
