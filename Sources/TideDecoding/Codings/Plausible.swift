internal import TideCore

/// What tells the result of a coding from chance: that a person or a program would have written it.
enum Plausible {
  /// The most bytes that are looked at.
  static let glance = 4 << 10

  /// How much of a text is what texts mostly consist of.
  struct Text {
    /// How many bytes were looked at.
    let count: Int
    /// How many of them are letters, digits, blanks, what data is written with, or not ASCII.
    let common: Int

    /// Whether at least so many in a hundred are common.
    func isCommon(_ percent: Int) -> Bool { self.common * 100 >= self.count * percent }
  }

  /// Whether `bytes` begin as well-formed UTF-8 without control characters; nil if not, or if empty.
  static func text(_ bytes: Bytes) -> Text? {
    let count = min(bytes.count, Self.glance)
    guard count > 0 else { return nil }
    return bytes.withSpan { span in
      let table = Self.kinds.span
      var common = 0
      var index = 0
      while index < count {
        switch table[Int(span[index])] {
        case Self.isCommon:
          common += 1
          index += 1
        case Self.isRare: index += 1
        case Self.isLead:
          guard let length = Self.sequenceLength(span, index, until: count) else {
            // A sequence that the glance cuts is no reason for doubt.
            guard bytes.count > count, count - index < 4 else { return nil }
            return Text(count: index, common: common)
          }
          common += length
          index += length
        default: return nil
        }
      }
      return Text(count: count, common: common)
    }
  }

  /// Whether `bytes` begin as ASCII in UTF-16 of either byte order: every second byte is 0, the others text.
  static func isWide(_ bytes: Bytes) -> Bool {
    let count = min(bytes.count, 64) & ~1
    guard count >= 6, bytes.count & 1 == 0 else { return false }
    return bytes.withSpan { span in
      let zeros = span[0] == 0 ? 0 : 1
      for index in 0..<count {
        switch span[index] {
        case 0: guard index & 1 == zeros else { return false }
        case 0x09, 0x0A, 0x0D, 0x20...0x7E: guard index & 1 != zeros else { return false }
        default: return false
        }
      }
      return true
    }
  }

  /// Whether `bytes` begin as a format that announces itself.
  static func hasMagic(_ bytes: Bytes) -> Bool {
    guard bytes.count >= 8 else { return false }
    switch (bytes[0], bytes[1]) {
    case (0x1F, 0x8B): return bytes[2] == 8 && bytes[3] < 32
    // zlib with a 32 KiB window, as all encoders write it (RFC 1950 §2.2).
    case (0x78, 0x01), (0x78, 0x5E), (0x78, 0x9C), (0x78, 0xDA): return true
    case (0x28, 0xB5): return bytes[2] == 0x2F && bytes[3] == 0xFD
    case (0x62, 0x70): return bytes.starts(with: "bplist00".utf8)
    default: return false
    }
  }

  /// Whether some container opens `bytes`, which a coding of its own need not prove then.
  static func isContainer(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    let shape = Shape(bytes)
    var inner = context
    inner.place = .leaf
    for decoder in Decoders.all where decoder.mayOpen(shape, inner) {
      guard !Decoders.codings.contains(decoder.name) else { continue }
      guard let layer = decoder.open(bytes, inner, &budget) else { continue }
      if layer.names.isEmpty, !layer.nodes.isEmpty { return true }
    }
    return false
  }

  /// The length of the UTF-8 sequence at `index` (Unicode 15, table 3-7); nil if it is ill-formed.
  private static func sequenceLength(
    _ span: Span<UInt8>,
    _ index: Int,
    until end: Int
  ) -> Int? {
    func follows(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
      index + offset < end && range.contains(span[index + offset])
    }
    switch span[index] {
    // U+0080 to U+009F are control characters.
    case 0xC2: return follows(1, 0xA0...0xBF) ? 2 : nil
    case 0xC3...0xDF: return follows(1) ? 2 : nil
    case 0xE0: return follows(1, 0xA0...0xBF) && follows(2) ? 3 : nil
    case 0xED: return follows(1, 0x80...0x9F) && follows(2) ? 3 : nil
    case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : nil
    case 0xF0: return follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : nil
    case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : nil
    case 0xF4: return follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : nil
    default: return nil
    }
  }

  private static let isControl: UInt8 = 0
  private static let isRare: UInt8 = 1
  private static let isCommon: UInt8 = 2
  private static let isLead: UInt8 = 3

  private static let kinds: [UInt8] = (0...UInt8.max).map { byte in
    switch byte {
    case 0x09, 0x0A, 0x0D, 0x20, 0x30...0x39, 0x41...0x5A, 0x61...0x7A: Self.isCommon
    // " # % & + , - . / : ; < = > @ _ { | } [ ]
    case 0x22, 0x23, 0x25, 0x26, 0x2B...0x2F, 0x3A...0x3E, 0x40, 0x5F, 0x7B...0x7D, 0x5B, 0x5D:
      Self.isCommon
    case 0x21...0x7E: Self.isRare
    case 0xC2...0xF4: Self.isLead
    default: Self.isControl
    }
  }
}
