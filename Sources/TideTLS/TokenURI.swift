import TideCore

/// The name of a private key in a PKCS#11 token (RFC 7512), such as
/// `pkcs11:token=audit;object=ca?pin-source=file:/etc/tidewaiter/pin`.
public struct TokenURI: Hashable, Sendable {
  /// The URI without what is about access: where the key is, and no secret.
  public let bare: String
  /// The file that holds the token's PIN, as written.
  public let pinSource: String?
  /// The token's own library; nil leaves it to the system, which asks p11-kit.
  public let modulePath: String?

  /// The URI without what opens the token: enough to find the key again, and no secret.
  public var withoutPIN: String {
    guard let modulePath else { return self.bare }
    let mark = self.bare.contains("?") ? "&" : "?"
    return "\(self.bare)\(mark)module-path=\(Self.encoded(modulePath))"
  }

  /// Reads a URI; nil if it is none, if it names anything but a private key, or if it holds the PIN
  /// itself, which belongs into a file.
  public init?(_ text: String) {
    let scheme = "pkcs11:"
    guard text.hasPrefix(scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      return nil
    }
    let halves = text.dropFirst(scheme.count).split(
      separator: "?",
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    var path = halves[0].split(separator: ";").map(String.init)
    guard !path.isEmpty, path.allSatisfy({ $0.contains("=") }) else { return nil }
    if let type = path.first(where: { $0.hasPrefix("type=") }) {
      guard type == "type=private" else { return nil }
    } else {
      path.append("type=private")
    }
    var pinSource: String?
    var modulePath: String?
    var rest: [Substring] = []
    for part in halves.count == 2 ? halves[1].split(separator: "&") : [] {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { return nil }
      switch pair[0] {
      case "pin-source":
        let file = pair[1].hasPrefix("file:") ? pair[1].dropFirst(5) : pair[1]
        // `file:///etc/pin` is the same file; a host between the slashes would not be ours.
        let local = file.hasPrefix("//") ? file.dropFirst(2) : file
        guard let decoded = Self.decoded(local), !decoded.isEmpty, !decoded.hasPrefix("|") else {
          return nil
        }
        pinSource = decoded
      case "module-path":
        guard let decoded = Self.decoded(pair[1]), decoded.hasPrefix("/") else { return nil }
        modulePath = decoded
      case "pin-value": return nil
      default: rest.append(part)
      }
    }
    self.pinSource = pinSource
    self.modulePath = modulePath
    self.bare =
      scheme + path.joined(separator: ";")
      + (rest.isEmpty ? "" : "?" + rest.joined(separator: "&"))
  }

  /// A text in which everything has its percent sign that may mean something, or may not stand in a URI.
  ///
  /// That leaves RFC 3986's unreserved characters, and the slash, which may stand in a query.
  private static func encoded(_ text: String) -> String {
    text.utf8.reduce(into: "") { encoded, byte in
      let scalar = Unicode.Scalar(byte)
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~", "/":
        encoded.unicodeScalars.append(scalar)
      default:
        encoded += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
  }

  /// A text without its percent signs; nil if it is not one (RFC 3986 §2.1), or has a NUL.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == 0x25 else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, digits.allSatisfy(Self.isHexDigit),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value != 0
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 6
  }
}
