public import TideCore
import TideCrypto

/// The JA4 of a hello of our own.
///
/// - Parameter records: the TLS records as they go out, which hold the hello and nothing else.
/// - Returns: the fingerprint; nil if the records are not one whole ClientHello.
public func ja4(ofHello records: Bytes) -> String? {
  var parser = ClientHelloParser(limits: Limits())
  guard case .hello(let facts) = parser.receive(records) else { return nil }
  return facts.fingerprint
}

/// What of a ClientHello makes up its JA4, the client fingerprint that FoxIO published
/// (https://github.com/FoxIO-LLC/ja4, `technical_details/JA4.md`), GREASE left out.
///
/// Such as `t13d1516h2_8daaf6152771_e5627efa2ab1`: what can be read off, then digests of the suites,
/// and of the extensions with the signature algorithms. Suites and extensions are sorted, because
/// clients shuffle them; a client's signature algorithms keep their order, which is its own.
struct JA4 {
  /// The highest version of `supported_versions`, else the hello's own; nil if the list has none.
  var version: UInt16?
  /// The cipher suites, in any order.
  var suites: [UInt16] = []
  /// The types of the extensions, in any order.
  var extensions: [UInt16] = []
  /// The signature algorithms, in the client's order.
  var signatureAlgorithms: [UInt16] = []
  /// The first protocol of ALPN, byte by byte; empty if there is none.
  var firstProtocol: ArraySlice<UInt8> = []

  private static let comma = UInt8(ascii: ",")
  private static let underscore = UInt8(ascii: "_")

  /// The fingerprint.
  var text: String {
    var text: [UInt8] = [UInt8(ascii: "t")]
    text.append(contentsOf: self.versionDigits.utf8)
    text.append(UInt8(ascii: self.extensions.contains(0) ? "d" : "i"))
    text.append(contentsOf: Self.digits(of: self.suites.count))
    text.append(contentsOf: Self.digits(of: self.extensions.count))
    text.append(contentsOf: self.protocolEnds)
    text.append(Self.underscore)
    Self.digest(of: Self.list(self.suites.sorted()), into: &text)
    text.append(Self.underscore)
    // Whether there is a name, and which protocol, stands in the first part: the last one is the same
    // for a client wherever it goes.
    var list = Self.list(self.extensions.filter { $0 != 0 && $0 != 16 }.sorted())
    if !list.isEmpty, !self.signatureAlgorithms.isEmpty {
      list.append(Self.underscore)
      list.append(contentsOf: Self.list(self.signatureAlgorithms))
    }
    Self.digest(of: list, into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  private var versionDigits: String {
    switch self.version {
    case 0x0304: "13"
    case 0x0303: "12"
    case 0x0302: "11"
    case 0x0301: "10"
    case 0x0300: "s3"
    case 0x0002: "s2"
    case 0xFEFF: "d1"
    case 0xFEFD: "d2"
    case 0xFEFC: "d3"
    default: "00"
    }
  }

  /// The first and last character of the first protocol; of its hexadecimal form if either of them is
  /// not a letter or digit of ASCII.
  private var protocolEnds: [UInt8] {
    guard let first = self.firstProtocol.first, let last = self.firstProtocol.last else {
      return Array("00".utf8)
    }
    if Self.isAlphanumeric(first), Self.isAlphanumeric(last) { return [first, last] }
    var digits: [UInt8] = []
    Hex.encode([first, last].span, into: &digits)
    return [digits[0], digits[3]]
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }

  /// A count in two digits, which stop at 99.
  private static func digits(of count: Int) -> [UInt8] {
    let count = UInt8(min(count, 99))
    return [0x30 + count / 10, 0x30 + count % 10]
  }

  /// The numbers as four digits each, with commas between them.
  private static func list(_ numbers: [UInt16]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(numbers.count * 5)
    for number in numbers {
      if !text.isEmpty { text.append(Self.comma) }
      Hex.encode(
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)].span,
        into: &text
      )
    }
    return text
  }

  /// Twelve digits: the beginning of the SHA-256, or zeros for an empty list.
  private static func digest(of list: [UInt8], into text: inout [UInt8]) {
    let digest = list.isEmpty ? [UInt8](repeating: 0, count: 6) : Digest.sha256.hash(list)
    Hex.encode(digest.span.extracting(first: 6), into: &text)
  }
}
