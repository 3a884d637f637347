private import CZlib
public import TideCore

/// Sums that tell accidents, not intent: anybody can make them anew.
public enum CheckSum: CaseIterable, Sendable {
  /// CRC-32 (ISO 3309, RFC 1952 §8): gzip's, zip's, and `java.util.zip.CRC32`.
  case crc32
  /// Adler-32 (RFC 1950 §8.2).
  case adler32

  /// The sum of `bytes`.
  public func sum(_ bytes: Bytes) -> UInt32 {
    unsafe bytes.withUnsafeBytes { buffer in
      let start = unsafe buffer.bindMemory(to: UInt8.self).baseAddress
      // zlib takes a missing buffer for the question what the sum of nothing is.
      let sum: UInt =
        switch self {
        case .crc32: unsafe crc32_z(0, start, buffer.count)
        case .adler32: unsafe start == nil ? 1 : adler32_z(1, start, buffer.count)
        }
      return UInt32(truncatingIfNeeded: sum)
    }
  }
}
