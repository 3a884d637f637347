import TideCore

/// One field of delimited text.
struct DelimitedToken {
  /// Which line it is on.
  let line: Int
  /// Which field of the line it is.
  let place: Int
  /// Its name, in `name=value` or `name: value`.
  var name: Range<Int>?
  /// Its value, without quotes.
  var range: Range<Int>
  /// Whether quotes inside are doubled.
  var hasQuotes = false
  /// Whether it could hold another layer, or its name helps.
  var isWorthwhile = false
}

/// Cuts lines into fields.
struct DelimitedScanner {
  /// The longest JSON text that is kept in one piece, in bytes.
  private static let longestValue = 64 << 10

  /// What stands between fields; 0 for white space and punctuation.
  let separator: UInt8
  /// The fields, in order.
  private(set) var tokens: [DelimitedToken] = []
  private var line = 0
  private var place = 0
  /// The name that a `name:` before gives to the next field.
  private var pending: Range<Int>?
  /// Whether one of them is worthwhile.
  private var hasWorth = false
  /// Whether a bracket was found that nothing closes: then no other is tried.
  private var isUnbalanced = false

  init(separator: UInt8) { self.separator = separator }

  /// Whether `byte` is a control character that programs put between fields, since no text has it.
  ///
  /// 1 to 3 as Hive and FIX have it, 28 to 31 as ASCII means it: the lower is the outer one of Hive's, the
  /// higher the inner one of ASCII's.
  static func isControlSeparator(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x01...0x03, 0x1C...0x1F: true
    default: false
    }
  }

  /// Whether a byte is one that `separator` counts: nearly all of a text are not.
  private static func isTelling(_ byte: UInt8) -> Bool {
    // 01 to 03, 09, 1C to 1F, `#`, `,` and `;`; then `[`, `^`, `{`, `|` and `~`.
    let (low, high): (UInt64, UInt64) = (0x0800_1008_F000_020E, 0x5800_0000_4800_0000)
    return byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
  }

  /// What separates the fields of `span`: a control character, a tab, `|`, `,`, `;`, `^`, `~` or `#`, or 0.
  static func separator(of span: Span<UInt8>) -> UInt8 {
    var counts: (tab: Int, bar: Int, comma: Int, semicolon: Int) = (0, 0, 0, 0)
    var others: (caret: Int, tilde: Int, number: Int) = (0, 0, 0)
    var control: UInt8 = 0xFF
    var index = 0
    let end = min(span.count, 1024)
    while index < end, span[index] != 0x0A {
      guard self.isTelling(span[index]) else {
        index += 1
        continue
      }
      let isTight = index + 1 < span.count && span[index + 1] != 0x20
      switch span[index] {
      case 0x01...0x03, 0x1C...0x1F: control = min(control, span[index])
      case 0x5E: others.caret += 1
      case 0x7E: others.tilde += 1
      // Not that of `&#51;`.
      case 0x23 where isTight && index > 0 && span[index - 1] != 0x26: others.number += 1
      case 0x09: counts.tab += 1
      case 0x7C: counts.bar += 1
      case 0x2C where isTight: counts.comma += 1
      case 0x3B where isTight: counts.semicolon += 1
      // Text with brackets is cut at their ends, not at the commas in them.
      case 0x7B, 0x5B: counts.comma -= 64
      default: break
      }
      index += 1
    }
    if control != 0xFF { return control }
    if counts.tab > 0 { return 0x09 }
    if counts.bar > 0 { return 0x7C }
    if counts.comma > 1 { return 0x2C }
    if counts.semicolon > 1 { return 0x3B }
    // Text with brackets is none of these either.
    guard counts.comma >= 0 else { return 0 }
    if others.caret > 1 { return 0x5E }
    if others.tilde > 1 { return 0x7E }
    return others.number > 1 ? 0x23 : 0
  }

  /// Reads all fields; with `onlyWorthwhile` a text of words keeps only those that help.
  mutating func read(
    _ span: Span<UInt8>,
    onlyWorthwhile: Bool,
    _ budget: inout DecodingBudget
  ) -> Bool {
    var index = 0
    while index < span.count {
      let start = index
      if span[index] == 0x0A {
        self.line += 1
        self.place = 0
        self.pending = nil
        index += 1
        continue
      }
      if self.isSeparator(span[index]) {
        if self.separator != 0, span[index] == self.separator { self.place += 1 }
        index += 1
        continue
      }
      var token = DelimitedToken(line: self.line, place: self.place, range: start..<start)
      index = self.field(span, start, &token)
      self.finish(&token, span)
      if self.separator == 0 { self.place += 1 }
      let isKept = !onlyWorthwhile || token.isWorthwhile || self.separator != 0
      if isKept, !token.range.isEmpty {
        self.tokens.append(token)
        self.hasWorth = self.hasWorth || token.isWorthwhile
        guard self.tokens.count <= budget.nodes else {
          return self.hasWorth ? budget.refuse(.nodes) : false
        }
      }
    }
    return true
  }

  @inline(__always)
  private func isSeparator(_ byte: UInt8) -> Bool {
    if self.separator != 0 { return byte == self.separator || byte == 0x20 || byte == 0x0D }
    switch byte {
    case 0x20, 0x09, 0x0D, 0x2C, 0x3B, 0x7C, 0x28, 0x29, 0x3C, 0x3E: return true
    default: return false
    }
  }

  /// Reads one field from `start` on and says where to go on.
  private mutating func field(
    _ span: Span<UInt8>,
    _ start: Int,
    _ token: inout DelimitedToken
  ) -> Int {
    if let end = self.whole(span, start, &token) { return end }
    var index = start
    while index < span.count, span[index] != 0x0A {
      let byte = span[index]
      if self.separator != 0 ? byte == self.separator : self.isSeparator(byte) { break }
      let isNext = index + 1 < span.count
      if byte == 0x3D || byte == 0x3A, isNext, token.name == nil,
        Self.isName(span, start..<index, mark: byte), !self.isPadding(span, start, index)
      {
        var value = DelimitedToken(line: token.line, place: token.place, range: index..<index)
        if let end = self.whole(span, index + 1, &value) {
          token = value
          token.name = start..<index
          return end
        }
        if byte == 0x3D || !Self.isTime(span, index + 1) { token.name = start..<index }
      }
      index += 1
    }
    let valueStart = token.name.map { $0.upperBound + 1 } ?? start
    token.range = valueStart..<max(index, valueStart)
    return max(index, start + 1)
  }

  /// Whether the `=` at `index` fills up base64 that began at `start`, and the field ends behind it.
  private func isPadding(_ span: Span<UInt8>, _ start: Int, _ index: Int) -> Bool {
    var end = index
    while end < span.count, end - index < 2, span[end] == 0x3D { end += 1 }
    guard end > index, index - start >= 10, (end - start) & 3 == 0 else { return false }
    return end == span.count || self.isSeparator(span[end]) || span[end] == 0x0A
  }

  /// Takes a quoted field, or JSON text, in one piece.
  private mutating func whole(
    _ span: Span<UInt8>,
    _ start: Int,
    _ token: inout DelimitedToken
  ) -> Int? {
    switch span[start] {
    case 0x22:
      var index = start + 1
      while index < span.count, span[index] != 0x0A {
        if span[index] == 0x22 {
          guard index + 1 < span.count, span[index + 1] == 0x22 else {
            token.range = start + 1..<index
            return index + 1
          }
          token.hasQuotes = true
          index += 1
        }
        index += 1
      }
      token.hasQuotes = false
      return nil
    case 0x7B, 0x5B:
      if self.isUnbalanced { return nil }
      guard let end = Self.balancedEnd(span, start) else {
        self.isUnbalanced = true
        return nil
      }
      guard end - start >= 8 else { return nil }
      token.range = start..<end
      token.isWorthwhile = span[start] == 0x7B || Self.hasQuote(span, start..<end)
      return end
    default: return nil
    }
  }

  private mutating func finish(_ token: inout DelimitedToken, _ span: Span<UInt8>) {
    let isQuoted = token.range.lowerBound > 0 && span[token.range.lowerBound - 1] == 0x22
    if self.separator == 0, !isQuoted, !token.isWorthwhile {
      token.range = Self.stripped(span, token.range)
    } else if !isQuoted {
      token.range = Pairs.trimmed(span, token.range)
    }
    let before = self.pending
    self.pending = nil
    if token.range.isEmpty {
      // `name:` and then white space: the next field is the value.
      if let name = token.name { self.pending = name }
      return
    }
    if token.name == nil, let before {
      let isName = before.upperBound + 4 > token.range.lowerBound
      if isName, DelimitedToken.isTelling(span, token.range) { token.name = before }
    }
    if self.separator == 0, token.name == nil, DelimitedToken.isScheme(span, token.range) {
      self.pending = token.range
    }
    if token.isWorthwhile { return }
    token.isWorthwhile =
      token.name.map { _ in DelimitedToken.isTelling(span, token.range) } ?? false
      || DelimitedToken.couldHoldLayer(span, token.range)
      || self.separator != 0 && DelimitedToken.isLongNumber(span, token.range)
      || Self.isControlSeparator(self.separator) && Self.hasFields(span, token.range)
  }

  /// Whether `range` could be a name before `mark`.
  private static func isName(_ span: Span<UInt8>, _ range: Range<Int>, mark: UInt8) -> Bool {
    guard !range.isEmpty, range.count <= 32, ASCII.lowercased(span[range.lowerBound]) &- 0x61 < 26
    else { return false }
    // Hexadecimal pairs before `:` are an address.
    if mark == 0x3A, range.count < 3 { return false }
    for index in range {
      let byte = span[index]
      let isLetter = ASCII.lowercased(byte) &- 0x61 < 26 || ASCII.isDigit(byte)
      guard isLetter || byte == 0x5F || byte == 0x2D || byte == 0x2E else { return false }
    }
    return true
  }

  /// Whether what follows a `:` shows that it belongs to a URL, not to a name.
  private static func isTime(_ span: Span<UInt8>, _ index: Int) -> Bool { span[index] == 0x2F }

  /// Whether there are fields inside a field.
  private static func hasFields(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.contains { Self.isControlSeparator(span[$0]) }
  }

  private static func hasQuote(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.contains { span[$0] == 0x22 }
  }

  /// `range` without the punctuation of a sentence around it.
  private static func stripped(_ span: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, [0x22, 0x27, 0x5B, 0x7B, 0x60].contains(span[start]) { start += 1 }
    while end > start,
      [0x22, 0x27, 0x5D, 0x7D, 0x60, 0x2E, 0x3A, 0x21, 0x3F].contains(span[end - 1])
    { end -= 1 }
    return start..<end
  }

  /// Where the brackets that open at `start` are closed; nil if they are not.
  static func balancedEnd(_ span: Span<UInt8>, _ start: Int) -> Int? {
    var depth = 0
    var isText = false
    var index = start
    let limit = min(span.count, start + Self.longestValue)
    while index < limit {
      switch span[index] {
      case 0x5C: index += 1
      case 0x22: isText.toggle()
      case 0x7B, 0x5B: if !isText { depth += 1 }
      case 0x7D, 0x5D: if !isText { depth -= 1 }
      default: break
      }
      index += 1
      if depth == 0 { return min(index, span.count) }
    }
    return nil
  }
}
