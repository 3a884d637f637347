public import TideCore

/// Protocol Buffers messages without their schema (protobuf.dev, Encoding).
///
/// Field numbers are the names. What a length-delimited field holds is not written: text wins over a
/// message that it happens to be, a message over packed numbers, and those over bytes. Integers that are
/// zigzag-encoded show as the varint that they are.
public struct ProtobufDecoder: LayerDecoder {
  /// The name in the configuration.
  public static let id = "protobuf"

  /// How many bits of structure make a message that nothing declares.
  private static let acceptedBits = 12
  /// How many make one beyond doubt.
  private static let certainBits = 24

  /// Makes a decoder.
  public init() {}

  /// Whether it may be a message: declared, or not text with a first tag that is one.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 2 else { return false }
    switch shape.first & 7 {
    case 0, 1, 2, 3, 5: break
    default: return false
    }
    switch context.place {
    case .content, .leaf: break
    case .path, .query, .field, .cookie: return false
    }
    if shape.count >= 4, shape.first >= 8,
      !shape.classes.isDisjoint(with: [.control, .high]) || shape.first == 0x0A
    {
      return true
    }
    return Self.isDeclared(context)
  }

  /// The fields of the message that `bytes` are.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var reader = ProtobufReader(mostNodes: budget.nodes, within: bytes.count)
    let merit = bytes.withSpan { span -> ProtobufMerit? in
      let range = 0..<span.count
      // JSON under a declared type, or any text that would parse by chance.
      if TextLook(span, range).isText, !ProtobufReader.isPrintableMessage(span, range),
        !Self.isDeclared(context)
      {
        return nil
      }
      guard let merit = reader.message(span, range, parent: nil, depth: 0, &budget) else {
        return nil
      }
      reader.settleIntegers(span)
      return merit
    }
    guard let merit else {
      if reader.isFull { _ = budget.refuse(.nodes) }
      return nil
    }
    let isDeclared = Self.isDeclared(context)
    let isAccepted =
      isDeclared || merit.bits >= Self.acceptedBits
      || merit.hasShortTags && merit.isAscending && (merit.fields >= 2 || merit.bits >= 8)
    guard isAccepted, budget.spend(nodes: reader.nodes.count) else { return nil }
    return Layer(
      decoder: Self.id,
      nodes: reader.nodes,
      isCertain: merit.bits >= (isDeclared ? 8 : Self.certainBits)
    )
  }

  /// The message with these values, and with the lengths of every message around them.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    var writer = ProtobufWriter(layer: layer, bytes: bytes, values: values)
    return writer.message()
  }

  /// Whether somebody says that it is one.
  private static func isDeclared(_ context: LayerContext) -> Bool {
    switch context.place {
    case .leaf:
      let container = context.around.last { !Decoders.codings.contains($0) }
      return container == GRPCDecoder.id
    case .path, .query, .field, .cookie: return false
    case .content: break
    }
    let type = context.mediaType
    guard type.hasPrefix("application/") else { return false }
    return ["protobuf", "proto", "protobuffer", "protobuf-lite"].contains { type.hasSuffix($0) }
  }
}
