internal import TideCore

/// A head as recorded, read loosely: for search and export, never for framing.
///
/// Either a start line and fields (HTTP/1), or fields of which the first begin with a colon (HTTP/2).
struct RawHead {
  /// The request line or status line; empty in HTTP/2, whose pseudo-fields say as much.
  let startLine: String
  /// The fields in their order, without pseudo-fields: those are not HTTP fields (RFC 9113 §8.3).
  let fields: [(name: String, value: String)]
  /// Whether it begins with pseudo-fields.
  let isHTTP2: Bool

  init(_ bytes: Bytes) {
    var lines = bytes.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
    let isHTTP2 = lines.first?.hasPrefix(":") ?? false
    self.isHTTP2 = isHTTP2
    self.startLine = isHTTP2 || lines.isEmpty ? "" : lines.removeFirst()
    self.fields = lines.compactMap { line in
      guard !isHTTP2 || !line.hasPrefix(":"), let colon = line.firstIndex(of: ":") else {
        return nil
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      return (String(line[..<colon]), String(value))
    }
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
