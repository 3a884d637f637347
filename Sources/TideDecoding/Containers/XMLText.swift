import TideCore

/// Values in markup: read, and written back in the manner of where they stand.
enum XMLText {
  /// The value of character data or an attribute; nil if it stands for itself.
  static func decoded(_ written: Bytes) -> [UInt8]? {
    written.contains(0x26) ? Entities.decoded(written) : nil
  }

  /// `value` as the text of the leaf at `range`; nil if it cannot stand there.
  ///
  /// `isAttribute` tells attributes from character data, which may be a CDATA section.
  static func written(
    _ value: Bytes,
    over range: Range<Int>,
    in bytes: Bytes,
    isAttribute: Bool
  ) -> [UInt8]? {
    guard !value.isEmpty, range.lowerBound > 0, range.upperBound <= bytes.count else { return nil }
    let original = bytes.slice(range)
    let before = bytes[range.lowerBound - 1]
    if isAttribute, before == 0x22 || before == 0x27 {
      return Entities.encoded(value, as: original, quote: before)
    }
    if isAttribute {
      let ends = value.contains { $0 <= 0x20 || $0 == 0x3E || $0 == 0x22 || $0 == 0x27 }
      return ends ? nil : Entities.encoded(value, as: original)
    }
    if before == 0x5B, bytes.slice(0..<range.lowerBound).suffix(9).elementsEqual("<![CDATA[".utf8) {
      return Self.contains(value, "]]>") ? nil : value.array
    }
    var text = Entities.encoded(value, as: original)
    // White space at the edges would be taken for the layout's.
    if let last = text.last, JSONScanner.isSpace(last) {
      text.removeLast()
      text += Array("&#\(last);".utf8)
    }
    if let first = text.first, JSONScanner.isSpace(first) {
      text.replaceSubrange(0..<1, with: Array("&#\(first);".utf8))
    }
    return text
  }

  /// Whether `mark` stands anywhere in `value`.
  static func contains(_ value: Bytes, _ mark: StaticString) -> Bool {
    value.text.contains(mark.description)
  }
}
