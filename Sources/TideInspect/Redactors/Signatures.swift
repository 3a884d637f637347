public import TideCore
import TideCrypto
import TideDecoding

/// Tells what looks like a signature that only the holder of a key can make.
///
/// By name and shape: one word of the name is `sign`, `signature`, `sig` or `hmac`, and the value is at
/// least 16 hexadecimal digits or base64 of at least 16 bytes. Fields that standards define are known by
/// what they say: `Signature` (RFC 9421), and `Authorization` of a scheme that signs the request. A bearer
/// token proves who asks, not what; changing the request does not break it.
public enum Signatures {
  /// The names of the fields and of the target's members in a head that are signatures, in lower case.
  ///
  /// Members as `?name`.
  public static func signedFields(in head: MessageHead) -> [String] {
    self.fields(head.fields) + self.members(head.target)
  }

  static func fields(_ fields: HeaderFields) -> [String] {
    (0..<fields.count).compactMap { index in
      let value = fields.value(at: index)
      let isSignature: Bool
      if fields.isNamed("authorization", at: index) {
        isSignature = self.isSigningScheme(value)
      } else if fields.isNamed("signature", at: index) {
        isSignature = !value.isEmpty
      } else if fields.isNamed("cookie", at: index) || fields.isNamed("set-cookie", at: index) {
        isSignature = false
      } else {
        isSignature = self.isShaped(value) && self.isName(fields.name(at: index).text)
      }
      return isSignature ? fields.name(at: index).text.lowercased() : nil
    }
  }

  static func members(_ target: Bytes) -> [String] {
    guard let query = Query(target) else { return [] }
    return query.leaves.compactMap { index, value in
      guard self.isShaped(value), let key = query.layer.key(of: index, in: query.bytes),
        self.isName(key)
      else { return nil }
      return "?" + key.lowercased()
    }
  }

  /// Whether one of the words of a name says so: `X-Sign`, `api_sig`, `requestSignature`, `sign2`.
  static func isName(_ name: String) -> Bool {
    var word: [UInt8] = []
    var wasLower = false
    for byte in Array(name.utf8.prefix(64)) + [0x2D] {
      let isLetter = ASCII.lowercased(byte) &- 0x61 < 26
      let beginsWord = isLetter && ASCII.lowercased(byte) != byte && wasLower
      if !isLetter || beginsWord {
        if self.words.contains(String(decoding: word, as: UTF8.self)) { return true }
        word = []
      }
      if isLetter { word.append(ASCII.lowercased(byte)) }
      wasLower = isLetter && ASCII.lowercased(byte) == byte
    }
    return false
  }

  private static let words: Set<String> = [
    "hmac", "sig", "sign", "signature", "xsign", "xsignature",
  ]

  /// Whether a value may be a digest or a signature.
  static func isShaped(_ value: Bytes) -> Bool {
    guard (16...1_024).contains(value.count) else { return false }
    if value.allSatisfy({ ASCII.hexValue($0) != nil }) { return true }
    guard value.count >= 22 else { return false }
    return Base64.standard.decode(value) != nil || Base64.url.decode(value) != nil
  }

  /// Whether credentials are made of the request: `AWS4-HMAC-SHA256 …`, `OAuth … oauth_signature=…`.
  private static func isSigningScheme(_ value: Bytes) -> Bool {
    let text = value.map(ASCII.lowercased)
    let scheme = String(decoding: text.prefix { $0 != 0x20 }, as: UTF8.self)
    if ["basic", "bearer", "negotiate", "ntlm"].contains(scheme) { return false }
    if scheme.contains("hmac") || scheme == "signature" || scheme == "hawk" { return true }
    let rest = String(decoding: text, as: UTF8.self)
    // A member of the credentials, or `AWS key:signature`.
    return rest.contains("signature=") || rest.contains("mac=") || scheme == "aws"
  }
}

/// A target's query, opened.
struct Query {
  let bytes: Bytes
  let layer: Layer
  /// Where it begins in the target.
  let start: Int

  /// Nil if there is none.
  init?(_ target: Bytes) {
    guard let mark = target.firstIndex(of: 0x3F), mark + 1 < target.count else { return nil }
    let bytes = target.dropping(first: mark + 1)
    var budget = DecodingBudget(bytes: 1 << 20, nodes: 4_096, depth: 1, ratio: 1)
    let context = LayerContext(place: .query)
    guard let layer = QueryDecoder().open(bytes, context, &budget) else { return nil }
    self.bytes = bytes
    self.layer = layer
    self.start = mark + 1
  }

  /// Its values, decoded.
  var leaves: [(index: Int, value: Bytes)] {
    self.layer.nodes.indices.compactMap { index in
      self.layer.nodes[index].value(in: self.bytes).map { (index, $0) }
    }
  }
}
