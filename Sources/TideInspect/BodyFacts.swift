import TideCoding
import TideCore

/// What a head says of its body.
enum BodyFacts {
  /// How the content is coded (RFC 9110 §8.4).
  enum Coding {
    case identity
    /// `gzip`, `x-gzip`, or `deflate` (nil: zlib or raw, as its first byte says).
    case deflate(name: String, DeflateFormat?)
    /// A coding, or a chain of them, that is not taken off.
    case unknown(String)
  }

  static func coding(_ fields: HeaderFields) -> Coding {
    let codings = fields.tokens("content-encoding").filter { $0 != "identity" }
    guard let first = codings.first else { return .identity }
    guard codings.count == 1 else { return .unknown(codings.joined(separator: ", ")) }
    switch first {
    case "gzip", "x-gzip": return .deflate(name: "gzip", .gzip)
    case "deflate": return .deflate(name: "deflate", nil)
    default: return .unknown(first)
    }
  }

  /// Whether the content is an image, sound, film or font.
  static func isMedia(_ fields: HeaderFields) -> Bool {
    guard let type = fields.first("content-type") else { return false }
    return ["image/", "audio/", "video/", "font/"].contains { prefix in
      ASCII.equalsIgnoringCase(type.prefix(prefix.utf8.count), Array(prefix.utf8))
    }
  }

  /// How the content names what is inside it, by its first byte and its declared type.
  ///
  /// The byte speaks first: SDKs send JSON under any type.
  static func syntax(_ fields: HeaderFields, firstByte: UInt8) -> PartSyntax {
    let type = String(
      decoding: (fields.first("content-type") ?? Bytes()).prefix(64).map(ASCII.lowercased),
      as: UTF8.self
    )
    if firstByte == 0x7B || firstByte == 0x5B || type.contains("json") { return .json }
    return type.hasPrefix("application/x-www-form-urlencoded") ? .form : .named(Bytes())
  }
}
