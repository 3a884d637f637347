public import TideCore

/// A request target's path: its segments, counted from 0.
public struct PathDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "path"

  /// Makes a decoder.
  public init() {}

  /// Whether this is a path.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    context.place == .path && shape.count > 1
  }

  /// Opens a path.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard context.place == .path, budget.goOn(bytes.count) else { return nil }
    var list = NodeList()
    Self.add(0..<bytes.count, of: bytes, parent: nil, &list, &budget)
    guard let nodes = list.settled(&budget), !nodes.isEmpty else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, isCertain: true)
  }

  /// Escapes what the original would have escaped, and what would end the segment.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    PercentText.close(layer, over: bytes, replacing: values) { _ in .segment }
  }

  /// Adds the segments within `range` to `list`; the slash at its start, if there is one, opens the
  /// first.
  static func add(
    _ range: Range<Int>,
    of bytes: Bytes,
    parent: Int?,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    var start = range.lowerBound
    if start < range.upperBound, bytes[start] == 0x2F { start += 1 }
    var place = 0
    while start < range.upperBound, !list.isRefused {
      var end = start
      while end < range.upperBound, bytes[end] != 0x2F { end += 1 }
      if end > start {
        let text = PercentText.segment.decoded(bytes.slice(start..<end))
        list.add(parent: parent, key: .index(place), range: start..<end, decoded: text, &budget)
      }
      place += 1
      start = end + 1
    }
  }
}
