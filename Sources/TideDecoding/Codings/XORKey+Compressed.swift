internal import TideCore

extension XORKey {
  /// Keys under which the bytes may be one block of raw DEFLATE, the last (RFC 1951 §3.2.3).
  static func deflated(_ bytes: Bytes) -> [UInt8] {
    guard bytes.count >= 16 else { return [] }
    return (UInt8(1)...255).filter { DeflateGlance.mayBeBlock(bytes, under: $0) }
  }

  /// Keys under which the bytes may be one block of Brotli (RFC 7932 §9.1, §9.2), as encoders begin it.
  static func brotli(_ bytes: Bytes) -> [UInt8] {
    guard bytes.count >= 16 else { return [] }
    return Self.brotliStarts.compactMap { start in
      let key = bytes[0] ^ start
      guard key != 0 else { return nil }
      let (low, high) = (Int(bytes[1] ^ key), Int(bytes[2] ^ key))
      // Bit 4 marks the last block, of which a bit more says that it is not empty.
      let length =
        start & 0x10 != 0
        ? (low | high << 8) + 1 : (Int(start >> 7) | low << 1 | (high & 0x7F) << 9) + 1
      return (bytes.count / 2...bytes.count * 32).contains(length) ? key : nil
    }
  }

  /// A window of 16 to 24 bits, a length of 16 bits, the last block or not.
  private static let brotliStarts: [UInt8] = [
    0x1B, 0x0B, 0x8B, 0x1F, 0x0F, 0x8F, 0x1D, 0x19, 0x17, 0x15, 0x13,
  ]
}
