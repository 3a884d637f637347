internal import TideCore

/// A head as recorded, read loosely: for search and export, never for framing.
///
/// Either a start line and fields (HTTP/1), or fields of which the first begin with a colon (HTTP/2).
struct RawHead {
  /// The request line or status line; empty in HTTP/2, whose pseudo-fields say as much.
  let startLine: String
  /// The fields in their order, without pseudo-fields: those are not HTTP fields (RFC 9113 §8.3).
  let fields: [(name: String, value: String)]
  /// Of HTTP/2, the pseudo-fields, with their colon.
  let pseudoFields: [(name: String, value: String)]
  /// Whether it begins with pseudo-fields.
  let isHTTP2: Bool

  init(_ bytes: Bytes) {
    var lines = bytes.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
    let isHTTP2 = lines.first?.hasPrefix(":") ?? false
    self.isHTTP2 = isHTTP2
    self.startLine = isHTTP2 || lines.isEmpty ? "" : lines.removeFirst()
    var fields: [(name: String, value: String)] = []
    var pseudoFields: [(name: String, value: String)] = []
    for line in lines {
      let isPseudo = isHTTP2 && line.utf8.first == 0x3A
      guard let colon = line.utf8.dropFirst(isPseudo ? 1 : 0).firstIndex(of: 0x3A) else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      let field = (name: String(line[..<colon]), value: String(value))
      if isPseudo { pseudoFields.append(field) } else { fields.append(field) }
    }
    self.fields = fields
    self.pseudoFields = pseudoFields
  }

  /// Whether another head follows for the same message (RFC 9110 §15.2); `101` is the last of HTTP/1.
  var isInformational: Bool {
    let status =
      self.isHTTP2
      ? self.pseudoFields.first { $0.name == ":status" }.map { $0.value[...] }
      : self.startLine.hasPrefix("HTTP/")
        ? self.startLine.split(separator: " ").dropFirst().first : nil
    return status?.count == 3 && status?.first == "1" && status != "101"
  }

  func first(_ name: String) -> String? {
    self.fields.first { ASCII.equalsIgnoringCase($0.name.utf8, name.utf8) }?.value
  }

  /// The media type of the content, without parameters, in lower case; empty if there is none.
  var mediaType: String {
    guard let value = self.first("content-type") else { return "" }
    let type = value.prefix { $0 != ";" && $0 != "," }
    let end = type.lastIndex { $0 != " " && $0 != "\t" }
    return end.map { String(type[...$0]).lowercased() } ?? ""
  }
}
