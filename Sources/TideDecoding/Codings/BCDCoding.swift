public import TideCore

/// Decimal digits in half bytes, as SIM cards and modems keep numbers (TBCD, 3GPP TS 29.002 §17.7.8).
///
/// 7 to 10 bytes hold an IMEI, an IMSI or an ICCID. The half bytes of each byte are swapped, and `F` fills
/// the last; packed BCD in plain order is read where the filler or an ICCID's `89` says so.
public struct BCDCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "bcd"

  /// Makes one.
  public init() {}

  /// Whether the count is that of an identifier, in bytes or, for an ICCID, in digits.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    if shape.count == 20, shape.classes == .digit { return shape.first == 0x39 }
    return (7...10).contains(shape.count) && !shape.classes.isDisjoint(with: [.control, .high])
  }

  /// The digits.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let (form, digits) = Self.read(bytes),
      budget.spend(bytes: digits.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: form == .text ? ["hex", Self.id] : [Self.id],
      of: bytes,
      value: Bytes(digits),
      isCertain: false,
      detail: form.rawValue
    )
  }

  /// The new digits in half bytes; nil if they are no digits, not as many bytes as before, or would be
  /// read otherwise.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    guard let form = Form(rawValue: layer.detail), value.allSatisfy(ASCII.isDigit) else {
      return nil
    }
    let written: Bytes
    switch form {
    case .text:
      guard value.count == bytes.count else { return nil }
      written = Bytes(
        stride(from: 0, to: value.count, by: 2).flatMap { [value[$0 + 1], value[$0]] }
      )
    case .swapped, .plain:
      guard (value.count + 1) / 2 == bytes.count else { return nil }
      written = Bytes(
        (0..<bytes.count).map { index in
          let first = value[2 * index] & 15
          let second = 2 * index + 1 < value.count ? value[2 * index + 1] & 15 : 15
          return form == .swapped ? second << 4 | first : first << 4 | second
        }
      )
    }
    guard let again = Self.read(written), again.0 == form, value.elementsEqual(again.1) else {
      return nil
    }
    return written
  }

  /// How the digits are written.
  private enum Form: Int {
    /// Half bytes swapped.
    case swapped
    /// Half bytes in order.
    case plain
    /// Half bytes swapped, in hexadecimal digits.
    case text
  }

  private static func read(_ bytes: Bytes) -> (Form, [UInt8])? {
    if bytes.count == 20 {
      // An ICCID, read from the card as it is kept: 89…, with a right check digit (ITU-T E.118).
      let digits = stride(from: 0, to: 20, by: 2).flatMap { [bytes[$0 + 1], bytes[$0]] }
      guard digits[0] == 0x38, digits[1] == 0x39, Luhn.isValid(digits.span, 0..<digits.count) else {
        return nil
      }
      return (.text, digits)
    }
    let halves = bytes.flatMap { [$0 >> 4, $0 & 15] }
    guard halves.dropLast(2).allSatisfy({ $0 < 10 }) else { return nil }
    func digits(swapped: Bool, dropping count: Int) -> [UInt8] {
      var digits = swapped ? bytes.flatMap { [$0 & 15, $0 >> 4] } : halves
      digits.removeLast(count)
      return digits.map { 0x30 | $0 }
    }
    switch (halves[halves.count - 2], halves[halves.count - 1]) {
    case (15, 0...9): return (.swapped, digits(swapped: true, dropping: 1))
    case (0...9, 15): return (.plain, digits(swapped: false, dropping: 1))
    case (0...9, 0...9):
      let form: Form = bytes.count == 10 && bytes[0] == 0x89 ? .plain : .swapped
      return (form, digits(swapped: form == .swapped, dropping: 0))
    default: return nil
    }
  }
}
