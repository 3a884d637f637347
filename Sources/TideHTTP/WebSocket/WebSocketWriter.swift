public import TideCore

/// Writes frames (RFC 6455 §5.2).
public enum WebSocketWriter {
  /// One frame with the payload given, masked if there is a key.
  ///
  /// A control frame is always final, never compressed and holds 125 bytes at most: what is over is cut.
  ///
  /// - Parameters:
  ///   - opcode: what the frame is.
  ///   - payload: in clear; compressed already if `isCompressed`.
  ///   - isFinal: whether the frame is its message's last.
  ///   - isCompressed: whether a compressed message begins here (RFC 7692 §6).
  ///   - mask: the key, its first byte the most significant: towards a server always, unpredictable to
  ///     whoever chose the payload (RFC 6455 §10.3); towards a client never.
  /// - Returns: the frame as it is sent.
  public static func frame(
    _ opcode: WebSocketFrame.Opcode,
    _ payload: Bytes,
    isFinal: Bool = true,
    isCompressed: Bool = false,
    mask: UInt32?
  ) -> Bytes {
    let limit = opcode.isControl ? WebSocketFrameHeader.largestControl : payload.count
    let payload = payload.count > limit ? payload.slice(0..<limit) : payload
    return unsafe Bytes(capacity: WebSocketFrameHeader.largest + payload.count) { room in
      var at = 0
      func put(_ byte: UInt8) {
        unsafe room[at] = byte
        at += 1
      }
      let bits: UInt8 =
        opcode.isControl ? 0x80 : (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0)
      put(bits | opcode.rawValue)
      let maskBit: UInt8 = mask == nil ? 0 : 0x80
      switch payload.count {
      case 0...125: put(maskBit | UInt8(payload.count))
      case 126...0xFFFF:
        put(maskBit | 126)
        for shift in [8, 0] { put(UInt8(truncatingIfNeeded: payload.count >> shift)) }
      default:
        put(maskBit | 127)
        for shift in stride(from: 56, through: 0, by: -8) {
          put(UInt8(truncatingIfNeeded: payload.count >> shift))
        }
      }
      let body: UnsafeMutableRawBufferPointer
      if let mask {
        for shift in stride(from: 24, through: 0, by: -8) {
          put(UInt8(truncatingIfNeeded: mask >> UInt32(shift)))
        }
        var masking = WebSocketMask(mask)
        unsafe body = UnsafeMutableRawBufferPointer(rebasing: room[at...])
        unsafe payload.withUnsafeBytes { unsafe masking.apply(to: $0, into: body) }
      } else {
        unsafe body = UnsafeMutableRawBufferPointer(rebasing: room[at...])
        unsafe payload.withUnsafeBytes { unsafe body.copyMemory(from: $0) }
      }
      return at + payload.count
    }
  }

  /// A close frame; a reason of more than 123 bytes is cut between two characters.
  ///
  /// - Parameters:
  ///   - code: one that may be sent (RFC 6455 §7.4).
  ///   - reason: for people.
  ///   - mask: as for `frame`.
  /// - Returns: the frame as it is sent.
  public static func close(_ code: UInt16, reason: String, mask: UInt32?) -> Bytes {
    var payload = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
    for scalar in reason.unicodeScalars {
      let bytes = UTF8.encode(scalar).map(Array.init) ?? []
      guard payload.count + bytes.count <= WebSocketFrameHeader.largestControl else { break }
      payload += bytes
    }
    return self.frame(.close, Bytes(payload), mask: mask)
  }
}
