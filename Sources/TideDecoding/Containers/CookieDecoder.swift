public import TideCore

/// `a=b; c=d`: a Cookie or Set-Cookie field (RFC 6265), attributes like members.
public struct CookieDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "cookie"

  /// Makes a decoder.
  public init() {}

  /// Whether this is such a field.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    context.place == .cookie && shape.count > 0
  }

  /// Opens a field.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard context.place == .cookie, budget.goOn(bytes.count) else { return nil }
    var list = NodeList()
    Pairs(text: .cookie, separator: 0x3B)
      .add(0..<bytes.count, of: bytes, parent: nil, &list, &budget)
    guard let nodes = list.settled(&budget), !nodes.isEmpty else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .plain, isCertain: true)
  }

  /// Escapes only where the original did.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    PercentText.close(layer, over: bytes, replacing: values) { _ in .cookie }
  }
}
