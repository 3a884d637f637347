import TideCore

extension UTF8 {
  /// How many bytes the well-formed sequence at `index` has; 0 if there is none (RFC 3629).
  static func length(_ bytes: Bytes, at index: Int) -> Int {
    let first = bytes[index]
    let count: Int
    switch first {
    case ..<0x80: return 1
    case 0xC2...0xDF: count = 2
    case 0xE0...0xEF: count = 3
    case 0xF0...0xF4: count = 4
    default: return 0
    }
    guard index + count <= bytes.count else { return 0 }
    for offset in 1..<count where bytes[index + offset] & 0xC0 != 0x80 { return 0 }
    let second = bytes[index + 1]
    switch first {
    case 0xE0: return second >= 0xA0 ? count : 0
    case 0xED: return second < 0xA0 ? count : 0
    case 0xF0: return second >= 0x90 ? count : 0
    case 0xF4: return second < 0x90 ? count : 0
    default: return count
    }
  }

  /// The scalar of the well-formed sequence of `count` bytes at `index`.
  static func scalar(_ bytes: Bytes, at index: Int, _ count: Int) -> Unicode.Scalar? {
    var value = UInt32(bytes[index])
    if count > 1 { value &= 0xFF >> UInt32(count + 1) }
    for offset in 1..<max(count, 1) { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
    return Unicode.Scalar(value)
  }
}
