import TideCoding
import TideCore

/// What a head says of its body.
enum BodyFacts {
  /// How the content is coded (RFC 9110 §8.4).
  enum Coding {
    case identity
    /// Codings that are taken off, the first applied first.
    case coded([ContentCoding])
    /// A coding, or a chain with one, that is not taken off.
    case unknown(String)
  }

  static func coding(_ fields: HeaderFields) -> Coding {
    // A list may be split over several fields (RFC 9110 §5.3).
    let names = fields.tokens("content-encoding").filter { $0 != "identity" }
    if names.isEmpty { return .identity }
    let list = names.joined(separator: ", ")
    guard let codings = ContentCoding.chain(Bytes(list)) else { return .unknown(list) }
    return .coded(codings)
  }

  /// The declared media type in lower case without parameters; empty if there is none.
  static func mediaType(_ fields: HeaderFields) -> String {
    guard let type = fields.first("content-type") else { return "" }
    let essence = type.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }
    return String(decoding: essence.prefix(128).map(ASCII.lowercased), as: UTF8.self)
  }

  /// The `boundary` parameter of a multipart type (RFC 2046 §5.1.1); nil if there is none.
  static func boundary(_ fields: HeaderFields) -> Bytes? {
    // Most types have no parameter at all.
    guard let type = fields.first("content-type"), type.contains(0x3D) else { return nil }
    let name = Array("boundary=".utf8)
    for start in type.indices.dropLast(name.count) {
      let rest = type.dropping(first: start)
      guard start > 0, type[start - 1] == 0x3B || type[start - 1] == 0x20,
        ASCII.equalsIgnoringCase(rest.prefix(name.count), name)
      else { continue }
      var value = rest.dropping(first: name.count)
      let isQuoted = value.first == 0x22
      if isQuoted { value = value.dropping(first: 1) }
      let end = value.firstIndex { isQuoted ? $0 == 0x22 : $0 == 0x3B || $0 == 0x20 }
      let boundary = value.slice(0..<(end ?? value.count))
      return boundary.isEmpty || boundary.count > 200 ? nil : boundary
    }
    return nil
  }

  /// Whether the content is an image, sound, film or font.
  static func isMedia(_ fields: HeaderFields) -> Bool {
    guard let type = fields.first("content-type") else { return false }
    return type.withSpan { span in
      Self.media.contains { kind in
        guard span.count >= kind.count else { return false }
        for index in kind.indices where ASCII.lowercased(span[index]) != kind[index] {
          return false
        }
        return true
      }
    }
  }

  private static let media = ["image/", "audio/", "video/", "font/"].map { Array($0.utf8) }

  /// How the content names what is inside it, by its first byte and its declared type.
  ///
  /// The byte speaks first: SDKs send JSON under any type.
  static func syntax(_ fields: HeaderFields, firstByte: UInt8) -> PartSyntax {
    if firstByte == 0x7B || firstByte == 0x5B { return .json }
    let type = String(
      decoding: (fields.first("content-type") ?? Bytes()).prefix(64).map(ASCII.lowercased),
      as: UTF8.self
    )
    if type.contains("json") { return .json }
    return type.hasPrefix("application/x-www-form-urlencoded") ? .form : .named(Bytes())
  }
}
