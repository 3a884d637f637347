/// A host name as DNS and TLS compare it: lower case, A-labels, no trailing dot (RFC 1123, RFC 5890).
///
/// Letters, digits, `-` and `_` (names with underscores exist) in labels of 1 to 63 bytes, 253 in all.
/// A name that an address parser would take for an address is not a name.
public struct Hostname: Hashable, Sendable {
  /// The name, in lower case, without a trailing dot.
  public let text: String

  /// Reads and canonicalises a name; `nil` if it is not one.
  public init?(_ text: some StringProtocol) {
    var bytes = text.utf8.map(ASCII.lowercased)
    if bytes.last == 0x2E { bytes.removeLast() }
    guard (1...253).contains(bytes.count), IPAddress(lenient: text) == nil else { return nil }
    for label in bytes.split(separator: 0x2E, omittingEmptySubsequences: false) {
      let isLegal = label.allSatisfy { byte in
        ASCII.isDigit(byte) || byte &- 0x61 < 26 || byte == 0x2D || byte == 0x5F
      }
      guard (1...63).contains(label.count), isLegal, label.first != 0x2D, label.last != 0x2D
      else { return nil }
    }
    self.text = String(decoding: bytes, as: UTF8.self)
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
