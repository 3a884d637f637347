import TideCore

/// Tells names that are values from names that are words: `{"+886905621583": "Ada"}`.
enum ValueLike {
  /// Whether the name at `range` could itself be an identifier.
  ///
  /// At least 8 bytes, and more than letters, `_`, `-` and `$` with up to three digits.
  static func isValue(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    if range.count < 8 { return false }
    var digits = 0
    for index in range {
      let byte = span[index]
      if ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x5F || byte == 0x2D || byte == 0x24 {
        continue
      }
      guard ASCII.isDigit(byte), digits < 3 else { return true }
      digits += 1
    }
    return false
  }
}
