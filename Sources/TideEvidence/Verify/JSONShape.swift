internal import TideCore

/// Tells whether bytes are one JSON object (RFC 8259) without making anything of it, so that every line of a long log
/// can be looked at.
struct JSONShape {
  private var index = 0

  /// Whether the bytes are one object, in UTF-8, nested no deeper than `JSONValue` reads.
  static func isObject(_ span: Span<UInt8>) -> Bool {
    guard span.count > 1, span[0] == 0x7B else { return false }
    var shape = JSONShape()
    guard shape.value(in: span, depth: 0), shape.index == span.count else { return false }
    // The error tells where the ill-formed byte is, which nobody asks.
    return (try? UTF8Span(validating: span)) != nil
  }

  private mutating func value(in span: Span<UInt8>, depth: Int) -> Bool {
    guard depth < 32 else { return false }
    self.skipSpace(in: span)
    guard self.index < span.count else { return false }
    switch span[self.index] {
    case 0x22: return self.string(in: span)
    case 0x7B: return self.members(in: span, depth: depth)
    case 0x5B: return self.values(in: span, depth: depth)
    case 0x74: return self.take("true", in: span)
    case 0x66: return self.take("false", in: span)
    case 0x6E: return self.take("null", in: span)
    default: return self.number(in: span)
    }
  }

  private mutating func skipSpace(in span: Span<UInt8>) {
    while self.index < span.count {
      switch span[self.index] {
      case 0x20, 0x09, 0x0A, 0x0D: self.index += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8, in span: Span<UInt8>) -> Bool {
    self.skipSpace(in: span)
    guard self.index < span.count, span[self.index] == byte else { return false }
    self.index += 1
    return true
  }

  private mutating func take(_ word: String, in span: Span<UInt8>) -> Bool {
    for byte in word.utf8 {
      guard self.index < span.count, span[self.index] == byte else { return false }
      self.index += 1
    }
    return true
  }

  private mutating func members(in span: Span<UInt8>, depth: Int) -> Bool {
    self.index += 1
    if self.take(0x7D, in: span) { return true }
    while true {
      self.skipSpace(in: span)
      guard self.index < span.count, span[self.index] == 0x22, self.string(in: span),
        self.take(0x3A, in: span), self.value(in: span, depth: depth + 1)
      else { return false }
      if self.take(0x7D, in: span) { return true }
      guard self.take(0x2C, in: span) else { return false }
    }
  }

  private mutating func values(in span: Span<UInt8>, depth: Int) -> Bool {
    self.index += 1
    if self.take(0x5D, in: span) { return true }
    while true {
      guard self.value(in: span, depth: depth + 1) else { return false }
      if self.take(0x5D, in: span) { return true }
      guard self.take(0x2C, in: span) else { return false }
    }
  }

  private mutating func number(in span: Span<UInt8>) -> Bool {
    let start = self.index
    while self.index < span.count {
      switch span[self.index] {
      case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x45, 0x65: self.index += 1
      default: return self.index > start
      }
    }
    return self.index > start
  }

  private mutating func string(in span: Span<UInt8>) -> Bool {
    self.index += 1
    while self.index < span.count {
      let byte = span[self.index]
      self.index += 1
      switch byte {
      case 0x22: return true
      case 0x5C:
        guard self.escape(in: span) else { return false }
      case 0..<0x20: return false
      default: continue
      }
    }
    return false
  }

  private mutating func escape(in span: Span<UInt8>) -> Bool {
    guard self.index < span.count else { return false }
    let byte = span[self.index]
    self.index += 1
    switch byte {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: return true
    case 0x75:
      for _ in 0..<4 {
        guard self.index < span.count, ASCII.hexValue(span[self.index]) != nil else { return false }
        self.index += 1
      }
      return true
    default: return false
    }
  }
}
