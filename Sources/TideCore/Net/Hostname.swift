/// A host name as DNS and TLS compare it: lower case, A-labels, no trailing dot (RFC 1123, RFC 5890).
///
/// Letters, digits, `-` and `_` (names with underscores exist) in labels of 1 to 63 bytes, 253 in all.
/// A name that an address parser would take for an address is not a name, nor is one whose last label is a
/// number, which some parsers take for a piece of an address and no registry delegates (RFC 3696 §2).
public struct Hostname: Hashable, Sendable {
  /// The name, in lower case, without a trailing dot.
  public let text: String

  /// Reads and canonicalises a name; `nil` if it is not one.
  public init?(_ text: some StringProtocol) { self.init(utf8: Bytes(Array(text.utf8))) }

  /// Reads a name as it came; `nil` if it is not one.
  public init?(utf8 text: Bytes) {
    var bytes = text.map(ASCII.lowercased)
    if bytes.last == 0x2E { bytes.removeLast() }
    guard bytes.count <= 253 else { return nil }
    var labelCount = 0
    var last: UInt8 = 0x2E
    for byte in bytes {
      if byte == 0x2E {
        guard (1...63).contains(labelCount), last != 0x2D else { return nil }
        labelCount = 0
      } else {
        guard
          byte &- 0x61 < 26 || ASCII.isDigit(byte) || byte == 0x5F
            || byte == 0x2D && labelCount > 0
        else { return nil }
        labelCount += 1
      }
      last = byte
    }
    // Every spelling of an IPv4 address ends in a number; one of IPv6 has a colon.
    guard (1...63).contains(labelCount), last != 0x2D, !Self.endsInNumber(bytes) else {
      return nil
    }
    self.text = String(decoding: bytes, as: UTF8.self)
  }

  private static func endsInNumber(_ bytes: [UInt8]) -> Bool {
    let start = bytes.lastIndex(of: 0x2E).map { $0 + 1 } ?? 0
    let label = bytes[start...]
    // A name's last label begins with a letter, but for a few.
    guard let first = label.first, ASCII.isDigit(first) else { return false }
    if label.allSatisfy(ASCII.isDigit) { return true }
    return label.starts(with: [0x30, 0x78])
      && label.dropFirst(2).allSatisfy { ASCII.hexValue($0) != nil }
  }

  /// Whether the name is `pattern`, or below it when the pattern begins with `*.`.
  ///
  /// `*.example.com` matches any name below `example.com` at any depth, but not `example.com` itself;
  /// `*` alone matches every name.
  public func matches(pattern: String) -> Bool {
    if pattern == "*" { return true }
    guard pattern.hasPrefix("*.") else { return self.text == pattern }
    return self.text.hasSuffix(pattern.dropFirst()) && self.text.utf8.count >= pattern.utf8.count
  }
}

extension Hostname: CustomStringConvertible {
  /// The name.
  public var description: String { self.text }
}
