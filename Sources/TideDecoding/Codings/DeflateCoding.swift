internal import TideCoding
public import TideCore

/// A value in raw DEFLATE (RFC 1951), which announces itself by nothing.
///
/// Bytes are taken for it only if they inflate to their exact end, into what reads as text, begins as
/// another format, or opens as a container.
public struct DeflateCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "deflate"

  /// It goes by what a value looks like.
  public let reopening = Reopening.ifPlausible

  /// Makes one.
  public init() {}

  /// Whether the bytes are no text, and the first block is of a type that exists (RFC 1951 §3.2.3).
  ///
  /// Of a few digits DEFLATE makes printable bytes; what came out of base64 or the like may be those.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 16, shape.first >> 1 & 3 != 3 else { return false }
    if !shape.classes.isDisjoint(with: [.control, .high]) { return true }
    return shape.first & 7 == 3
      && context.around.last.map(Decoders.codings.contains) == true
  }

  /// The decompressed value.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    // Text is text: the alphabet of UTF-8 is no more likely in compressed bytes than in any others.
    guard Plausible.text(bytes) == nil || DeflateGlance.mayBeText(bytes) else { return nil }
    return Compressed.unannounced(Self.id, bytes, context, &budget) {
      (limits) throws(CodingFailure) in
      try Gzip.decode(bytes, format: .raw, limits: limits)
    }
  }

  /// The new value compressed.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return Gzip.encode(value, format: .raw)
  }
}

/// A value compressed by Brotli (RFC 7932), which announces itself by nothing; see `DeflateCoding`.
public struct BrotliCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "br"

  /// It goes by what a value looks like.
  public let reopening = Reopening.ifPlausible

  /// Makes one.
  public init() {}

  /// Whether the bytes are no text.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 16 && !shape.classes.isDisjoint(with: [.control, .high])
  }

  /// The decompressed value.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard Plausible.text(bytes) == nil else { return nil }
    return Compressed.unannounced(Self.id, bytes, context, &budget) {
      (limits) throws(CodingFailure) in
      try Brotli.decode(bytes, limits: limits)
    }
  }

  /// The new value compressed.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return Brotli.encode(value)
  }
}

extension Compressed {
  /// A layer of a format without magic bytes; nil if what comes out shows nothing.
  fileprivate static func unannounced(
    _ id: String,
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget,
    by decode: (DecodingLimits) throws(CodingFailure) -> Bytes
  ) -> Layer? {
    guard !Plausible.hasMagic(bytes),
      let value = Self.decoded(bytes, &budget, by: decode),
      // A stored block of noise, or an empty one, proves nothing.
      value.count >= 8
    else { return nil }
    guard Readable.isReadable(value, context, &budget) else { return nil }
    return Layer(decoder: id, names: [id], of: bytes, value: value, isCertain: true)
  }
}
