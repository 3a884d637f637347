import TideCore
import TideCrypto

/// What is around a spelling; a function, so that a pseudonym can be wrapped the same way.
enum Layer: Hashable {
  case none
  /// Percent-encoding (RFC 3986 §2.1), once or twice.
  case percent(PercentStyle, times: Int)
  /// The escapes of JSON strings (RFC 8259 §7).
  case jsonEscapes(slash: Bool)
  /// Two hexadecimal digits per byte.
  case hex
  /// The part of base64 text that is the same whatever stands before and after, `offset` bytes into
  /// a group of three.
  case base64(Base64, offset: Int)
  /// A digest, written as hexadecimal digits or base64, perhaps a part of them.
  case digest(Digest, DigestText)

  /// The bytes to search for, or nil if they are too few to mean anything.
  func bytes(of spelling: [UInt8]) -> [UInt8]? {
    switch self {
    case .none: return spelling
    case .percent(let style, let times):
      return (0..<times).reduce(spelling) { bytes, _ in style.encode(bytes) }
    case .jsonEscapes(let slash): return Self.jsonEscaped(spelling, slash)
    case .hex: return Array(ASCII.hex(spelling).utf8)
    case .base64(let alphabet, let offset):
      let text = Array(alphabet.encode([UInt8](repeating: 0, count: offset) + spelling).utf8)
      let core = Base64Shape(offset: offset, count: spelling.count).core
      return core.count >= 8 ? Array(text[core]) : nil
    case .digest(let digest, let text): return text.bytes(of: digest.hash(spelling))
    }
  }

  /// Whether letters of either case are the same value.
  var isCaseless: Bool {
    switch self {
    case .none, .percent, .jsonEscapes, .hex: true
    case .base64: false
    case .digest(_, let text): text.isCaseless
    }
  }

  /// The names that findings show, outermost first.
  var names: [String] {
    switch self {
    case .none, .jsonEscapes: []
    case .percent(_, let times): [String](repeating: "percent", count: times)
    case .hex: ["hex"]
    case .base64(.standard, _): ["base64"]
    case .base64(.url, _): ["base64url"]
    case .digest(let digest, let text): text.names + [digest.rawValue]
    }
  }

  /// Every layer under which a spelling is searched for.
  static func all(for use: SpellingUse) -> [Layer] {
    var layers: [Layer] = [.none, .jsonEscapes(slash: false), .jsonEscapes(slash: true)]
    for times in 1...2 {
      layers += PercentStyle.allCases.map { .percent($0, times: times) }
    }
    if use.isEncoded {
      for offset in 0..<3 {
        layers.append(.base64(.standard, offset: offset))
        layers.append(.base64(.url, offset: offset))
      }
      layers.append(.hex)
    }
    if use.isHashed {
      for digest in [Digest.md5, .sha1, .sha256] {
        layers += DigestText.all(digest).map { .digest(digest, $0) }
      }
    }
    return layers
  }

  private static func jsonEscaped(_ bytes: [UInt8], _ slash: Bool) -> [UInt8] {
    var text: [UInt8] = []
    for unit in String(decoding: bytes, as: UTF8.self).utf16 {
      switch unit {
      case 0x22, 0x5C: text += [0x5C, UInt8(unit)]
      case 0x2F where slash: text += [0x5C, 0x2F]
      case 0x0A: text += Array("\\n".utf8)
      case 0x20..<0x7F: text.append(UInt8(unit))
      default:
        text += Array("\\u".utf8)
        text += ASCII.hex([UInt8(unit >> 8), UInt8(unit & 0xFF)]).utf8
      }
    }
    return text
  }
}

/// Which bytes stay as they are under percent-encoding: encoders differ.
enum PercentStyle: CaseIterable {
  /// `encodeURIComponent`: letters, digits and `-_.~!*'()`.
  case component
  /// Forms (WHATWG URL, "application/x-www-form-urlencoded"): letters, digits, `-_.*`, space as `+`.
  case form
  /// RFC 3986 unreserved characters alone.
  case unreserved
  /// As `unreserved`, and `/` stays.
  case path

  func encode(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      if self.keeps(byte) {
        text.append(byte)
      } else if self == .form, byte == 0x20 {
        text.append(0x2B)
      } else {
        text += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return text
  }

  private func keeps(_ byte: UInt8) -> Bool {
    if ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 { return true }
    let others: StaticString =
      switch self {
      case .component: "-_.~!*'()"
      case .form: "-_.*"
      case .unreserved: "-_.~"
      case .path: "-_.~/"
      }
    return others.withUTF8Buffer { unsafe $0.contains(byte) }
  }
}

/// How a digest is written.
enum DigestText: Hashable {
  /// Hexadecimal digits; all, or a part.
  case hex(Range<Int>, isCut: Bool)
  /// Base64 digits without padding; all, or the first ones.
  case base64(Base64, Range<Int>, isCut: Bool)

  /// The ways a digest of this length is written.
  ///
  /// Cut to 16 and 32 hexadecimal digits; of MD5 also the middle 16, "16-bit MD5" in Chinese SDKs; and
  /// the first 16 of URL-safe base64, the 2014 code's H(x) (DETECTION.md section 1). 8 characters are
  /// too few to mean anything.
  static func all(_ digest: Digest) -> [DigestText] {
    let hexCount = digest.byteCount * 2
    let base64Count = (digest.byteCount * 8 + 5) / 6
    var texts: [DigestText] = [.hex(0..<hexCount, isCut: false), .hex(0..<16, isCut: true)]
    if digest == .md5 { texts.append(.hex(8..<24, isCut: true)) }
    if hexCount > 32 { texts.append(.hex(0..<32, isCut: true)) }
    texts += [Base64.standard, .url].map { .base64($0, 0..<base64Count, isCut: false) }
    // Most have no digit that tells the alphabets apart; cut, the URL-safe one is the known one.
    texts += [Base64.url, .standard].map { .base64($0, 0..<16, isCut: true) }
    return texts
  }

  var isCaseless: Bool {
    switch self {
    case .hex: true
    case .base64: false
    }
  }

  var names: [String] {
    switch self {
    case .hex(let range, let isCut): isCut ? ["cut\(range.count)"] : []
    case .base64(let alphabet, let range, let isCut):
      (isCut ? ["cut\(range.count)"] : []) + [alphabet == .url ? "base64url" : "base64"]
    }
  }

  func bytes(of hash: [UInt8]) -> [UInt8] {
    switch self {
    case .hex(let range, _): Array(Array(ASCII.hex(hash).utf8)[range])
    case .base64(let alphabet, let range, _): Array(Array(alphabet.encode(hash).utf8)[range])
    }
  }
}
