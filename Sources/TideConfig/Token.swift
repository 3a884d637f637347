import TideCore

/// Tokens of HTTP.
enum Token {
  /// Whether the bytes are a token (RFC 9110 §5.6.2).
  static func isToken(_ bytes: some Collection<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
          || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
  }
}
