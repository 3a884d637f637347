public import TideCore

/// CBOR (RFC 8949), tagged, of stated length or not: the keys of maps are the names.
public struct CBORDecoder: LayerDecoder {
  /// The name in the configuration.
  public static let id = "cbor"

  /// Makes a decoder.
  public init() {}

  /// Whether it begins with an array, a map or the tag of CBOR itself, or is declared.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    switch context.place {
    case .content, .leaf: break
    case .path, .query, .field, .cookie: return false
    }
    guard shape.count > 0 else { return false }
    if Self.isDeclared(context) { return true }
    // Tag 55799 (RFC 8949 §3.4.6) is 0xD9D9F7.
    return shape.count >= 4 && ((0x80...0xBF).contains(shape.first) || shape.first == 0xD9)
  }

  /// The items in `bytes`.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    ItemLayers<CBORFormat>.open(bytes, id: Self.id, isDeclared: Self.isDeclared(context), &budget)
  }

  /// The items with these values; heads are as wide as they were where the value fits.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    ItemLayers<CBORFormat>.close(layer, over: bytes, replacing: values)
  }

  private static func isDeclared(_ context: LayerContext) -> Bool {
    guard context.place == .content else { return false }
    let type = context.mediaType
    return type.hasPrefix("application/")
      && (type.hasSuffix("/cbor") || type.hasSuffix("+cbor") || type.hasSuffix("/cbor-seq")
        || type.hasSuffix("+cbor-seq"))
  }
}
