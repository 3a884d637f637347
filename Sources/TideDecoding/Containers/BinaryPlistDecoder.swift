public import TideCore

/// Binary property lists, archives of NSKeyedArchiver among them.
///
/// Strings in UTF-16 show as UTF-8, dates as the seconds since 2001 began.
public struct BinaryPlistDecoder: LayerDecoder {
  /// The name in the configuration.
  public static let id = "bplist"

  /// Makes a decoder.
  public init() {}

  /// Whether it begins with the letter of its magic bytes and is long enough.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.first == 0x62 && shape.count > 40
  }

  /// The objects in `bytes`.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var isFull = false
    let nodes = bytes.withSpan { span -> [LayerNode]? in
      guard let plist = BinaryPlist(span, &budget) else { return nil }
      var reader = BinaryPlistReader(plist, mostNodes: budget.nodes)
      let isRead = reader.read(span, &budget)
      isFull = reader.isFull
      return isRead ? reader.nodes : nil
    }
    guard let nodes else {
      if isFull { _ = budget.refuse(.nodes) }
      return nil
    }
    guard budget.spend(nodes: nodes.count) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, isCertain: true)
  }

  /// The list with these values; nil where one would change the name of another as well.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    // Two bytes of UTF-16 are at most three of UTF-8.
    var budget = DecodingBudget(
      bytes: bytes.count * 2,
      nodes: layer.nodes.count,
      depth: 1,
      ratio: 1
    )
    guard let plist = bytes.withSpan({ BinaryPlist($0, &budget) }) else { return nil }
    var reader = BinaryPlistReader(plist, mostNodes: layer.nodes.count)
    guard bytes.withSpan({ reader.read($0, &budget) }), reader.nodes.count == layer.nodes.count
    else { return nil }
    var objects: [Int: [UInt8]] = [:]
    for (node, value) in values {
      guard reader.objects.indices.contains(node) else { return nil }
      let index = reader.objects[node]
      // Equal strings are one object, and this one is also the name of something.
      guard !reader.isKey[index],
        let object = BinaryPlistWriter.object(value, like: plist.objects[index])
      else { return nil }
      objects[index] = object
    }
    return BinaryPlistWriter.list(plist, over: bytes, replacing: objects)
  }
}
