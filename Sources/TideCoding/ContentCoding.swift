public import TideCore

/// The content codings that we take off and put on again (RFC 9110 §8.4.1).
public enum ContentCoding: String, CaseIterable, Sendable {
  /// RFC 1952.
  case gzip
  /// RFC 1950 by the book; what some senders write is bare RFC 1951, and both are read.
  case deflate
  /// Brotli (RFC 7932).
  case br
  /// Zstandard (RFC 8878), with the window of RFC 9659.
  case zstd

  /// The most codings of one message; more are a bomb or a probe.
  public static let longestChain = 4

  /// A coding by its token, in any case; nil for another one.
  public init?(token: Bytes) {
    guard token.count <= 8 else { return nil }
    let name = String(decoding: token, as: UTF8.self).lowercased()
    // RFC 9110 §8.4.1.3: a recipient should read "x-gzip" as "gzip".
    self.init(rawValue: name == "x-gzip" ? "gzip" : name)
  }

  /// The codings that a `Content-Encoding` value lists, first applied first, `identity` left out.
  ///
  /// Nil if one is unknown, or if there are more than `longestChain`.
  public static func chain(_ value: Bytes) -> [ContentCoding]? {
    var chain: [ContentCoding] = []
    for part in value.split(separator: 0x2C) {
      let token = value.slice(part.startIndex..<part.endIndex).trimmed
      if token.isEmpty || token.lowercasedText == "identity" { continue }
      guard let coding = ContentCoding(token: token), chain.count < Self.longestChain else {
        return nil
      }
      chain.append(coding)
    }
    return chain
  }
}

extension Bytes {
  /// Without spaces and tabs around (RFC 9110 §5.6.3).
  fileprivate var trimmed: Bytes {
    var range = 0..<self.count
    while let first = range.first, self[first] == 0x20 || self[first] == 0x09 {
      range = first + 1..<range.upperBound
    }
    while let last = range.last, self[last] == 0x20 || self[last] == 0x09 {
      range = range.lowerBound..<last
    }
    return self.slice(range)
  }

  /// The text of a short token in lower case.
  fileprivate var lowercasedText: String {
    String(decoding: self.prefix(16), as: UTF8.self).lowercased()
  }
}
