public import TideCore

/// Base32 (RFC 4648 §6) in either case, padded or not, of at least 12 digits: 7 bytes.
public struct Base32Coding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "base32"

  /// Makes one.
  public init() {}

  /// Whether all bytes are letters of one case, digits or padding.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    let lower: ByteClasses = [.digit, .equals, .hexLower, .otherLower]
    let upper: ByteClasses = [.digit, .equals, .hexUpper, .otherUpper]
    return shape.count >= 12 && shape.classes != .digit
      && (shape.classes.isSubset(of: lower) || shape.classes.isSubset(of: upper))
  }

  /// What the digits stand for.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let value = Self.decode(bytes),
      let isCertain = Self.judge(value, bytes), budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      of: bytes,
      value: value,
      isCertain: isCertain
    )
  }

  /// The digits of the new value, in the case and with the padding of the old ones.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    let isLower = bytes.contains { $0 >= 0x61 }
    let isPadded = bytes.last == 0x3D || bytes.count & 7 == 0
    return Bytes(Self.encode(value, isLower: isLower, isPadded: isPadded))
  }

  /// Whether the value is certain; nil if it is none: words of one case pass for base32.
  private static func judge(_ value: Bytes, _ bytes: Bytes) -> Bool? {
    if let text = Plausible.text(value), text.isCommon(75) {
      if bytes.count >= 16 { return true }
      return text.isCommon(100) ? false : nil
    }
    if Plausible.hasMagic(value) { return true }
    if Plausible.isWide(value) { return false }
    let classes = Shape(bytes).classes
    if bytes.last == 0x3D { return false }
    guard bytes.count >= 24, classes.contains(.digit) else { return nil }
    // Hexadecimal digits are read as such.
    return classes.isDisjoint(with: [.otherLower, .otherUpper]) ? nil : false
  }

  private static func encode(_ value: Bytes, isLower: Bool, isPadded: Bool) -> [UInt8] {
    let digits = Array(
      (isLower ? "abcdefghijklmnopqrstuvwxyz234567" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").utf8
    )
    var text: [UInt8] = []
    text.reserveCapacity((value.count + 4) / 5 * 8)
    var group: UInt32 = 0
    var bits: UInt32 = 0
    for byte in value {
      group = (group << 8 | UInt32(byte)) & 0xFFF
      bits += 8
      while bits >= 5 {
        bits -= 5
        text.append(digits[Int(group >> bits & 31)])
      }
    }
    if bits > 0 { text.append(digits[Int(group << (5 - bits) & 31)]) }
    while isPadded, text.count & 7 != 0 { text.append(0x3D) }
    return text
  }

  /// What a text stands for; nil if it is no base32, or its unused bits are not 0.
  private static func decode(_ text: Bytes) -> Bytes? {
    var end = text.count
    while end > 0, text.count - end < 7, text[end - 1] == 0x3D { end -= 1 }
    guard end == text.count || text.count & 7 == 0 else { return nil }
    // RFC 4648 §6: 1, 3 or 6 digits are left of no whole number of bytes.
    guard ![1, 3, 6].contains(end & 7), end >= 12 else { return nil }
    return text.withSpan { span in
      var value: [UInt8] = []
      value.reserveCapacity(end / 8 * 5 + 4)
      var group: UInt32 = 0
      var bits: UInt32 = 0
      for index in 0..<end {
        let digit: UInt8
        switch span[index] {
        case 0x41...0x5A: digit = span[index] - 0x41
        case 0x61...0x7A: digit = span[index] - 0x61
        case 0x32...0x37: digit = span[index] - 0x32 + 26
        default: return nil
        }
        group = (group << 5 | UInt32(digit)) & 0xFFF
        bits += 5
        guard bits >= 8 else { continue }
        bits -= 8
        value.append(UInt8(truncatingIfNeeded: group >> bits))
      }
      return group & ((1 << bits) - 1) == 0 ? Bytes(value) : nil
    }
  }
}
