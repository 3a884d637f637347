import TideCore

extension DelimitedToken {
  /// In what is shorter and has no escape there is no layer.
  static let shortestLayer = 11

  /// Whether a value is worth a name: digits, length, or another script.
  static func isTelling(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    if range.count >= 8 { return true }
    var digits = 0
    for index in range {
      if span[index] >= 0x80 { return true }
      if ASCII.isDigit(span[index]) { digits += 1 }
    }
    return digits >= 3
  }

  /// Whether a coding or a container could be in this field.
  static func couldHoldLayer(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count >= 8 else { return false }
    var classes: UInt32 = 0
    let table = ByteClasses.table
    for index in range { classes |= table[Int(span[index])] }
    let seen = ByteClasses(rawValue: classes)
    if seen.contains(.percent) { return Self.hasEscape(span, range) }
    if range.count < 14 {
      return range.count >= Self.shortestLayer && Self.isShortDigits(seen, range.count)
    }
    if seen.isSubset(of: .base64) {
      // Words are of one case, with a capital at most; dates and numbers have separators.
      if seen == .digit { return true }
      let hasLetter = !seen.isDisjoint(with: .alphanumeric.subtracting(.digit))
      return hasLetter && (seen.contains(.digit) || Self.changesCase(span, range))
    }
    // A token of three parts, or a URL with a query.
    if seen.isSubset(of: .base64.union(.dot)) { return Self.begins(span, range, with: "eyJ") }
    return seen.contains([.slash, .equals]) && range.contains { span[$0] == 0x3F }
  }

  /// Whether it is an integer that an identifier or half of a position may be.
  static func isLongNumber(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var digits = range
    if let first = digits.first, span[first] == 0x2D { digits.removeFirst() }
    return digits.count >= 7 && digits.allSatisfy { ASCII.isDigit(span[$0]) }
  }

  /// Whether so few characters may be base64, numerals among letters, or base32, capitals alone.
  private static func isShortDigits(_ seen: ByteClasses, _ count: Int) -> Bool {
    let capitals: ByteClasses = [.hexUpper, .otherUpper]
    guard seen.isSubset(of: .base64), !seen.isDisjoint(with: capitals) else { return false }
    return seen.contains(.digit) || seen.contains(.equals)
      || seen.isSubset(of: capitals) && count >= 12
  }

  /// Whether this word announces credentials (RFC 9110 §11.4).
  static func isScheme(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    switch range.count {
    case 5: Self.begins(span, range, with: "Basic")
    case 6: Self.begins(span, range, with: "Bearer")
    default: false
    }
  }

  private static func begins(_ span: Span<UInt8>, _ range: Range<Int>, with word: String) -> Bool {
    range.count >= word.utf8.count && zip(range, word.utf8).allSatisfy { span[$0] == $1 }
  }

  private static func hasEscape(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.dropLast(2).contains {
      span[$0] == 0x25 && ASCII.hexValue(span[$0 + 1]) != nil && ASCII.hexValue(span[$0 + 2]) != nil
    }
  }

  /// Whether a lower-case letter comes before an upper-case one more than once: not so in a word, and
  /// rarely in a name.
  private static func changesCase(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var changes = 0
    for index in range.dropLast()
    where span[index] &- 0x61 < 26 && span[index + 1] &- 0x41 < 26 { changes += 1 }
    return changes >= 3
  }
}
