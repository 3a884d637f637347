import TideCore

/// What stands between the quotes of a JSON string (RFC 8259 §7), read and written.
enum JSONText {
  /// The text that `bytes` stand for.
  ///
  /// Surrogate pairs are joined, a lone surrogate becomes U+FFFD, and what is no escape stays as it is.
  static func unescaped(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    let source = Array(bytes)
    var text: [UInt8] = []
    text.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      let byte = source[index]
      guard byte == 0x5C, index + 1 < source.count else {
        text.append(byte)
        index += 1
        continue
      }
      if source[index + 1] == 0x75 {
        guard let (scalar, next) = Self.scalar(source, at: index) else {
          text.append(byte)
          index += 1
          continue
        }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        index = next
        continue
      }
      guard let plain = Self.plain(source[index + 1]) else {
        text.append(byte)
        index += 1
        continue
      }
      text.append(plain)
      index += 2
    }
    return text
  }

  /// `value` as a JSON string writes it, in the manner of `original`.
  ///
  /// Other than ASCII is written `\u…` if the original was ASCII throughout; `/` and whatever else the
  /// original escaped without need is escaped again, with hexadecimal digits of the same case.
  static func escaped(_ value: Bytes, as original: Bytes) -> [UInt8] {
    let style = JSONEscapes(of: original)
    var text: [UInt8] = []
    text.reserveCapacity(value.count + 8)
    var index = 0
    while index < value.count {
      let byte = value[index]
      if byte < 0x80 {
        style.append(ascii: byte, &text)
        index += 1
        continue
      }
      let count = UTF8.length(value, at: index)
      if style.isASCII, count > 0, let scalar = UTF8.scalar(value, at: index, count) {
        style.append(scalar, &text)
      } else {
        for offset in 0..<max(count, 1) { text.append(value[index + offset]) }
      }
      index += max(count, 1)
    }
    return text
  }

  /// The character of a two-byte escape.
  private static func plain(_ letter: UInt8) -> UInt8? {
    switch letter {
    case 0x22, 0x27, 0x2F, 0x5C: letter
    case 0x62: 0x08
    case 0x66: 0x0C
    case 0x6E: 0x0A
    case 0x72: 0x0D
    case 0x74: 0x09
    default: nil
    }
  }

  /// The scalar of the `\u` at `index`, or of the pair that begins there, and where it ends.
  private static func scalar(_ source: [UInt8], at index: Int) -> (Unicode.Scalar, Int)? {
    guard let unit = Self.unit(source, at: index) else { return nil }
    if let scalar = Unicode.Scalar(unit) { return (scalar, index + 6) }
    guard unit < 0xDC00, let low = Self.unit(source, at: index + 6), low >= 0xDC00, low < 0xE000,
      let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    else { return ("\u{FFFD}", index + 6) }
    return (scalar, index + 12)
  }

  private static func unit(_ source: [UInt8], at index: Int) -> UInt32? {
    guard index + 6 <= source.count, source[index] == 0x5C, source[index + 1] == 0x75 else {
      return nil
    }
    var unit: UInt32 = 0
    for offset in 2..<6 {
      guard let digit = ASCII.hexValue(source[index + offset]) else { return nil }
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }
}

/// Which characters a string escapes without need, and how.
private struct JSONEscapes {
  /// Whether all of it was ASCII.
  private(set) var isASCII = true
  private var escapesSlash = false
  /// ASCII characters written `\u00…`, one bit each.
  private var unicode: (UInt64, UInt64) = (0, 0)
  private var isUpper = false

  init(of original: Bytes) {
    var index = 0
    while index < original.count {
      let byte = original[index]
      if byte >= 0x80 { self.isASCII = false }
      guard byte == 0x5C, index + 1 < original.count else {
        index += 1
        continue
      }
      let letter = original[index + 1]
      if letter == 0x2F { self.escapesSlash = true }
      if letter == 0x75, index + 6 <= original.count { self.learn(original, at: index) }
      index += 2
    }
  }

  private mutating func learn(_ original: Bytes, at index: Int) {
    var unit = 0
    for offset in 2..<6 {
      let byte = original[index + offset]
      guard let digit = ASCII.hexValue(byte) else { return }
      if byte &- 0x41 < 6 { self.isUpper = true }
      unit = unit << 4 | Int(digit)
    }
    guard unit < 0x80 else { return }
    for byte in ByteKin.of(UInt8(unit)) {
      if byte < 64 {
        self.unicode.0 |= 1 << UInt64(byte)
      } else {
        self.unicode.1 |= 1 << UInt64(byte - 64)
      }
    }
  }

  private func isUnicode(_ byte: UInt8) -> Bool {
    byte < 64
      ? self.unicode.0 >> UInt64(byte) & 1 == 1 : self.unicode.1 >> UInt64(byte & 63) & 1 == 1
  }

  func append(ascii byte: UInt8, _ text: inout [UInt8]) {
    if self.isUnicode(byte) { return self.append(unit: UInt16(byte), &text) }
    switch byte {
    case 0x22, 0x5C: text += [0x5C, byte]
    case 0x2F: text += self.escapesSlash ? [0x5C, byte] : [byte]
    case 0x08: text += [0x5C, 0x62]
    case 0x09: text += [0x5C, 0x74]
    case 0x0A: text += [0x5C, 0x6E]
    case 0x0C: text += [0x5C, 0x66]
    case 0x0D: text += [0x5C, 0x72]
    case ..<0x20, 0x7F: self.append(unit: UInt16(byte), &text)
    default: text.append(byte)
    }
  }

  func append(_ scalar: Unicode.Scalar, _ text: inout [UInt8]) {
    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
      self.append(unit: unit, &text)
    }
  }

  private func append(unit: UInt16, _ text: inout [UInt8]) {
    text += [0x5C, 0x75]
    for shift in [12, 8, 4, 0] {
      text.append(HexDigit.of(UInt8(unit >> UInt16(shift) & 15), isUpper: self.isUpper))
    }
  }
}

/// Digits, upper-case or lower-case letters: what an encoder treats alike.
enum ByteKin {
  /// The bytes that one which escapes `byte` escapes as well.
  static func of(_ byte: UInt8) -> ClosedRange<UInt8> {
    switch byte {
    case 0x30...0x39: 0x30...0x39
    case 0x41...0x5A: 0x41...0x5A
    case 0x61...0x7A: 0x61...0x7A
    default: byte...byte
    }
  }
}

/// A hexadecimal digit, written.
enum HexDigit {
  /// The digit of a value below 16.
  static func of(_ value: UInt8, isUpper: Bool) -> UInt8 {
    value < 10 ? 0x30 + value : (isUpper ? 0x37 : 0x57) + (value & 15)
  }
}
