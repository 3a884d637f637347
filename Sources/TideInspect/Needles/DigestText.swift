import TideCore
import TideCrypto

/// How a digest is written.
enum DigestText: Hashable {
  /// Hexadecimal digits; all, or a part.
  case hex(Range<Int>, isCut: Bool)
  /// Base64 digits without padding; all, or the first ones.
  case base64(Base64, Range<Int>, isCut: Bool)
  /// The bytes themselves.
  case bytes

  /// The ways a digest of this length is written.
  ///
  /// Cut to 8, 16 and 32 hexadecimal digits; of MD5 also the middle 16, "16-bit MD5" in Chinese SDKs;
  /// base64 likewise: the first 16 of it, URL-safe, are the 2014 code's H(x) (DETECTION.md section 1).
  static func all(_ digest: Digest) -> [DigestText] {
    let hexCount = digest.byteCount * 2
    let base64Count = (digest.byteCount * 8 + 5) / 6
    var texts = self.hexadecimal(digest)
    texts.append(.hex(0..<8, isCut: true))
    if digest == .md5 { texts.append(.hex(8..<24, isCut: true)) }
    if hexCount > 32 { texts.append(.hex(0..<32, isCut: true)) }
    texts += [Base64.standard, .url].map { .base64($0, 0..<base64Count, isCut: false) }
    // Most have no digit that tells the alphabets apart; cut, the URL-safe one is the known one.
    for count in [8, 16, 32] where count < base64Count {
      texts += [Base64.url, .standard].map { .base64($0, 0..<count, isCut: true) }
    }
    texts.append(.bytes)
    return texts
  }

  /// The ways the digest of joined identifiers, or of a digest, is written: whole, or cut to 16.
  static func hexadecimal(_ digest: Digest) -> [DigestText] {
    [.hex(0..<digest.byteCount * 2, isCut: false), .hex(0..<16, isCut: true)]
  }

  var isCaseless: Bool {
    switch self {
    case .hex: true
    case .base64, .bytes: false
    }
  }

  var isBinary: Bool {
    switch self {
    case .hex, .base64: false
    case .bytes: true
    }
  }

  /// Eight hexadecimal digits agree by chance once in four thousand million: too often to be sure of
  /// it, seldom enough to say it.
  var certainty: Certainty {
    switch self {
    case .hex(let range, _): range.count < 16 ? .likely : .certain
    case .base64, .bytes: .certain
    }
  }

  var names: [String] {
    switch self {
    case .hex(let range, let isCut): isCut ? ["cut\(range.count)"] : []
    case .base64(let alphabet, let range, let isCut):
      (isCut ? ["cut\(range.count)"] : []) + [alphabet == .url ? "base64url" : "base64"]
    case .bytes: ["bytes"]
    }
  }

  func bytes(of hash: [UInt8]) -> [UInt8] {
    switch self {
    case .hex(let range, _): Array(Array(ASCII.hex(hash).utf8)[range])
    case .base64(let alphabet, let range, _): Array(Array(alphabet.encode(hash).utf8)[range])
    case .bytes: hash
    }
  }
}
