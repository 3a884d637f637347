import TideCore

/// Finds the profiles' numbers in groups of any size: `+91-981-7141935`, `460 001 2345 67890`.
///
/// The needles know how people group the digits of their country's telephone numbers; programs do it in
/// ways of their own, too many to search for each. Here the separators are passed over and the digits
/// compared, from the first digit of each group on.
struct GroupedNumberInspector: Inspector {
  static let id = "grouped"
  let interest: Interest
  let maxMatchLength = 40
  let trigger: Trigger? = Self.trigger

  /// The fewest digits that are compared: fewer stand together by chance.
  private static let fewest = 8
  /// The most separators in a row: ` - ` or `) `.
  private static let widestGap = 3
  /// Three digits on either side of a separator or two, as dates and times have not; with dots, which
  /// fractions have too, three groups.
  private static let trigger: Trigger = {
    let three = [ByteSet](repeating: .digits, count: 3)
    let mark: ByteSet = " -/()"
    return Trigger(anyOf: [
      three + [mark] + three, three + [mark, mark] + three, three + ["."] + three + [".", .digits],
    ])
  }()

  /// A number of a profile's.
  private struct Number {
    let kind: FindingKind
    let digits: [UInt8]
    let canonical: Bytes
  }

  /// By the hash of their digits.
  private let numbers: [UInt64: [Number]]
  private let longest: Int

  init(_ profiles: [DeviceProfile]) {
    var numbers: [UInt64: [Number]] = [:]
    var longest = 0
    for identifier in profiles.flatMap(\.identifiers) {
      guard let subject = Subject(identifier.kind, identifier.value) else { continue }
      for digits in Self.spellings(subject) where digits.count >= Self.fewest {
        let hash = digits.reduce(0) { Self.hash($0, $1) }
        let number = Number(kind: identifier.kind, digits: digits, canonical: subject.canonical)
        numbers[hash, default: []].append(number)
        longest = max(longest, digits.count)
      }
    }
    self.numbers = numbers
    self.longest = longest
    self.interest = numbers.isEmpty ? Interest(directions: []) : .everything
  }

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    window.bytes.withSpan { span in
      for start in window.starts where start < span.count && ASCII.isDigit(span[start]) {
        if start > 0, ASCII.isDigit(span[start - 1]) || Self.isJoined(span, before: start) {
          continue
        }
        self.read(span, from: start, &sink)
      }
    }
  }

  /// Compares what the digits from `start` on say, at the end of each group.
  private func read(_ span: Span<UInt8>, from start: Int, _ sink: inout FindingSink) {
    var hash: UInt64 = 0
    var count = 0
    var gap = 0
    var isGrouped = false
    var position = start
    while position < span.count, position - start < self.maxMatchLength {
      let byte = span[position]
      position += 1
      guard ASCII.isDigit(byte) else {
        gap += 1
        guard Self.isSeparator(byte), gap <= Self.widestGap else { return }
        continue
      }
      isGrouped = isGrouped || gap > 0
      gap = 0
      hash = Self.hash(hash, byte)
      count += 1
      guard count <= self.longest else { return }
      let isEnd = position == span.count || !ASCII.isDigit(span[position])
      // In one piece it is a needle's.
      guard isEnd, isGrouped, let numbers = self.numbers[hash],
        !Self.isJoined(span, after: position)
      else { continue }
      for number in numbers where Self.says(span, start..<position, number.digits) {
        sink.report(number.kind, .certain, at: start..<position, value: number.canonical)
        break
      }
    }
  }

  /// The digits by which a value is known.
  private static func spellings(_ subject: Subject) -> [[UInt8]] {
    switch subject {
    case .phone(let phone):
      let national = phone.trunkPrefix + phone.number
      if phone.country.isEmpty { return [national] }
      let zeros = Array("00".utf8)
      return [phone.canonical, zeros + phone.canonical, phone.country + national, national]
        + (phone.number.count >= 9 ? [phone.number] : [])
    // Without the check digit of an IMEI it is still no accident.
    case .digits(let digits):
      return digits.count == 15 ? [digits, Array(digits.prefix(14))] : [digits]
    case .text(let text): return text.allSatisfy(ASCII.isDigit) ? [text] : []
    case .hex, .uuid, .mac, .email, .joined: return []
    }
  }

  private static func hash(_ hash: UInt64, _ digit: UInt8) -> UInt64 { hash &* 31 &+ UInt64(digit) }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x20, 0x28, 0x29, 0x2D, 0x2E, 0x2F: true
    default: false
    }
  }

  private static func says(_ span: Span<UInt8>, _ range: Range<Int>, _ digits: [UInt8]) -> Bool {
    var index = 0
    for position in range where ASCII.isDigit(span[position]) {
      guard index < digits.count, digits[index] == span[position] else { return false }
      index += 1
    }
    return index == digits.count
  }

  /// Whether something longer goes on before `position`: a UUID, an order number.
  ///
  /// A country code in front is another way to write the same number, which begins with it.
  private static func isJoined(_ span: Span<UInt8>, before position: Int) -> Bool {
    guard position >= 2 else { return false }
    return self.joins(span[position - 1]) && self.isAlphanumeric(span[position - 2])
      && !self.hasPlus(span, before: position)
  }

  private static func isJoined(_ span: Span<UInt8>, after position: Int) -> Bool {
    position + 1 < span.count && self.joins(span[position])
      && self.isAlphanumeric(span[position + 1])
  }

  /// Whether up to three digits and a `+` stand before the separator at `position - 1`.
  private static func hasPlus(_ span: Span<UInt8>, before position: Int) -> Bool {
    var index = position - 2
    while index > 0, position - index < 5, ASCII.isDigit(span[index]) { index -= 1 }
    return index >= 0 && span[index] == 0x2B
  }

  private static func joins(_ byte: UInt8) -> Bool { byte == 0x2D || byte == 0x2E || byte == 0x2F }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }
}
