import TideCore

/// A frame's header (RFC 6455 §5.2), of which all is checked that one frame alone can break.
struct WebSocketFrameHeader {
  /// Two bytes, eight for the longest length, four for the key.
  static let largest = 14
  /// The most payload of a control frame (RFC 6455 §5.5).
  static let largestControl = 125

  let opcode: WebSocketFrame.Opcode
  let isFinal: Bool
  let isCompressed: Bool
  let payloadLength: UInt64
  let mask: UInt32?
  /// The header's own size.
  let count: Int

  /// Reads the header at `start`; nil if its end has not come, unless what is there is wrong already.
  ///
  /// - Throws: `.protocolError`.
  static func parse(
    _ span: Span<UInt8>,
    at start: Int,
    isMasked: Bool,
    allowsCompression: Bool
  ) throws(WebSocketFailure) -> WebSocketFrameHeader? {
    guard start < span.count else { return nil }
    let first = span[start]
    guard let opcode = WebSocketFrame.Opcode(rawValue: first & 0x0F) else {
      throw WebSocketFailure(.protocolError, detail: "opcode \(first & 0x0F) is reserved")
    }
    let isFinal = first & 0x80 != 0
    let isCompressed = first & 0x40 != 0
    guard first & 0x30 == 0 else {
      throw WebSocketFailure(.protocolError, detail: "a reserved bit is set")
    }
    // RFC 7692 §6: the bit stands on the first frame of a message and nowhere else.
    guard !isCompressed || allowsCompression && (opcode == .text || opcode == .binary) else {
      throw WebSocketFailure(.protocolError, detail: "the compression bit is set out of place")
    }
    guard isFinal || !opcode.isControl else {
      throw WebSocketFailure(.protocolError, detail: "a control frame is fragmented")
    }

    guard start + 1 < span.count else { return nil }
    let second = span[start + 1]
    // RFC 6455 §5.1: what a client sends is masked, what a server sends is not.
    guard (second & 0x80 != 0) == isMasked else {
      let detail = isMasked ? "a client's frame is not masked" : "a server's frame is masked"
      throw WebSocketFailure(.protocolError, detail: detail)
    }
    let short = Int(second & 0x7F)
    guard !opcode.isControl || short <= Self.largestControl else {
      throw WebSocketFailure(.protocolError, detail: "a control frame is longer than 125 bytes")
    }
    let lengthEnd = start + (short < 126 ? 2 : short == 126 ? 4 : 10)
    guard lengthEnd <= span.count else { return nil }
    var length = UInt64(short)
    if short >= 126 {
      length = (start + 2..<lengthEnd).reduce(0) { $0 << 8 | UInt64(span[$1]) }
      guard length >= (short == 126 ? 126 : 1 << 16) else {
        throw WebSocketFailure(.protocolError, detail: "a length is not in its shortest form")
      }
      guard length < 1 << 63 else {
        throw WebSocketFailure(.protocolError, detail: "a length has its top bit set")
      }
    }

    let end = isMasked ? lengthEnd + 4 : lengthEnd
    guard end <= span.count else { return nil }
    return WebSocketFrameHeader(
      opcode: opcode,
      isFinal: isFinal,
      isCompressed: isCompressed,
      payloadLength: length,
      mask: isMasked ? (lengthEnd..<end).reduce(0) { $0 << 8 | UInt32(span[$1]) } : nil,
      count: end - start
    )
  }
}
