private import CBrotli
public import TideCore

/// Whole-buffer Brotli (RFC 7932).
public enum Brotli {
  /// Encodes `bytes`; the same bytes always give the same result.
  ///
  /// Quality 5 is the last that is fast, and about as small as gzip's best; the window is of 4 MiB.
  public static func encode(_ bytes: Bytes) -> Bytes {
    let bound = max(BrotliEncoderMaxCompressedSize(bytes.count), 16)
    return unsafe Bytes(capacity: bound) { room in
      var count = bound
      let isDone = unsafe bytes.withUnsafeBytes { input in
        unsafe BrotliEncoderCompress(
          5,
          22,
          BROTLI_MODE_GENERIC,
          input.count,
          input.bindMemory(to: UInt8.self).baseAddress,
          &count,
          room.bindMemory(to: UInt8.self).baseAddress
        )
      }
      precondition(isDone == BROTLI_TRUE, "BrotliEncoderMaxCompressedSize holds the whole result")
      return count
    }
  }

  /// Decodes a whole body; trailing bytes are refused, so that what decodes is Brotli and nothing else.
  ///
  /// - Throws: as `BrotliDecoder` does.
  public static func decode(
    _ bytes: Bytes,
    limits: DecodingLimits
  ) throws(CodingFailure) -> Bytes {
    var decoder = BrotliDecoder(limits: limits)
    return try decoder.decodeWhole(bytes)
  }
}
