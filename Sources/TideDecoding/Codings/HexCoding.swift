public import TideCore
internal import TideCrypto

/// Hexadecimal digits of either case (RFC 4648 §8), at least 16, in one run.
public struct HexCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "hex"

  /// Makes one.
  public init() {}

  /// Whether all bytes are digits, and an even number of them.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 16 && shape.count & 1 == 0 && shape.classes.isSubset(of: .hexadecimal)
  }

  /// What the digits stand for.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let value = Self.decode(bytes) else { return nil }
    guard let isCertain = Self.judge(value, bytes, context), budget.spend(bytes: value.count) else {
      return nil
    }
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      of: bytes,
      value: value,
      isCertain: isCertain
    )
  }

  /// The digits of the new value in the case of the old ones.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    var digits: [UInt8] = []
    value.withSpan { Hex.encode($0, into: &digits) }
    guard bytes.contains(where: { (0x41...0x46).contains($0) }) else { return Bytes(digits) }
    return Bytes(digits.map { $0 >= 0x61 ? $0 - 0x20 : $0 })
  }

  /// What an even number of digits stands for; nil if one is none.
  private static func decode(_ digits: Bytes) -> Bytes? {
    digits.withSpan { span in
      var value = [UInt8](repeating: 0, count: span.count / 2)
      for index in value.indices {
        guard let high = ASCII.hexValue(span[2 * index]),
          let low = ASCII.hexValue(span[2 * index + 1])
        else { return nil }
        value[index] = high << 4 | low
      }
      return Bytes(value)
    }
  }

  /// Whether the value is certain; nil if it is none.
  private static func judge(_ value: Bytes, _ bytes: Bytes, _ context: LayerContext) -> Bool? {
    let classes = Shape(bytes).classes
    let text = Plausible.text(value)
    guard classes != .digit else {
      // A number is far more often just that: a time, an order, an ICCID.
      guard let text else { return Plausible.isWide(value) ? true : nil }
      if value.allSatisfy(ASCII.isDigit) { return true }
      if value.count >= 12 { return text.isCommon(75) ? true : nil }
      return text.isCommon(100) ? false : nil
    }
    if let text, text.isCommon(75) { return value.count >= 12 }
    if Plausible.hasMagic(value) { return true }
    // No encoder writes both cases.
    guard !classes.isSuperset(of: [.hexLower, .hexUpper]) else { return nil }
    return Self.isRandomUUID(bytes) && context.keys.isEmpty ? nil : false
  }

  /// Whether the digits are those of a version 4 UUID (RFC 9562 §5.4) without its hyphens.
  private static func isRandomUUID(_ digits: Bytes) -> Bool {
    digits.count == 32 && digits[12] == 0x34
      && [0x38, 0x39, 0x61, 0x62, 0x41, 0x42].contains(digits[16])
  }
}
