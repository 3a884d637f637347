import TideCore

/// What may not stand next to a match, because the match would then be a part of something longer.
enum Boundary: Hashable {
  /// No digit: an identifier in a longer number is chance.
  case digits
  /// No digit, or two more in place of the check digit: the version in an IMEISV (3GPP TS 23.003
  /// §6.2.2).
  case version(checkDigit: UInt8)
  /// No letter or digit.
  case word
  /// Nothing that makes a package's name longer: neither `_` nor a dot with more behind it.
  case package
  /// Whatever it likes: text in a script without spaces.
  case none

  /// Whether `byte` may stand next to a match; nil stands for the part's edge.
  func allows(_ byte: UInt8?) -> Bool {
    guard let byte else { return true }
    return switch self {
    case .digits, .version: !ASCII.isDigit(byte)
    case .word: !Self.isWord(byte)
    case .package: !Self.isWord(byte) && byte != 0x5F && byte != 0x2E
    case .none: true
    }
  }

  /// Whether what follows `position` may follow a match.
  func allows(after position: Int, in span: Span<UInt8>) -> Bool {
    let next = Neighbour.after(span, position)
    if self.allows(next) { return true }
    switch self {
    case .digits, .word, .none: return false
    case .package:
      guard next == 0x2E else { return false }
      return Neighbour.after(span, position + 1).map { !Self.isWord($0) && $0 != 0x5F } ?? true
    case .version(let checkDigit):
      guard next != checkDigit, let second = Neighbour.after(span, position + 1),
        ASCII.isDigit(second)
      else { return false }
      return Boundary.digits.allows(Neighbour.after(span, position + 2))
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }
}

/// Reads the byte next to a match, seen through the escapes that may hold it.
enum Neighbour {
  /// How many bytes before a match are looked at: `\u0022`.
  static let reach = 6

  /// The byte before `position`.
  ///
  /// In `%22490154203237518` the digit before the number is the end of an escaped quote. Seen are
  /// `%22`, `%2522`, and JSON's `\u0022` and `\n`.
  static func before(_ span: Span<UInt8>, _ position: Int) -> UInt8? {
    guard position > 0 else { return nil }
    let last = span[position - 1]
    guard position > 1 else { return last }
    let low = ASCII.hexValue(last)
    if let low, position >= 3, let high = ASCII.hexValue(span[position - 2]) {
      let value = high << 4 | low
      if span[position - 3] == 0x25 { return value }
      if position >= 5, span[position - 5] == 0x25, span[position - 4] == 0x32,
        span[position - 3] == 0x35
      {
        return value
      }
      if position >= 6, span[position - 6] == 0x5C, ASCII.lowercased(span[position - 5]) == 0x75,
        let third = ASCII.hexValue(span[position - 4]),
        let second = ASCII.hexValue(span[position - 3])
      {
        return third == 0 && second == 0 ? value : 0x80
      }
    }
    let isEscape =
      switch last {
      case 0x6E, 0x72, 0x74, 0x62, 0x66: span[position - 2] == 0x5C
      default: false
      }
    return isEscape ? 0x20 : last
  }

  /// The byte at `position`, which follows a match; an escape is no letter and no digit.
  static func after(_ span: Span<UInt8>, _ position: Int) -> UInt8? {
    position < span.count ? span[position] : nil
  }
}
