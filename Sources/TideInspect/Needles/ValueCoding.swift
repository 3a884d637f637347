import TideCore
import TideDecoding

/// How the characters of a spelling become bytes or another text, if not simply as UTF-8.
enum ValueCoding: Hashable {
  /// The characters from last to first.
  case reversed
  /// Two bytes for each UTF-16 unit.
  case utf16(isBigEndian: Bool)
  /// An encoding of Han characters.
  case han(Charset)
  /// Two decimal digits in each byte.
  case packed(PackedDigits)
  /// Hexadecimal digits as the bytes that they stand for.
  case bytes(HexOrder)
  /// Digits as an integer in binary.
  case integer(IntegerForm, radix: Int)
  /// A hexadecimal number in decimal digits.
  case decimal(isSigned: Bool)
  /// A decimal number in hexadecimal digits.
  case hexadecimal
  /// 14 hexadecimal digits as 18 decimal ones (3GPP2 S.R0048, MEID).
  case meidDecimal

  /// What the result is, which says in what it may be wrapped.
  enum Nature {
    case text
    /// Text in an encoding of its own.
    case wide
    case binary
  }

  /// What the result is.
  var nature: Nature {
    switch self {
    case .reversed, .decimal, .hexadecimal, .meidDecimal: .text
    case .utf16, .han: .wide
    case .packed, .bytes, .integer: .binary
    }
  }

  /// The names that findings show.
  var names: [String] {
    switch self {
    case .reversed: ["reversed"]
    case .utf16(let isBigEndian): [isBigEndian ? "utf16be" : "utf16le"]
    case .han(let charset): [charset.rawValue]
    case .packed: ["bcd"]
    case .bytes: ["bytes"]
    case .integer: ["int"]
    case .decimal, .meidDecimal: ["decimal"]
    case .hexadecimal: ["hexnumber"]
    }
  }

  /// The result for a spelling in UTF-8; nil if it cannot be had.
  func bytes(of text: [UInt8]) -> [UInt8]? {
    switch self {
    case .reversed:
      let scalars = String(decoding: text, as: UTF8.self).unicodeScalars.reversed()
      return scalars.flatMap { Array(String($0).utf8) }
    case .utf16(let isBigEndian):
      return String(decoding: text, as: UTF8.self).utf16.flatMap { unit in
        let bytes = [UInt8(unit >> 8), UInt8(unit & 0xFF)]
        return isBigEndian ? bytes : bytes.reversed()
      }
    case .han(let charset):
      // What is ASCII in both is no spelling of its own.
      guard text.contains(where: { $0 >= 0x80 }) else { return nil }
      return charset.encode(Bytes(text))?.array
    case .packed(let form): return form.bytes(of: text)
    case .bytes(let order): return order.bytes(of: text)
    case .integer(let form, let radix):
      return Self.number(text, radix: radix).flatMap(form.bytes(of:))
    case .decimal(let isSigned):
      guard let value = Self.number(text, radix: 16) else { return nil }
      // Only a number with its highest bit set reads differently with a sign.
      if isSigned { return value >> 63 == 1 ? Array("\(Int64(bitPattern: value))".utf8) : nil }
      return Array("\(value)".utf8)
    case .hexadecimal:
      return Self.number(text, radix: 10).map { Array(String($0, radix: 16).utf8) }
    case .meidDecimal:
      guard text.count == 14, let high = Self.number(Array(text[..<8]), radix: 16),
        let low = Self.number(Array(text[8...]), radix: 16)
      else { return nil }
      return Self.padded(high, 10) + Self.padded(low, 8)
    }
  }

  private static func number(_ digits: [UInt8], radix: Int) -> UInt64? {
    UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
  }

  private static func padded(_ value: UInt64, _ count: Int) -> [UInt8] {
    let digits = Array("\(value)".utf8)
    return [UInt8](repeating: 0x30, count: max(0, count - digits.count)) + digits
  }
}

/// How decimal digits share bytes.
enum PackedDigits: Hashable, CaseIterable {
  /// First digit in the low half, 15 after an odd number of digits: TBCD (3GPP TS 29.002 §17.7.8).
  case swapped
  /// First digit in the high half, 15 after an odd number of digits.
  case straight
  /// First digit in the high half, 0 before an odd number of digits.
  case straightAfterZero
  /// The first digit above four bits that say how many there are and what: mobile identity
  /// (3GPP TS 24.008 §10.5.1.4), for an IMSI.
  case mobileIMSI
  /// The same for an IMEI.
  case mobileIMEI

  func bytes(of digits: [UInt8]) -> [UInt8]? {
    guard !digits.isEmpty, digits.allSatisfy(ASCII.isDigit) else { return nil }
    var halves = digits.map { $0 - 0x30 }
    let isOdd = halves.count % 2 == 1
    switch self {
    case .swapped, .straight: if isOdd { halves.append(0xF) }
    case .straightAfterZero:
      guard isOdd else { return nil }
      halves.insert(0, at: 0)
    case .mobileIMSI, .mobileIMEI:
      guard isOdd else { return nil }
      halves.insert(self == .mobileIMSI ? 0x9 : 0xA, at: 0)
    }
    let isLowFirst =
      switch self {
      case .swapped, .mobileIMSI, .mobileIMEI: true
      case .straight, .straightAfterZero: false
      }
    return stride(from: 0, to: halves.count, by: 2).map { index in
      isLowFirst
        ? halves[index + 1] << 4 | halves[index] : halves[index] << 4 | halves[index + 1]
    }
  }
}

/// In which order the bytes stand that hexadecimal digits stand for.
enum HexOrder: Hashable {
  case forward
  /// Last byte first, as Bluetooth sends addresses (Core Specification, Vol 3 Part C §3.2.1).
  case backward
  /// A UUID as Windows keeps it: the first three groups last byte first.
  case guid

  func bytes(of digits: [UInt8]) -> [UInt8]? {
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = ASCII.hexValue(digits[index]), let low = ASCII.hexValue(digits[index + 1])
      else { return nil }
      bytes.append(high << 4 | low)
    }
    switch self {
    case .forward: return bytes
    case .backward: return bytes.reversed()
    case .guid:
      guard bytes.count == 16 else { return nil }
      let groups = [bytes[..<4].reversed(), bytes[4..<6].reversed(), bytes[6..<8].reversed()]
      return groups.flatMap { Array($0) } + bytes[8...]
    }
  }
}

/// How an integer is written in binary.
enum IntegerForm: Hashable, CaseIterable {
  /// Seven bits a byte, the lowest first (Protocol Buffers, "Encoding").
  case varint
  /// Eight bytes, the lowest first.
  case littleEndian
  /// Eight bytes, the highest first.
  case bigEndian

  /// The bytes; nil for a number so small that its bytes are anywhere.
  func bytes(of value: UInt64) -> [UInt8]? {
    guard value >> 32 != 0 else { return nil }
    switch self {
    case .varint:
      var rest = value
      var bytes: [UInt8] = []
      while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      return bytes + [UInt8(rest)]
    case .littleEndian: return (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    case .bigEndian:
      return (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }
  }
}
