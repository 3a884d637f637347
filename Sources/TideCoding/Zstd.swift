private import CZstd
public import TideCore

/// Whole-buffer Zstandard (RFC 8878).
public enum Zstd {
  /// Compresses `bytes` into one frame that states its content size.
  public static func compress(_ bytes: Bytes, level: Int32 = 3) -> Bytes {
    let bound = ZSTD_compressBound(bytes.count)
    return unsafe Bytes(capacity: bound) { room in
      let count = unsafe bytes.withUnsafeBytes { input in
        unsafe ZSTD_compress(room.baseAddress, bound, input.baseAddress, input.count, level)
      }
      precondition(ZSTD_isError(count) == 0, "compressBound holds the whole result")
      return count
    }
  }

  /// Decodes a whole body of one or more frames, whether or not they state their size.
  ///
  /// Trailing bytes are refused, so that what decodes is Zstandard and nothing else.
  ///
  /// - Throws: as `ZstdDecoder` does.
  public static func decode(
    _ bytes: Bytes,
    limits: DecodingLimits
  ) throws(CodingFailure) -> Bytes {
    var decoder = ZstdDecoder(limits: limits)
    return try decoder.decodeWhole(bytes)
  }

  /// Decompresses exactly one frame, as `compress` makes it, whose stated size is at most `maxSize` bytes.
  ///
  /// A frame that does not state its size is refused: `compress` always states it, and room is made
  /// before the first byte is decoded.
  ///
  /// - Throws: `malformed`, `truncated` or `tooLarge`.
  public static func decompress(_ bytes: Bytes, maxSize: Int) throws(CodingFailure) -> Bytes {
    let stated = unsafe bytes.withUnsafeBytes {
      unsafe ZSTD_getFrameContentSize($0.baseAddress, $0.count)
    }
    // ZSTD_CONTENTSIZE_UNKNOWN and ZSTD_CONTENTSIZE_ERROR (zstd.h) are casts that Swift cannot import.
    guard stated < UInt64.max - 1 else {
      throw CodingFailure(.malformed, "not a zstd frame that states its size")
    }
    guard stated <= UInt64(clamping: maxSize) else {
      throw CodingFailure(.tooLarge, "more than \(maxSize) bytes")
    }
    let frame = unsafe bytes.withUnsafeBytes {
      unsafe ZSTD_findFrameCompressedSize($0.baseAddress, $0.count)
    }
    guard ZSTD_isError(frame) == 0 else {
      throw CodingFailure(.truncated, "the zstd frame is cut short or damaged")
    }
    guard frame == bytes.count else {
      throw CodingFailure(.malformed, "bytes after the zstd frame")
    }
    return try unsafe Bytes(capacity: Int(stated)) { room throws(CodingFailure) in
      let count = unsafe bytes.withUnsafeBytes { input in
        unsafe ZSTD_decompress(room.baseAddress, room.count, input.baseAddress, input.count)
      }
      guard ZSTD_isError(count) == 0, count == Int(stated) else {
        throw CodingFailure(.malformed, "the zstd frame is damaged")
      }
      return count
    }
  }
}
