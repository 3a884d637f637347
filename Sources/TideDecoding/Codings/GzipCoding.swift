internal import TideCoding
public import TideCore

/// A value compressed by gzip (RFC 1952), known by its magic bytes.
public struct GzipCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "gzip"

  /// Makes one.
  public init() {}

  /// Whether the first byte is right.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 18 && shape.first == 0x1F
  }

  /// The decompressed value.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard bytes.count >= 18, bytes[1] == 0x8B, bytes[2] == 8 else { return nil }
    return Compressed.announced(Self.id, bytes, .gzip, &budget)
  }

  /// The new value compressed; time and system in the header are as they were.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    var written = Gzip.encode(value).array
    // RFC 1952 §2.3.1: MTIME at 4, XFL at 8, OS at 9.
    if bytes.count > 10, written.count > 10 {
      written.replaceSubrange(4..<10, with: bytes.slice(4..<10))
    }
    return Bytes(written)
  }
}

/// A value compressed in zlib's format (RFC 1950), known by its header and proven by its check sum.
public struct ZlibCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "zlib"

  /// Makes one.
  public init() {}

  /// Whether the first byte names DEFLATE with a window that exists.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 8 && shape.first & 0x0F == 8 && shape.first >> 4 <= 7
      && !shape.classes.isDisjoint(with: [.control, .high])
  }

  /// The decompressed value.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    // RFC 1950 §2.2: the header is a multiple of 31; no preset dictionary.
    guard bytes.count >= 8, (Int(bytes[0]) << 8 | Int(bytes[1])) % 31 == 0, bytes[1] & 0x20 == 0
    else { return nil }
    return Compressed.announced(Self.id, bytes, .zlib, &budget)
  }

  /// The new value compressed.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return Gzip.encode(value, format: .zlib)
  }
}

/// What compressed layers have in common.
enum Compressed {
  /// A format of zlib's that a header announces and a check sum proves.
  static func announced(
    _ id: String,
    _ bytes: Bytes,
    _ format: DeflateFormat,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    let value = self.decoded(bytes, &budget) { (limits) throws(CodingFailure) in
      try Gzip.decode(bytes, format: format, limits: limits)
    }
    return value.map {
      Layer(decoder: id, names: [id], of: bytes, value: $0, isCertain: true)
    }
  }

  /// Decompresses within the budget, and spends what came out; nil if `decode` or the budget refuses.
  static func decoded(
    _ bytes: Bytes,
    _ budget: inout DecodingBudget,
    by decode: (DecodingLimits) throws(CodingFailure) -> Bytes
  ) -> Bytes? {
    guard budget.goOn(bytes.count) else { return nil }
    let limits = DecodingLimits(decodedBytes: budget.bytes, ratio: budget.ratio)
    do throws(CodingFailure) {
      let value = try decode(limits)
      return budget.spend(bytes: value.count) ? value : nil
    } catch {
      switch error.code {
      case .tooLarge: _ = budget.refuse(.bytes)
      case .ratio: _ = budget.refuse(.ratio)
      case .malformed, .truncated: break
      }
      return nil
    }
  }
}
