private import CZlib
public import TideCore

/// Whole-buffer gzip and its relatives.
public enum Gzip {
  /// Encodes `bytes` at level 6.
  ///
  /// The same bytes always give the same result: the gzip header carries no time and no name
  /// (RFC 1952 §2.3.1), so evidence made twice compares equal.
  public static func encode(_ bytes: Bytes, format: DeflateFormat = .gzip) -> Bytes {
    var stream = unsafe z_stream()
    let status = unsafe tide_deflate_init(&stream, 6, format.windowBits)
    precondition(status == Z_OK, "zlib is the one we were built with, and memory is there")
    defer { unsafe deflateEnd(&stream) }
    // The bound is for one call with Z_FINISH, which is what follows; 18 is gzip's wrapper.
    let bound = Int(unsafe deflateBound(&stream, UInt(bytes.count))) + 18
    return unsafe Bytes(capacity: bound) { room in
      unsafe bytes.withUnsafeBytes { input in
        unsafe stream.next_in = UnsafeMutablePointer(
          mutating: input.bindMemory(to: UInt8.self).baseAddress
        )
        unsafe stream.avail_in = UInt32(input.count)
        unsafe stream.next_out = room.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.avail_out = UInt32(bound)
        let end = unsafe deflate(&stream, Z_FINISH)
        precondition(end == Z_STREAM_END, "deflateBound holds the whole result")
      }
      return bound - Int(unsafe stream.avail_out)
    }
  }

  /// Decodes a whole body; trailing bytes are refused, so that what decodes is the format and nothing else.
  ///
  /// - Throws: as `GzipDecoder` does.
  public static func decode(
    _ bytes: Bytes,
    format: DeflateFormat = .gzip,
    limits: DecodingLimits
  ) throws(CodingFailure) -> Bytes {
    var decoder = GzipDecoder(format: format, limits: limits)
    return try decoder.decodeWhole(bytes)
  }
}
