import TideCore

/// Numbers of binary formats: read from bytes, shown as decimal text, and written again.
enum BinaryNumber {
  /// The number in `range`, most significant byte first; at most 8 bytes.
  static func bigEndian(_ span: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var value: UInt64 = 0
    for index in range { value = value << 8 | UInt64(span[index]) }
    return value
  }

  /// The number in `range`, least significant byte first; at most 8 bytes.
  static func littleEndian(_ span: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var value: UInt64 = 0
    for index in range.reversed() { value = value << 8 | UInt64(span[index]) }
    return value
  }

  /// The low `count` bytes of `value`, most significant first.
  static func bigEndian(_ value: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
  }

  /// The low `count` bytes of `value`, least significant first.
  static func littleEndian(_ value: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  /// Whether bits that may be a floating-point number or an integer look like the former.
  ///
  /// Identifiers and times read so are far smaller or larger than what anybody measures.
  static func isPlausible(_ value: Double) -> Bool {
    value.isFinite && (1e-9...1e15).contains(value.magnitude)
  }

  /// The integer that decimal digits say.
  static func integer<Value: FixedWidthInteger>(_ digits: Bytes, as: Value.Type) -> Value? {
    guard digits.count <= 21, let first = digits.first, first != 0x2B else { return nil }
    return Value(digits.text)
  }

  /// The finite number that decimal text says.
  static func real(_ text: Bytes) -> Double? {
    guard (1...64).contains(text.count), let value = Double(text.text), value.isFinite else {
      return nil
    }
    return value
  }

  /// The finite number of 32 bits that decimal text says.
  static func single(_ text: Bytes) -> Float? {
    guard (1...64).contains(text.count), let value = Float(text.text), value.isFinite else {
      return nil
    }
    return value
  }
}

extension Float {
  /// The number of 32 bits whose decimal text says the same as that of `real`; nil if there is none.
  static func holding(_ real: Double) -> Float? {
    let single = Float(real)
    return single.isFinite && Double(single.description) == real ? single : nil
  }
}
