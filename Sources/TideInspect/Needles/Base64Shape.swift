import TideCore
import TideCrypto

/// Where `count` bytes lie in base64 text, if they begin `offset` bytes into a group of three.
///
/// Positions are counted in digits from the start of that group of four digits.
struct Base64Shape {
  let offset: Int
  let count: Int

  /// The digits that hold bits of these bytes and of no other.
  var core: Range<Int> {
    let first = (self.offset * 8 + 5) / 6
    return first..<max(first, (self.offset + self.count) * 8 / 6)
  }

  /// The digits that hold any bit of these bytes.
  var occupied: Range<Int> {
    self.offset * 8 / 6..<((self.offset + self.count) * 8 + 5) / 6
  }
}

/// Single base64 digits of both alphabets at once, for text of which only a part is known.
enum Base64Digit {
  /// The six bits that `byte` stands for; nil if it is no digit.
  @inline(__always)
  static func value(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x41...0x5A: byte - 0x41
    case 0x61...0x7A: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case 0x2B, 0x2D: 62
    case 0x2F, 0x5F: 63
    default: nil
    }
  }

  /// The digit for six bits.
  static func digit(_ value: UInt8, _ alphabet: Base64) -> UInt8 {
    switch value {
    case 0..<26: 0x41 + value
    case 26..<52: 0x61 + value - 26
    case 52..<62: 0x30 + value - 52
    case 62: alphabet == .url ? 0x2D : 0x2B
    default: alphabet == .url ? 0x5F : 0x2F
    }
  }

  /// The byte at `index`, counted from the group of digits at `start`; nil if a digit is missing.
  static func byte(_ span: Span<UInt8>, group start: Int, _ index: Int) -> UInt8? {
    let bit = index * 8
    let first = start + bit / 6
    guard first >= 0, first + 1 < span.count, let high = self.value(span[first]),
      let low = self.value(span[first + 1])
    else { return nil }
    let pair = UInt16(high) << 6 | UInt16(low)
    return UInt8(truncatingIfNeeded: pair >> UInt16(4 - bit % 6))
  }
}
