internal import TideCore

/// A head as recorded, read loosely: for search and export, never for framing.
struct RawHead {
  let startLine: String
  let fields: [(name: String, value: String)]

  init(_ bytes: Bytes) {
    var lines = bytes.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
    // HTTP/2 heads begin with pseudo-fields (RFC 9113 §8.3), which have no start line.
    let hasStartLine = lines.first.map { !$0.hasPrefix(":") } ?? false
    self.startLine = hasStartLine ? lines.removeFirst() : ""
    self.fields = lines.compactMap { line in
      guard let colon = line.dropFirst().firstIndex(of: ":") else { return nil }
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
