public import TideCore

/// Character references of HTML and XML in a value that is no XML itself: `&amp;`, `&#x738B;`.
public struct EntitiesCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "entities"

  /// Makes one.
  public init() {}

  /// Whether there is a `&` and what may be a `;`.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 4 && shape.classes.isSuperset(of: [.ampersand, .separator])
      && !shape.classes.contains(.control)
  }

  /// The text with each reference taken for its character.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count) else { return nil }
    let value = Bytes(Entities.decoded(bytes))
    guard value != bytes, budget.spend(bytes: value.count) else { return nil }
    return Layer(decoder: Self.id, names: [Self.id], of: bytes, value: value, isCertain: false)
  }

  /// The new text with references in the manner of the old one.
  ///
  /// At least one character is written as a reference, so that the result opens again.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    if let written = Self.patched(bytes, with: value) { return written }
    if let written = EntityDifference.patched(bytes, with: value) { return written }
    var written = Entities.encoded(value, as: bytes)
    if !written.contains(0x26), let last = Self.lastScalar(of: value) {
      written.removeLast(last.count)
      written += "&#\(last.scalar.value);".utf8
    }
    return Entities.decoded(written).elementsEqual(value) ? Bytes(written) : nil
  }

  /// `bytes` with just those characters changed that are others in `value`; nil if that cannot be.
  private static func patched(_ bytes: Bytes, with value: Bytes) -> Bytes? {
    let source = bytes.array
    var written: [UInt8] = []
    var index = 0
    var place = 0
    while index < source.count {
      guard source[index] == 0x26, let (scalar, next) = Entities.reference(source, at: index) else {
        guard place < value.count else { return nil }
        let byte = value[place]
        // What the text cannot have as it is was a reference or something else before.
        guard byte == source[index] || ![0x26, 0x3C, 0x3E].contains(byte) else { return nil }
        written.append(byte)
        index += 1
        place += 1
        continue
      }
      let old = Array(String(scalar).utf8)
      guard place + old.count <= value.count else { return nil }
      let new = value.slice(place..<place + old.count)
      if new.elementsEqual(old) {
        written += source[index..<next]
      } else {
        guard UTF8.length(new, at: 0) == new.count,
          let other = UTF8.scalar(new, at: 0, new.count)
        else { return nil }
        let isHex =
          index + 2 < next && source[index + 1] == 0x23 && source[index + 2] | 0x20 == 0x78
        let number =
          isHex ? "x" + String(other.value, radix: 16) : String(other.value)
        written += "&#\(number);".utf8
      }
      index = next
      place += old.count
    }
    guard place == value.count else { return nil }
    let result = Bytes(written)
    return Entities.decoded(result).elementsEqual(value) ? result : nil
  }

  private static func lastScalar(of text: Bytes) -> (scalar: Unicode.Scalar, count: Int)? {
    for count in 1...4 where count <= text.count {
      let start = text.count - count
      guard UTF8.length(text, at: start) == count else { continue }
      return UTF8.scalar(text, at: start, count).map { ($0, count) }
    }
    return nil
  }
}
