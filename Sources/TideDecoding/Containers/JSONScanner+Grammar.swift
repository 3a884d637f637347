import TideCore

extension JSONScanner {
  /// Whether `byte` is white space between tokens.
  @inline(__always)
  static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  /// Whether an object, an array or a string begins with `byte`.
  static func beginsValue(_ byte: UInt8) -> Bool { byte == 0x7B || byte == 0x5B || byte == 0x22 }

  /// Whether a number or a word ends before `byte`.
  @inline(__always)
  static func endsToken(_ byte: UInt8) -> Bool {
    switch byte {
    case ...0x20, 0x22, 0x2C, 0x3A, 0x5B, 0x5D, 0x7B, 0x7D: true
    default: false
    }
  }

  /// Whether `bytes` are `true`, `false` or `null`.
  static func isWord(_ bytes: Bytes) -> Bool {
    switch bytes.count {
    case 4: bytes.elementsEqual("true".utf8) || bytes.elementsEqual("null".utf8)
    case 5: bytes.elementsEqual("false".utf8)
    default: false
    }
  }

  /// Whether `bytes` are a number (RFC 8259 §6).
  static func isNumber(_ bytes: Bytes) -> Bool {
    bytes.withSpan { Self.isNumber($0, 0..<$0.count) }
  }

  /// Whether `range` of `span` is a number (RFC 8259 §6).
  static func isNumber(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    let end = range.upperBound
    if index < end, span[index] == 0x2D { index += 1 }
    let first = index
    while index < end, ASCII.isDigit(span[index]) { index += 1 }
    guard index > first, span[first] != 0x30 || index == first + 1 else { return false }
    if index < end, span[index] == 0x2E {
      index += 1
      let start = index
      while index < end, ASCII.isDigit(span[index]) { index += 1 }
      if index == start { return false }
    }
    if index < end, span[index] | 0x20 == 0x65 {
      index += 1
      if index < end, span[index] == 0x2B || span[index] == 0x2D { index += 1 }
      let start = index
      while index < end, ASCII.isDigit(span[index]) { index += 1 }
      if index == start { return false }
    }
    return index == end
  }
}
