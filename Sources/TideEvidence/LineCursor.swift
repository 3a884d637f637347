internal import TideCore

/// Reads the first members of a line of the log as they always stand, without parsing it as JSON.
struct LineCursor {
  var index = 0

  mutating func take(_ text: StaticString, in span: borrowing Span<UInt8>) -> Bool {
    let count = text.utf8CodeUnitCount
    guard self.index + count <= span.count else { return false }
    let start = self.index
    let isSame = text.withUTF8Buffer { wanted in
      for offset in 0..<count where unsafe wanted[offset] != span[start + offset] { return false }
      return true
    }
    if isSame { self.index += count }
    return isSame
  }

  /// Decimal digits, at most 18; nil if there is none.
  mutating func number(in span: borrowing Span<UInt8>) -> UInt64? {
    let start = self.index
    var value: UInt64 = 0
    while self.index < span.count, ASCII.isDigit(span[self.index]), self.index - start < 18 {
      value = value * 10 + UInt64(span[self.index] - 0x30)
      self.index += 1
    }
    return self.index > start ? value : nil
  }

  /// The same, without a 0 in front.
  mutating func plainNumber(in span: borrowing Span<UInt8>) -> UInt64? {
    guard self.index < span.count, span[self.index] != 0x30 else { return nil }
    return self.number(in: span)
  }

  /// The bytes up to the next quote, which is passed; nil if there is an escape among them.
  mutating func text(in span: borrowing Span<UInt8>) -> Range<Int>? {
    let start = self.index
    while self.index < span.count {
      let byte = span[self.index]
      if byte == 0x22 {
        self.index += 1
        return start..<self.index - 1
      }
      guard byte != 0x5C, byte >= 0x20 else { return nil }
      self.index += 1
    }
    return nil
  }
}
