import TideCore
import TideCrypto

/// What is around a spelling; a function, so that a pseudonym can be wrapped the same way.
enum NeedleLayer: Hashable {
  /// Nothing; letters of either case are the same.
  case none
  /// Nothing; bytes that are no text.
  case exact
  /// Percent-encoding (RFC 3986 §2.1), once or twice.
  case percent(PercentStyle, times: Int)
  /// The escapes of JSON strings (RFC 8259 §7).
  case jsonEscapes(slash: Bool)
  /// Character references of XML and HTML (XML 1.0 §4.1).
  case entities(EntityStyle)
  /// Two hexadecimal digits per byte.
  case hex
  /// The part of base64 text that is the same whatever stands before and after, `offset` bytes into
  /// a group of three.
  case base64(Base64, offset: Int)
  /// Base32 text (RFC 4648 §6) of the value alone, without padding.
  case base32
  /// A digest, written as hexadecimal digits or base64, perhaps a part of them.
  case digest(Digest, DigestText)
  /// A digest of another's hexadecimal digits in lower case.
  case digestTwice(outer: Digest, inner: Digest, DigestText)

  /// The bytes to search for, or nil if they are too few to mean anything.
  func bytes(of spelling: [UInt8]) -> [UInt8]? {
    switch self {
    case .none, .exact: return spelling
    case .percent(let style, let times):
      return (0..<times).reduce(spelling) { bytes, _ in style.encode(bytes) }
    case .jsonEscapes(let slash): return Self.jsonEscaped(spelling, slash)
    case .entities(let style): return style.encode(spelling)
    case .hex: return Self.hex(spelling)
    case .base64(let alphabet, let offset):
      let core = Base64Shape(offset: offset, count: spelling.count).core
      guard core.count >= 8 else { return nil }
      let text = Array(alphabet.encode([UInt8](repeating: 0, count: offset) + spelling).utf8)
      return Array(text[core])
    case .base32: return spelling.count >= 6 ? Base32Text.encode(spelling) : nil
    case .digest(let digest, let text): return text.bytes(of: digest.hash(spelling))
    case .digestTwice(let outer, let inner, let text):
      return text.bytes(of: outer.hash(Self.hex(inner.hash(spelling))))
    }
  }

  /// Whether letters of either case are the same value.
  var isCaseless: Bool {
    switch self {
    case .none, .percent, .jsonEscapes, .entities, .hex, .base32: true
    case .exact, .base64: false
    case .digest(_, let text), .digestTwice(_, _, let text): text.isCaseless
    }
  }

  /// The names that findings show, outermost first.
  var names: [String] {
    switch self {
    case .none, .exact, .jsonEscapes: []
    case .percent(_, let times): [String](repeating: "percent", count: times)
    case .entities: ["entities"]
    case .hex: ["hex"]
    case .base64(.standard, _): ["base64"]
    case .base64(.url, _): ["base64url"]
    case .base32: ["base32"]
    case .digest(let digest, let text): text.names + [digest.rawValue]
    case .digestTwice(let outer, let inner, let text):
      text.names + [outer.rawValue, inner.rawValue]
    }
  }

  /// How a digest is written, if this is one.
  var digestText: DigestText? {
    switch self {
    case .digest(_, let text), .digestTwice(_, _, let text): text
    case .none, .exact, .percent, .jsonEscapes, .entities, .hex, .base64, .base32: nil
    }
  }

  private static func hex(_ bytes: [UInt8]) -> [UInt8] { Array(ASCII.hex(bytes).utf8) }

  private static func jsonEscaped(_ bytes: [UInt8], _ slash: Bool) -> [UInt8] {
    var text: [UInt8] = []
    for unit in String(decoding: bytes, as: UTF8.self).utf16 {
      switch unit {
      case 0x22, 0x5C: text += [0x5C, UInt8(unit)]
      case 0x2F where slash: text += [0x5C, 0x2F]
      case 0x0A: text += [0x5C, 0x6E]
      case 0x20..<0x7F: text.append(UInt8(unit))
      default: text += [0x5C, 0x75] + self.hex([UInt8(unit >> 8), UInt8(unit & 0xFF)])
      }
    }
    return text
  }
}

/// Which characters are written as references, and how.
enum EntityStyle: Hashable, CaseIterable {
  /// The five that XML names, other scripts left alone.
  case named
  /// The five by name, other scripts as `&#26519;`.
  case decimal
  /// The five by name, other scripts as `&#x6797;`.
  case hexadecimal

  func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch (scalar, self) {
      case ("&", _): text += Array("&amp;".utf8)
      case ("<", _): text += Array("&lt;".utf8)
      case (">", _): text += Array("&gt;".utf8)
      case ("\"", _): text += Array("&quot;".utf8)
      case ("'", _): text += Array("&#39;".utf8)
      case (_, .decimal) where !scalar.isASCII: text += Array("&#\(scalar.value);".utf8)
      case (_, .hexadecimal) where !scalar.isASCII:
        text += Array("&#x\(String(scalar.value, radix: 16));".utf8)
      case (_, .named), (_, .decimal), (_, .hexadecimal): text += Array(String(scalar).utf8)
      }
    }
    return text
  }
}

/// Base32 (RFC 4648 §6) without padding.
enum Base32Text {
  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    var bits = 0
    var pending: UInt16 = 0
    for byte in bytes {
      pending = pending << 8 | UInt16(byte)
      bits += 8
      while bits >= 5 {
        bits -= 5
        text.append(self.digit(UInt8(truncatingIfNeeded: pending >> UInt16(bits)) & 31))
      }
    }
    if bits > 0 {
      text.append(self.digit(UInt8(truncatingIfNeeded: pending << UInt16(5 - bits)) & 31))
    }
    return text
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 26 ? 0x41 + value : 0x32 + value - 26
  }
}
