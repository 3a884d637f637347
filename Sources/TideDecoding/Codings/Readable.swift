internal import TideCore

/// What proves that bytes are what somebody wrote, where only that tells a key, or a format without a
/// mark, from chance.
enum Readable {
  /// Whether it is text as people and programs write it.
  static func isText(_ value: Bytes) -> Bool {
    guard let text = Plausible.text(value) else { return false }
    if text.isCommon(75) { return true }
    // Of a text of character references every other byte is a sign.
    return text.isCommon(50) && value.prefix(64).contains(0x26) && value.contains(0x3B)
  }

  /// Whether it is text, begins as a known format, or opens as a container or as UTF-16.
  static func isReadable(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.isText(value) || Plausible.hasMagic(value) || self.isUTF16(value, context, &budget)
      || Plausible.isContainer(value, context, &budget)
  }

  /// As `isReadable`, but what opens must prove itself: where hundreds of keys are tried.
  static func isCertain(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.isText(value) || self.isPacked(value, context, &budget)
  }

  /// Whether a binary container, a property list or UTF-16 opens beyond doubt.
  static func isPacked(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.opens(value, Self.packed, context, &budget)
  }

  /// Whether it is compressed in a format that announces itself, and unpacks.
  static func isAnnounced(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.opens(value, Self.announced, context, &budget)
  }

  /// Whether it is digits of hexadecimal, base64 or base32 that stand for something.
  static func isDigits(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    let inner = LayerContext(place: .leaf, keys: context.keys)
    let shape = Shape(value)
    return Self.digits.contains { decoder in
      guard decoder.mayOpen(shape, inner), let layer = decoder.open(value, inner, &budget)
      else { return false }
      return layer.isCertain
        || layer.nodes[0].value(in: value).map {
          self.isCertain($0, inner, &budget) || self.isCompressed($0, inner, &budget)
        } == true
    }
  }

  /// Whether it is compressed, announced or not.
  static func isCompressed(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.opens(value, Self.compressed, context, &budget)
  }

  /// Whether it is all of that under one more key of a single byte.
  static func isHidden(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.opens(value, [XORCoding()], context, &budget)
  }

  /// Whether it is UTF-16 beyond doubt.
  static func isUTF16(
    _ value: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    self.opens(value, [UTF16Coding()], context, &budget)
  }

  /// Whether one of `decoders` opens `value` and is certain of it.
  private static func opens(
    _ value: Bytes,
    _ decoders: [any LayerDecoder],
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool {
    // Nothing declares what is inside.
    let inner = LayerContext(place: .leaf, keys: context.keys)
    let shape = Shape(value)
    return decoders.contains { decoder in
      decoder.mayOpen(shape, inner) && decoder.open(value, inner, &budget)?.isCertain == true
    }
  }

  private static let announced: [any LayerDecoder] = [
    GzipCoding(), ZlibCoding(), ZstdCoding(), BinaryPlistDecoder(),
  ]
  private static let compressed: [any LayerDecoder] =
    Self.announced + [DeflateCoding(), BrotliCoding()]
  private static let digits: [any LayerDecoder] = [HexCoding(), Base64Coding(), Base32Coding()]
  private static let packed: [any LayerDecoder] = [
    UTF16Coding(), MessagePackDecoder(), CBORDecoder(), GRPCDecoder(), ProtobufDecoder(),
    BinaryPlistDecoder(),
  ]
}
