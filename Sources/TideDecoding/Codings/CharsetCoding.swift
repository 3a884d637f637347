public import TideCore

/// Chinese text in GB 18030 or Big5.
///
/// Only where the bytes are no UTF-8, are built like the set throughout, and lie mostly where its frequent
/// Han characters do. The value is UTF-8.
public struct CharsetCoding: LayerDecoder {
  /// The name in the configuration; in findings it is `gb18030` or `big5`.
  public static let id = "charset"

  /// It goes by what a value looks like.
  public let reopening = Reopening.ifPlausible

  /// Makes one.
  public init() {}

  /// Whether there are bytes above ASCII, and no control characters.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 4 && shape.classes.contains(.high) && !shape.classes.contains(.control)
  }

  /// The text in UTF-8.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard Plausible.text(bytes) == nil, budget.goOn(bytes.count),
      let (charset, characters) = Self.likeliest(bytes),
      let value = charset.decode(bytes), Plausible.text(value) != nil,
      budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [charset.rawValue],
      of: bytes,
      value: value,
      isCertain: characters >= 6,
      detail: charset == .big5 ? 1 : 0
    )
  }

  /// The new text in the same set; nil if the set lacks one of its characters.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return (layer.detail == 1 ? Charset.big5 : .gb18030).encode(value)
  }

  /// The set that the bytes are most likely in, with the number of frequent characters; nil if in none.
  private static func likeliest(_ bytes: Bytes) -> (Charset, Int)? {
    let census = Census(bytes)
    guard census.pairs >= 2 else { return nil }
    // Most Big5 characters have a second byte that GB 2312 has not; text in GB 2312 has none such.
    let charset: Charset = census.simplified >= census.traditional ? .gb18030 : .big5
    let frequent = charset == .gb18030 ? census.simplified : census.traditional
    guard frequent >= 2, frequent * 5 >= census.pairs * 4 else { return nil }
    return (charset, frequent)
  }

  /// How many two-byte characters there are, and how many lie where each set has its frequent ones.
  private struct Census {
    var pairs = 0
    /// GB 2312 rows 16 to 55, level 1; and its punctuation.
    var simplified = 0
    /// Big5 level 1, and its punctuation.
    var traditional = 0

    init(_ bytes: Bytes) {
      bytes.withSpan { span in
        var index = 0
        let end = Swift.min(span.count, Plausible.glance)
        while index + 1 < end {
          let lead = span[index]
          guard lead >= 0x80 else {
            index += 1
            continue
          }
          let trail = span[index + 1]
          // Four bytes of GB 18030: neither set's frequent characters.
          if ASCII.isDigit(trail), index + 3 < span.count, span[index + 2] >= 0x81 {
            self.pairs += 1
            index += 4
            continue
          }
          self.pairs += 1
          if trail >= 0xA1, 0xB0...0xD7 ~= lead || lead == 0xA3 || lead == 0xA1 {
            self.simplified += 1
          }
          let isTrail = 0x40...0x7E ~= trail || 0xA1...0xFE ~= trail
          if isTrail, 0xA4...0xC6 ~= lead || lead == 0xA1 { self.traditional += 1 }
          index += 2
        }
      }
    }
  }
}
