/// Why bytes could not be decoded.
public struct CodingFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, CaseIterable, Sendable {
    /// The bytes are not of the format, or a check sum is wrong.
    case malformed
    /// The bytes end before the format's own end.
    case truncated
    /// More decoded bytes than allowed.
    case tooLarge = "too-large"
    /// More decoded bytes per encoded byte than allowed: a decompression bomb.
    case ratio
  }

  /// What went wrong.
  public let code: Code
  /// For people: one clause, no payload.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }
}

/// How far a decoder goes before it calls its input a bomb.
public struct DecodingLimits: Hashable, Sendable {
  /// The most decoded bytes; the first byte beyond fails with `tooLarge`.
  public var decodedBytes: Int
  /// The most decoded bytes per encoded byte, judged once `ratioGrace` bytes are decoded.
  public var ratio: Int
  /// Decoded bytes below which the ratio does not matter.
  ///
  /// A hundred bytes of honest gzip may hold a long run of one letter; what is this small harms nobody.
  public var ratioGrace = 64 << 10

  /// Joins limits.
  public init(decodedBytes: Int, ratio: Int) {
    self.decodedBytes = decodedBytes
    self.ratio = ratio
  }
}

extension DecodingLimits {
  /// Throws if `decoded` bytes from `encoded` bytes are more than allowed.
  func check(decoded: Int, encoded: Int) throws(CodingFailure) {
    guard decoded <= self.decodedBytes else {
      throw CodingFailure(.tooLarge, "more than \(self.decodedBytes) decoded bytes")
    }
    guard decoded > self.ratioGrace else { return }
    guard decoded / max(encoded, 1) <= self.ratio else {
      throw CodingFailure(.ratio, "more than \(self.ratio) decoded bytes per encoded byte")
    }
  }
}
