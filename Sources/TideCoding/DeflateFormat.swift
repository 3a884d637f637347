/// The wrappers in which DEFLATE (RFC 1951) travels.
public enum DeflateFormat: String, CaseIterable, Sendable {
  /// RFC 1952, `Content-Encoding: gzip`; several members in a row are one body.
  case gzip
  /// RFC 1950, which is what `Content-Encoding: deflate` means (RFC 9110 §8.4.1.2).
  case zlib
  /// No wrapper: what some senders mean by `deflate`.
  case raw

  /// What zlib calls this format: the window's size in bits, with a flag for the wrapper.
  var windowBits: Int32 {
    switch self {
    case .gzip: 15 + 16
    case .zlib: 15
    case .raw: -15
    }
  }

  /// The format of a `deflate` body by its first byte.
  ///
  /// A zlib header begins with method 8 in the low bits (RFC 1950 §2.2). A raw block whose first byte
  /// ends so would be a stored block with its padding bits set, which no encoder writes.
  public static func ofDeflateBody(firstByte: UInt8) -> DeflateFormat {
    firstByte & 0x0F == 8 && firstByte >> 4 <= 7 ? .zlib : .raw
  }
}
