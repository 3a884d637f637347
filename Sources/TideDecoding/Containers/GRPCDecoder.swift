public import TideCore

/// gRPC's messages, each behind a flag and its length, those of Connect, and gRPC-Web's trailers.
///
/// A compressed message is a leaf as it is, compressed: the field that names the coding is not at hand,
/// and the bytes tell it as well.
public struct GRPCDecoder: LayerDecoder {
  /// The name in the configuration.
  public static let id = "grpc"

  private static let prefixCount = 5

  /// Makes a decoder.
  public init() {}

  /// Whether it begins with a flag.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    switch context.place {
    case .content, .leaf: break
    case .path, .query, .field, .cookie: return false
    }
    return shape.count >= Self.prefixCount && shape.first & 0x7C == 0
  }

  /// The messages in `bytes`, if prefixes and messages come out even.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    let isDeclared = context.mediaType.hasPrefix("application/grpc")
    let most = budget.nodes
    var isFull = false
    let nodes = bytes.withSpan { span -> [LayerNode]? in
      var nodes: [LayerNode] = []
      var position = 0
      while position < span.count {
        // The bit 0x80 marks the trailers of gRPC-Web, 2 the end of a stream of Connect, 1 compression.
        guard span.count - position >= Self.prefixCount, span[position] & 0x7C == 0 else {
          return nil
        }
        let length = BinaryNumber.bigEndian(span, position + 1..<position + Self.prefixCount)
        position += Self.prefixCount
        guard length <= UInt64(span.count - position) else { return nil }
        // Zeros are frames without content as well; where nothing is declared, the first one has some.
        guard isDeclared || length > 0 || !nodes.isEmpty else { return nil }
        guard nodes.count < most else {
          isFull = true
          return nil
        }
        let range = position..<position + Int(length)
        nodes.append(LayerNode(key: .index(nodes.count), range: range, content: .verbatim))
        position = range.upperBound
      }
      return nodes
    }
    guard let nodes else {
      if isFull { _ = budget.refuse(.nodes) }
      return nil
    }
    guard !nodes.isEmpty, budget.spend(nodes: nodes.count) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, isCertain: true)
  }

  /// The messages with these contents, and with their lengths.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    var splice = Splice()
    for (index, value) in values {
      guard layer.nodes.indices.contains(index), let count = UInt32(exactly: value.count) else {
        return nil
      }
      let range = layer.nodes[index].range
      guard range.lowerBound >= Self.prefixCount else { return nil }
      let length = BinaryNumber.bigEndian(UInt64(count), count: 4)
      splice.replace(range.lowerBound - 4..<range.upperBound, with: length + value.array)
    }
    return splice.applied(to: bytes)
  }
}
