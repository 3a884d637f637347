import TideCore

/// Text that says nothing, with the length and the character classes of text that did.
enum Filler {
  /// Hexadecimal digits for hexadecimal digits, decimal ones where there are only those.
  ///
  /// A first digit other than 0 stays other than 0, so that a JSON number stays one.
  static func hexadecimal(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    if text.allSatisfy(ASCII.isDigit) {
      return text.enumerated().map { self.digit($1, isFirst: $0 == 0, &choices) }
    }
    var digits = choices.hexDigits(text.count)
    if text.first == 0x30 {
      digits[0] = 0x30
    } else if digits.first == 0x30 {
      digits[0] = 0x31
    }
    return digits
  }

  /// Letters, digits and characters of other scripts replaced within their class, the rest kept.
  ///
  /// The length in UTF-8 and in UTF-16 stays, and with it that of every encoding.
  static func text(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    if let url = self.url(text, &choices) { return url }
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

  /// An address with the same scheme and delimiters, its host `redacted.invalid` or below it where there
  /// is room; nil if there is no scheme.
  static func url(_ text: [UInt8], _ choices: inout Choices) -> [UInt8]? {
    guard let sign = self.firstIndex(of: Array("://".utf8), in: text) else { return nil }
    let start = sign + 3
    let delimiters = Array("/?#".utf8)
    let end = text[start...].firstIndex { delimiters.contains($0) } ?? text.count
    // RFC 3986 §3.2: user information before the last `@`, a port after a colon.
    let host = (text[start..<end].lastIndex(of: 0x40) ?? start - 1) + 1
    let port = text[host..<end].firstIndex(of: 0x3A) ?? end
    var result = Array(text[..<start])
    result += self.scalars(Array(text[start..<host]), letters: 26, &choices)
    result += self.redactedHost(port - host, &choices)
    result += text[port..<end]
    return result + self.scalars(Array(text[end...]), letters: 26, &choices)
  }

  /// A word of letters, digits and underscores, each of its own class; case stays.
  static func word(_ text: [UInt8], _ choices: inout Choices) -> [UInt8] {
    self.scalars(text, letters: 26, &choices)
  }

  private static func redactedHost(_ count: Int, _ choices: inout Choices) -> [UInt8] {
    let name = Array("redacted.invalid".utf8)
    switch count {
    case ..<name.count: return self.host(count, &choices)
    case name.count: return name
    // No room for a dot and a label before it.
    case name.count + 1:
      return Array("redacted".utf8) + [self.letter(0x61, of: 26, &choices)] + name.suffix(8)
    default:
      let label = (0..<count - name.count - 1).map { _ in self.letter(0x61, of: 26, &choices) }
      return label + [0x2E] + name
    }
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
        result += String(self.other(scalar, &choices)).utf8
      }
      isFirst = false
    }
    return result
  }

  /// A character of the same script; itself if it is no letter of one that we know.
  private static func other(
    _ scalar: Unicode.Scalar,
    _ choices: inout Choices
  ) -> Unicode.Scalar {
    if (0x4E00...0x9FFF).contains(scalar.value) { return self.han[choices.below(self.han.count)] }
    guard let script = self.scripts.first(where: { $0.from.contains(scalar.value) }) else {
      return scalar
    }
    let value = script.to.lowerBound + UInt32(choices.below(script.to.count))
    return Unicode.Scalar(value) ?? scalar
  }

  /// Characters that are in GB 2312 and in Big5: a name stays as long in either, and can be written.
  private static let han = Array(
    """
    丁七三上下中丹主久之九也于井交亦亨享京人仁今介以仰仲伊伍休伯伴何佐作佳使侍依信俊保元兆先光克全公六冬冰冶冷凡初利力加助勇北千半卓\
    南卡原友古可史右司合吉同名向君吟周和品哲唐善嘉因固土在地均坐城堂塔士夏多大天太央如妙姚姜姿威孔孟季安宇守定宜室家容寒尚山岳岸川工\
    左布平年幸庭康廷建弦弟式弘往徐心志忠思怡恩惠慈慧成戈所扶承抱拓持掌提文斌新方日旦昌明易春昭是晏晨景晴智暖曲更曹月有朋望朝木本杉李\
    村杜束杭林果枝柏柔柳核根桂桐梅森楚江池沈沙河治法泰洋洪流浩海涵清淑淳湖溪炎炳然照熙燕牧玄玉王珍珠理琴瑞生田甲男留白百皓益盈盛石
    """.unicodeScalars
  )

  /// Characters of a script, and letters of it with the same length in UTF-8 and UTF-16.
  private static let scripts: [(from: ClosedRange<UInt32>, to: ClosedRange<UInt32>)] = [
    (0x00C0...0x024F, 0x00E0...0x00F6),  // Latin with marks
    (0x0370...0x03FF, 0x03B1...0x03C9),  // Greek
    (0x0400...0x052F, 0x0430...0x044F),  // Cyrillic
    (0x0531...0x0587, 0x0561...0x0586),  // Armenian
    (0x05D0...0x05EA, 0x05D0...0x05EA),  // Hebrew
    (0x0620...0x06D3, 0x0641...0x064A),  // Arabic
    (0x0904...0x0939, 0x0915...0x0928),  // Devanagari
    (0x0985...0x09B9, 0x0995...0x09A8),  // Bengali
    (0x0A05...0x0A39, 0x0A15...0x0A28),  // Gurmukhi
    (0x0A85...0x0AB9, 0x0A95...0x0AA8),  // Gujarati
    (0x0B85...0x0BB9, 0x0BAE...0x0BB5),  // Tamil
    (0x0C05...0x0C39, 0x0C15...0x0C28),  // Telugu
    (0x0C85...0x0CB9, 0x0C95...0x0CA8),  // Kannada
    (0x0D05...0x0D39, 0x0D15...0x0D28),  // Malayalam
    (0x0E01...0x0E2E, 0x0E01...0x0E2E),  // Thai
    (0x1000...0x102A, 0x1000...0x1020),  // Myanmar
    (0x10D0...0x10FA, 0x10D0...0x10F0),  // Georgian
    (0x1780...0x17A2, 0x1780...0x17A2),  // Khmer
    (0x1E00...0x1EFF, 0x1EA0...0x1EF9),  // Latin with two marks: Vietnamese
    (0x3041...0x309F, 0x3042...0x3082),  // Hiragana
    (0x30A0...0x30FF, 0x30A2...0x30E2),  // Katakana
    (0x3400...0x4DBF, 0x3400...0x34FF),  // Han, in GB 18030 alone
    (0xAC00...0xD7A3, 0xAC00...0xADFF),  // Hangul
    (0xFF01...0xFF5E, 0xFF41...0xFF5A),  // full-width Latin
    (0x1F300...0x1FAFF, 0x1F400...0x1F43E),  // pictures
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
