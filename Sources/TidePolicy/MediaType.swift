internal import TideCore

/// The little that policy needs of media types (RFC 9110 §8.3.1).
enum MediaType {
  /// A `Content-Type` value without parameters.
  static func essence(_ value: Bytes) -> Bytes {
    let end = value.firstIndex { $0 == 0x3B || $0 == 0x2C || $0 == 0x20 || $0 == 0x09 }
    return value.slice(0..<(end ?? value.count))
  }

  /// Whether the content is text, or text with a structure, that identifiers can be read from.
  static func isReadable(_ fields: HeaderFields) -> Bool {
    fields.slots.indices.contains { index in
      guard fields.isNamed("content-type", at: index) else { return false }
      let essence = self.essence(fields.value(at: index))
      return self.readable.contains { $0.matches(essence) }
    }
  }

  /// The most usual first.
  private static let readable = [
    "application/*json", "text/*", "application/x-www-form-urlencoded", "application/*javascript",
    "*+json", "*+xml", "application/xml", "multipart/*", "application/graphql", "application/jwt",
  ].map { Glob($0, ignoringCase: true) }
}
