public import TideCore

/// MessagePack: the keys of maps are the names, strings and binaries stand as they are.
public struct MessagePackDecoder: LayerDecoder {
  /// The name in the configuration.
  public static let id = "msgpack"

  /// Makes a decoder.
  public init() {}

  /// Whether it begins with a map or an array, or is declared.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    switch context.place {
    case .content, .leaf: break
    case .path, .query, .field, .cookie: return false
    }
    guard shape.count > 0 else { return false }
    if Self.isDeclared(context) { return true }
    return shape.count >= 4
      && ((0x80...0x9F).contains(shape.first) || (0xDC...0xDF).contains(shape.first))
  }

  /// The items in `bytes`.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    let isDeclared = Self.isDeclared(context)
    return ItemLayers<MessagePackFormat>
      .open(bytes, id: Self.id, isDeclared: isDeclared, &budget)
  }

  /// The items with these values; heads are as wide as they were where the value fits.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    ItemLayers<MessagePackFormat>.close(layer, over: bytes, replacing: values)
  }

  private static func isDeclared(_ context: LayerContext) -> Bool {
    context.place == .content && context.mediaType.hasPrefix("application/")
      && (context.mediaType.hasSuffix("msgpack") || context.mediaType.hasSuffix("messagepack"))
  }
}
