import TideCore

/// Text that says nothing, with the length and the character classes of text that did.
enum Filler {
  /// Digits for digits and `a`–`f` for letters; a first digit other than 0 stays other than 0, so that
  /// a JSON number stays one.
  static func hexadecimal(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    text.enumerated().map { index, byte in
      if !ASCII.isDigit(byte) { return self.letter(byte, of: 6, &choices) }
      return self.digit(byte, isFirst: index == 0, &choices)
    }
  }

  /// Letters, digits and characters of other scripts replaced within their class, the rest kept.
  ///
  /// The length in UTF-8 and in UTF-16 stays, and with it that of every encoding.
  static func text(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    if let sign = self.firstIndex(of: Array("://".utf8), in: text) {
      return self.url(text, hostStart: sign + 3, &choices)
    }
    let words = text.filter { !Boundary.word.allows($0) }
    let isHex =
      words.count >= 6 && words.allSatisfy { ASCII.hexValue($0) != nil }
      && words.contains(where: ASCII.isDigit)
    return self.scalars(text, letters: isHex ? 6 : 26, &choices)
  }

  /// An address of the same length in a domain that cannot exist (RFC 2606 §2).
  ///
  /// `@` keeps its place, since encoders escape it.
  static func email(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    guard let at = text.lastIndex(of: 0x40), at > 0 else {
      return self.scalars(text, letters: 26, &choices)
    }
    let local = self.scalars(Array(text[..<at]), letters: 26, &choices)
    let domain = self.host(text.count - at - 1, &choices)
    return local + [0x40] + domain
  }

  private static func url(
    _ text: [UInt8],
    hostStart: Int,
    _ choices: inout Choices
  ) -> [UInt8] {
    let delimiters = Array("/?#:".utf8)
    let end = text[hostStart...].firstIndex { delimiters.contains($0) } ?? text.count
    let rest = self.scalars(Array(text[end...]), letters: 26, &choices)
    return Array(text[..<hostStart]) + self.host(end - hostStart, &choices) + rest
  }

  /// A host name of `count` bytes under `.invalid`, or `.test` where that is too long.
  private static func host(_ count: Int, _ choices: inout Choices) -> [UInt8] {
    let suffix: StaticString = count >= 9 ? ".invalid" : count >= 6 ? ".test" : ""
    let room = count - suffix.utf8CodeUnitCount
    let label = (0..<max(0, room)).map { _ in self.letter(0x61, of: 26, &choices) }
    return label + suffix.withUTF8Buffer { unsafe Array($0) }
  }

  private static func scalars(
    _ text: [UInt8],
    letters: Int,
    _ choices: inout Choices
  ) -> [UInt8] {
    var result: [UInt8] = []
    var isFirst = true
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      if scalar.isASCII {
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        if ASCII.isDigit(byte) {
          result.append(self.digit(byte, isFirst: isFirst, &choices))
        } else if Boundary.word.allows(byte) {
          result.append(byte)
        } else {
          result.append(self.letter(byte, of: letters, &choices))
        }
      } else {
        let script = self.scripts.first { $0.from.contains(scalar.value) }
        let value = script.map { $0.to.lowerBound + UInt32(choices.below($0.to.count)) }
        result += String(value.flatMap(Unicode.Scalar.init) ?? scalar).utf8
      }
      isFirst = false
    }
    return result
  }

  /// Characters of a script, and letters of it with the same length in UTF-8 and UTF-16.
  private static let scripts: [(from: ClosedRange<UInt32>, to: ClosedRange<UInt32>)] = [
    (0x00C0...0x024F, 0x00E0...0x00F6),  // Latin with marks
    (0x0370...0x03FF, 0x03B1...0x03C9),  // Greek
    (0x0400...0x052F, 0x0430...0x044F),  // Cyrillic
    (0x0590...0x05FF, 0x05D0...0x05EA),  // Hebrew
    (0x0600...0x06FF, 0x0641...0x064A),  // Arabic
    (0x0900...0x097F, 0x0905...0x0914),  // Devanagari
    (0x0E00...0x0E7F, 0x0E01...0x0E2E),  // Thai
    (0x3041...0x309F, 0x3042...0x3082),  // Hiragana
    (0x30A0...0x30FF, 0x30A2...0x30E2),  // Katakana
    (0x3400...0x9FFF, 0x4E00...0x4EFF),  // Han
    (0xAC00...0xD7A3, 0xAC00...0xADFF),  // Hangul
    (0xFF01...0xFF5E, 0xFF41...0xFF5A),  // full-width Latin
    (0x20000...0x2FA1F, 0x20000...0x200FF),  // Han, beyond the first plane
  ]

  private static func digit(_ byte: UInt8, isFirst: Bool, _ choices: inout Choices) -> UInt8 {
    if isFirst { return byte == 0x30 ? byte : 0x31 + UInt8(choices.below(9)) }
    return 0x30 + UInt8(choices.below(10))
  }

  private static func letter(_ byte: UInt8, of count: Int, _ choices: inout Choices) -> UInt8 {
    (byte &- 0x41 < 26 ? 0x41 : 0x61) + UInt8(choices.below(count))
  }

  private static func firstIndex(of wanted: [UInt8], in text: [UInt8]) -> Int? {
    guard text.count >= wanted.count else { return nil }
    return (0...text.count - wanted.count).first { text[$0...].starts(with: wanted) }
  }
}
