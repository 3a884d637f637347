public import TideCore

/// Base64 in its two alphabets (RFC 4648 §4 and §5), without allocation but for the result.
public enum Base64: Sendable {
  /// With `+` and `/`, padded.
  case standard
  /// With `-` and `_`, not padded.
  case url

  private var digits: StaticString {
    switch self {
    case .standard: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    case .url: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    }
  }

  /// Writes `bytes` as text at the end of `text`.
  public func encode(_ bytes: borrowing Span<UInt8>, into text: inout [UInt8]) {
    let count = bytes.count
    let isPadded = if case .standard = self { true } else { false }
    self.digits.withUTF8Buffer { digits in
      text.append(addingCapacity: (count + 2) / 3 * 4) { output in
        func digit(_ group: UInt32, _ shift: UInt32) -> UInt8 {
          unsafe digits[Int(group >> shift & 63)]
        }
        var index = 0
        while index + 3 <= count {
          let group =
            UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
          output.append(digit(group, 18))
          output.append(digit(group, 12))
          output.append(digit(group, 6))
          output.append(digit(group, 0))
          index += 3
        }
        let rest = count - index
        guard rest > 0 else { return }
        let group = UInt32(bytes[index]) << 16 | (rest == 2 ? UInt32(bytes[index + 1]) << 8 : 0)
        output.append(digit(group, 18))
        output.append(digit(group, 12))
        if rest == 2 { output.append(digit(group, 6)) }
        guard isPadded else { return }
        for _ in rest..<3 { output.append(0x3D) }
      }
    }
  }

  /// The text of `bytes`.
  public func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    self.encode(bytes.span, into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// The text of `bytes`.
  public func encode(_ bytes: Bytes) -> String {
    var text: [UInt8] = []
    bytes.withSpan { self.encode($0, into: &text) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads text of this alphabet; nil if it is not.
  ///
  /// Padding may be absent but not partial or excessive, and unused bits must be 0 (RFC 4648 §3.5),
  /// so that two texts never stand for the same bytes in the same padding.
  public func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var digits = Array(text)
    if digits.last == 0x3D {
      guard digits.count % 4 == 0 else { return nil }
      digits.removeLast()
      if digits.last == 0x3D { digits.removeLast() }
    }
    guard digits.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3 + 2)
    var group: UInt32 = 0
    var bits = 0
    for digit in digits {
      guard let value = self.value(digit) else { return nil }
      group = group << 6 | UInt32(value)
      bits += 6
      guard bits >= 8 else { continue }
      bits -= 8
      bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
      group &= (1 << UInt32(bits)) - 1
    }
    return group == 0 ? bytes : nil
  }

  private func value(_ digit: UInt8) -> UInt8? {
    switch (self, digit) {
    case (_, 0x41...0x5A): digit - 0x41
    case (_, 0x61...0x7A): digit - 0x61 + 26
    case (_, 0x30...0x39): digit - 0x30 + 52
    case (.standard, 0x2B), (.url, 0x2D): 62
    case (.standard, 0x2F), (.url, 0x5F): 63
    case (.standard, _), (.url, _): nil
    }
  }
}
