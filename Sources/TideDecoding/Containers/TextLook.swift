import TideCore

/// Whether bytes of a binary format are text: well-formed UTF-8, and how many control characters.
struct TextLook {
  /// Whether it is well-formed UTF-8 (RFC 3629).
  let isUTF8: Bool
  /// Control characters but tab, line feed and carriage return.
  let controls: Int
  /// How many bytes.
  let count: Int

  /// Whether it is text without control characters.
  var isText: Bool { self.isUTF8 && self.controls == 0 }

  /// Whether it is text with at most one control character in eight, as separators.
  var isMostlyText: Bool {
    self.isUTF8 && (self.controls == 0 || self.count >= 8 && self.controls * 8 <= self.count)
  }

  /// Looks at `range` of `span`.
  init(_ span: Span<UInt8>, _ range: Range<Int>) {
    self.count = range.count
    var controls = 0
    var index = range.lowerBound
    let end = range.upperBound
    while index < end {
      let first = span[index]
      if first < 0x80 {
        if first < 0x20 && first != 0x0A && first != 0x0D && first != 0x09 || first == 0x7F {
          controls += 1
        }
        index += 1
        continue
      }
      let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      guard (0xC2...0xF4).contains(first), end - index >= length,
        Self.isSecond(span[index + 1], after: first)
      else {
        self.isUTF8 = false
        self.controls = controls
        return
      }
      for offset in 2..<max(length, 2) where span[index + offset] & 0xC0 != 0x80 {
        self.isUTF8 = false
        self.controls = controls
        return
      }
      // C1 controls are U+0080 to U+009F: no text has them.
      if first == 0xC2, span[index + 1] < 0xA0 { controls += 1 }
      index += length
    }
    self.isUTF8 = true
    self.controls = controls
  }

  private static func isSecond(_ second: UInt8, after first: UInt8) -> Bool {
    switch first {
    case 0xE0: (0xA0...0xBF).contains(second)
    case 0xED: (0x80...0x9F).contains(second)
    case 0xF0: (0x90...0xBF).contains(second)
    case 0xF4: (0x80...0x8F).contains(second)
    default: second & 0xC0 == 0x80
    }
  }
}
