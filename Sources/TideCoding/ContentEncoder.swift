public import TideCore

/// Puts content codings on again, over a body that was changed.
public enum ContentEncoder {
  /// Encodes `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: the content.
  ///   - codings: as the field lists them, first applied first.
  ///   - original: the coded body as it came; a `deflate` in it tells whether its receiver is used to
  ///     zlib's wrapper or to none.
  /// - Returns: the coded body.
  public static func encode(
    _ bytes: Bytes,
    _ codings: [ContentCoding],
    like original: Bytes
  ) -> Bytes {
    var result = bytes
    for (index, coding) in codings.enumerated() {
      switch coding {
      case .gzip: result = Gzip.encode(result)
      case .deflate:
        let first = Self.firstByte(of: original, under: codings.dropFirst(index + 1))
        let format = first.map { DeflateFormat.ofDeflateBody(firstByte: $0) } ?? .zlib
        result = Gzip.encode(result, format: format)
      case .br: result = Brotli.encode(result)
      case .zstd: result = Zstd.compress(result)
      }
    }
    return result
  }

  /// The first byte of what `codings` were applied to; nil if it cannot be known.
  private static func firstByte(
    of body: Bytes,
    under codings: ArraySlice<ContentCoding>
  ) -> UInt8? {
    guard !codings.isEmpty else { return body.first }
    // One byte is wanted, so that little is decoded and no ratio is too high.
    let limits = DecodingLimits(decodedBytes: 4 << 20, ratio: .max)
    var decoder = ContentDecoder(Array(codings), limits: limits)
    var rest = body
    while !rest.isEmpty {
      let part = rest.slice(0..<min(rest.count, 512))
      rest = rest.dropping(first: part.count)
      var pieces: [Bytes] = []
      let isOver: Bool
      do throws(CodingFailure) {
        try decoder.decode(part, &pieces)
        isOver = false
      } catch {
        isOver = true
      }
      for case let first? in pieces.map(\.first) { return first }
      if isOver { return nil }
    }
    return nil
  }
}
