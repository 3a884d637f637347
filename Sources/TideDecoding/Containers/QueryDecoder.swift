public import TideCore

/// A request target's query: `a=b&c=d`, or just a value.
public struct QueryDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "query"

  /// Makes a decoder.
  public init() {}

  /// Whether this is a query.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    context.place == .query && shape.count > 0
  }

  /// Opens a query.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard context.place == .query, budget.goOn(bytes.count) else { return nil }
    let usesSemicolons = !bytes.contains(0x26) && bytes.contains(0x3B) && bytes.contains(0x3D)
    var list = NodeList()
    Pairs(text: .form, separator: usesSemicolons ? 0x3B : 0x26)
      .add(0..<bytes.count, of: bytes, parent: nil, &list, &budget)
    guard let nodes = list.settled(&budget), !nodes.isEmpty else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .form, isCertain: true)
  }

  /// Escapes what the original would have escaped.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    PercentText.close(layer, over: bytes, replacing: values) { _ in .form }
  }
}
