internal import TideCoding
public import TideCore

/// A value with every byte combined with one and the same by exclusive or.
///
/// The key is found by trying all of them at a glance (`XORKey`). It is taken if the whole then reads as
/// text that is mostly letters, digits and what data is written with, or if a binary container, a
/// compressed value or digits of some base open beyond doubt.
public struct XORCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "xor"

  /// It goes by what a value looks like.
  public let reopening = Reopening.uncertain

  /// The most bytes of a value that is tried.
  private static let longest = 64 << 10

  /// Makes one.
  public init() {}

  /// Whether the bytes are no text, or the edges differ as those of an object or list do, or they may be
  /// digits under a key.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard (12...Self.longest).contains(shape.count), context.around.last != Self.id else {
      return false
    }
    if !shape.classes.isDisjoint(with: [.control, .high]) { return true }
    if [0x06, 0x02].contains(shape.first ^ shape.last) {
      return ![0x3C, 0x5B, 0x5D, 0x7B, 0x7D].contains(shape.first)
    }
    return shape.count >= 32 && shape.count & 1 == 0
      && shape.classes.isDisjoint(with: [.space, .line, .percent])
      && !shape.classes.isDisjoint(with: [.punctuation, .bracket, .separator])
      // A URL.
      && !shape.classes.isSuperset(of: [.bracket, .slash, .dot])
  }

  /// The value under the best key.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count + 4 << 10) else { return nil }
    let reading =
      Plausible.text(bytes) != nil
      ? Self.ofText(bytes, context, &budget) : Self.ofBinary(bytes, context, &budget)
    guard let reading, budget.spend(bytes: reading.value.count) else { return nil }
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      of: bytes,
      value: reading.value,
      isCertain: bytes.count >= 24,
      detail: Int(reading.key)
    )
  }

  /// The new value under the same key.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return UInt8(exactly: layer.detail).map { XORKey.combined(value, $0) }
  }

  /// What printable bytes are under a key: structured text, or hexadecimal digits.
  private static func ofText(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> XORKey.Reading? {
    if let key = XORKey.bracket(bytes) { return self.text(bytes, key) }
    return self.first(XORKey.hexadecimal(bytes), bytes) {
      Readable.isDigits($0, context, &budget)
    }
  }

  private static func ofBinary(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> XORKey.Reading? {
    if let reading = self.first(
      XORKey.announced(bytes),
      bytes,
      { Readable.isAnnounced($0, context, &budget) }
    ) {
      return reading
    }
    if let reading = self.first(
      XORKey.utf16(bytes),
      bytes,
      { Readable.isUTF16($0, context, &budget) }
    ) {
      return reading
    }
    if let key = XORKey.bracket(bytes), let reading = self.text(bytes, key) { return reading }
    let keys = XORKey.textual(bytes)
    // Letters and digits remain such under several keys; what they stand for shows which.
    if bytes.count >= 16,
      let reading = self.first(keys, bytes, { Readable.isDigits($0, context, &budget) })
    {
      return reading
    }
    let text = keys.first.flatMap { self.text(bytes, $0) }
    // A container under another key may read as text, but for its tags and lengths.
    if let text, XORKey.hasBrackets(text.value, 0) || self.isPlain(text.value) { return text }
    if let reading = self.first(
      XORKey.packed(bytes),
      bytes,
      { Readable.isPacked($0, context, &budget) }
    ) {
      return reading
    }
    if let text { return text }
    return self.first(XORKey.deflated(bytes), bytes) {
      self.isCompressed($0, DeflateCoding.id, context, &budget)
    }
      ?? self.first(XORKey.brotli(bytes), bytes) {
        self.isCompressed($0, BrotliCoding.id, context, &budget)
      }
  }

  /// The first key whose value passes.
  private static func first(
    _ keys: [UInt8],
    _ bytes: Bytes,
    _ passes: (Bytes) -> Bool
  ) -> XORKey.Reading? {
    for key in keys {
      let value = XORKey.combined(bytes, key)
      if passes(value) { return XORKey.Reading(key: key, value: value) }
    }
    return nil
  }

  /// The text under a key; nil if it is not much of one.
  private static func text(_ bytes: Bytes, _ key: UInt8) -> XORKey.Reading? {
    let value = XORKey.combined(bytes, key)
    guard let text = Plausible.text(value),
      text.isCommon(self.isStructured(value) ? 75 : 90),
      // With 255 keys to choose from, short noise becomes some text now and then; numbers it does not.
      value.count >= 16 || self.isStructured(value) || value.allSatisfy(ASCII.isDigit)
    else { return nil }
    return XORKey.Reading(key: key, value: value)
  }

  private static func isPlain(_ text: Bytes) -> Bool {
    Plausible.text(text)?.isCommon(97) == true
  }

  private static func isStructured(_ text: Bytes) -> Bool {
    XORKey.hasBrackets(text, 0) || text.prefix(64).contains(0x3D)
  }

  /// Whether a value in a format without a mark unpacks into something beyond doubt.
  private static func isCompressed(
    _ value: Bytes,
    _ id: String,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    // Of a wrong key it means nothing that it gives too much.
    guard budget.goOn(value.count) else { return false }
    let limits = DecodingLimits(decodedBytes: budget.bytes, ratio: budget.ratio)
    let unpacked: Bytes
    do throws(CodingFailure) {
      unpacked =
        id == DeflateCoding.id
        ? try Gzip.decode(value, format: .raw, limits: limits)
        : try Brotli.decode(value, limits: limits)
    } catch {
      return false
    }
    // A chance code may have two symbols only.
    guard unpacked.count >= 12, Set(unpacked).count >= 8 else { return false }
    return Readable.isCertain(unpacked, context, &budget)
  }
}
