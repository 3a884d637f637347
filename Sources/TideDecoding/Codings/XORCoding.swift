public import TideCore

/// Text with every byte combined with one and the same by exclusive or.
///
/// The key is found by trying all of them on the first bytes; it is taken if the whole then reads as text
/// that is mostly letters, digits and what data is written with.
public struct XORCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "xor"

  /// It goes by what a value looks like.
  public let reopening = Reopening.uncertain

  /// The most bytes of a value that is tried.
  private static let longest = 64 << 10
  /// How many bytes a key is judged by at first.
  private static let glance = 64

  /// Makes one.
  public init() {}

  /// Whether the bytes are no text, or the edges differ as those of an object or list do.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard (12...Self.longest).contains(shape.count), context.around.last != Self.id else {
      return false
    }
    if !shape.classes.isDisjoint(with: [.control, .high]) { return true }
    return shape.first ^ shape.last == 0x06 && ![0x5B, 0x5D, 0x7B, 0x7D].contains(shape.first)
  }

  /// The text under the best key.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard !Plausible.hasMagic(bytes), budget.goOn(bytes.count + 4 << 10) else { return nil }
    let isText = Plausible.text(bytes) != nil
    guard let key = isText ? Self.bracketKey(bytes) : Self.bestKey(bytes) else { return nil }
    let value = Self.combined(bytes, key)
    guard let text = Plausible.text(value),
      text.isCommon(Self.isStructured(value) ? 75 : 90),
      // With 255 keys to choose from, short noise becomes some text now and then; numbers it does not.
      value.count >= 16 || Self.isStructured(value) || value.allSatisfy(ASCII.isDigit),
      budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      of: bytes,
      value: value,
      isCertain: bytes.count >= 24,
      detail: Int(key)
    )
  }

  /// The new text under the same key.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return UInt8(exactly: layer.detail).map { Self.combined(value, $0) }
  }

  private static func combined(_ bytes: Bytes, _ key: UInt8) -> Bytes {
    Bytes(bytes.map { $0 ^ key })
  }

  private static func isStructured(_ text: Bytes) -> Bool {
    self.hasBrackets(text, 0) || text.prefix(64).contains(0x3D)
  }

  /// Whether an object, a list or a document in XML begins and ends the bytes under this key.
  private static func hasBrackets(_ bytes: Bytes, _ key: UInt8) -> Bool {
    guard let first = bytes.first, let last = bytes.last else { return false }
    return switch (first ^ key, last ^ key) {
    case (0x7B, 0x7D), (0x5B, 0x5D), (0x3C, 0x3E): true
    default: false
    }
  }

  /// The key under which printable text is an object or a list; nil if there is none.
  private static func bracketKey(_ bytes: Bytes) -> UInt8? {
    guard let first = bytes.first else { return nil }
    for bracket in [UInt8(0x7B), 0x5B] {
      let key = first ^ bracket
      guard key != 0, bytes.count > 2 else { continue }
      // What may follow the bracket (RFC 8259 §4, §5), names being strings.
      switch (bracket, bytes[1] ^ key) {
      case (_, 0x22), (0x5B, 0x7B), (0x5B, 0x5B), (0x5B, 0x30...0x39): return key
      default: continue
      }
    }
    return nil
  }

  /// The key under which the first bytes are most like text; nil if they are not under any.
  private static func bestKey(_ bytes: Bytes) -> UInt8? {
    let seen = bytes.prefix(Self.glance)
    // Text is mostly ASCII, whose highest bit is the same everywhere, under any key.
    let high = seen.reduce(0) { $0 + Int($1 >> 7) }
    // Of short runs that must be so of nearly all: every other noise would pass.
    let share = seen.count < 24 ? 9 : seen.count < 64 ? 7 : 6
    guard max(high, seen.count - high) * 10 >= seen.count * share else { return nil }
    var counts = [Int32](repeating: 0, count: 256)
    for byte in seen { counts[Int(byte)] += 1 }
    let distinct = (0..<256).filter { counts[$0] > 0 }
    let weights = Self.weights.span
    let start = bytes.slice(0..<min(bytes.count, Plausible.glance + 4))
    var best: (key: UInt8, score: Int32) = (0, Int32(seen.count) - 1)
    for key in UInt8(1)...255 {
      var score: Int32 = 0
      for byte in distinct { score += counts[byte] * weights[byte ^ Int(key)] }
      // Numerals and letters remain such under many keys, an object's brackets under one.
      if Self.hasBrackets(bytes, key) { score += 2 * Int32(seen.count) }
      guard score > best.score || score == best.score && Self.breaksTie(bytes, key),
        Plausible.text(Self.combined(start, key)) != nil
      else { continue }
      best = (key, score)
    }
    return best.key == 0 ? nil : best.key
  }

  /// Whether a number under this key has a right check digit: numerals remain such under several keys.
  private static func breaksTie(_ bytes: Bytes, _ key: UInt8) -> Bool {
    guard (14...20).contains(bytes.count) else { return false }
    let text = bytes.map { $0 ^ key }
    return text.allSatisfy(ASCII.isDigit) && Luhn.isValid(text.span, 0..<text.count)
  }

  /// How much each byte speaks for text: what is frequent in it much, what is rare little.
  private static let weights: [Int32] = (0...UInt8.max).map { byte in
    switch byte {
    case 0x20, 0x30...0x39, 0x61...0x7A: 3
    case 0x22, 0x2C, 0x2D...0x2F, 0x3A, 0x3D, 0x26, 0x5F, 0x7B, 0x7D, 0x41...0x5A: 2
    case 0x0A, 0x0D, 0x5B, 0x5D: 1
    case 0x09, 0x21...0x7E: 0
    case 0x80...0xF4: -1
    // Not text.
    default: -1_000
    }
  }
}
