internal import TideCoding
public import TideCore

/// A value compressed by Zstandard (RFC 8878), known by its magic number.
public struct ZstdCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "zstd"

  /// Makes one.
  public init() {}

  /// Whether the first byte is right.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 9 && shape.first == 0x28 && shape.classes.contains(.high)
  }

  /// The decompressed value.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else { return nil }
    let value = Compressed.decoded(bytes, &budget) { (limits) throws(CodingFailure) in
      try Zstd.decode(bytes, limits: limits)
    }
    guard let value else { return nil }
    return Layer(decoder: Self.id, names: [Self.id], of: bytes, value: value, isCertain: true)
  }

  /// The new value compressed.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return Zstd.compress(value)
  }
}
