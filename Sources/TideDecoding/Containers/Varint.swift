/// Numbers of seven bits a byte, the lowest first (protobuf.dev, Encoding, Base 128 Varints).
enum Varint {
  /// The longest: 64 bits.
  static let longest = 10

  /// Reads the varint at `position`, which moves behind it; nil if there is none before `end`.
  static func read(_ span: Span<UInt8>, _ position: inout Int, _ end: Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var index = position
    while index < end {
      let byte = span[index]
      index += 1
      // The tenth byte holds the last bit of 64.
      if shift == 63, byte > 1 { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 {
        position = index
        return value
      }
      shift += 7
      if shift > 63 { return nil }
    }
    return nil
  }

  /// How many bytes a number takes at least.
  static func count(of value: UInt64) -> Int { max((64 - value.leadingZeroBitCount + 6) / 7, 1) }

  /// The bytes of `value`, at least `count` of them.
  ///
  /// More than needed are legal, and keep what stands around in its place.
  static func bytes(of value: UInt64, atLeast count: Int = 1) -> [UInt8] {
    let count = max(Self.count(of: value), min(count, Self.longest))
    return (0..<count).map { index in
      let bits = UInt8(truncatingIfNeeded: value >> UInt64(7 * index)) & 0x7F
      return index == count - 1 ? bits : bits | 0x80
    }
  }
}
