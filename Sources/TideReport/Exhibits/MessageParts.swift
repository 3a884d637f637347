internal import TideCoding
internal import TideCore
internal import TideDecoding
internal import TideEvidence

/// A recorded head, taken apart into what findings count places in.
struct MessageParts {
  let head: Bytes
  private let lines: [Bytes]
  let isHTTP2: Bool

  init(_ head: Bytes) {
    var lines: [Bytes] = []
    var rest = head
    while let end = rest.firstIndex(of: 0x0A) {
      var line = rest.slice(0..<end)
      if line.last == 0x0D { line = line.slice(0..<line.count - 1) }
      lines.append(line)
      rest = rest.dropping(first: end + 1)
    }
    if !rest.isEmpty { lines.append(rest) }
    self.head = head
    self.lines = lines.filter { !$0.isEmpty }
    self.isHTTP2 = head.first == 0x3A
  }

  /// The request target (RFC 9112 §3.2, RFC 9113 §8.3.1), in whatever form.
  var target: Bytes {
    if self.isHTTP2 { return self.pseudo(":path") ?? Bytes() }
    guard let line = self.lines.first, let space = line.firstIndex(of: 0x20) else { return Bytes() }
    let rest = line.dropping(first: space + 1)
    let end = rest.array.lastIndex(of: 0x20) ?? rest.count
    return rest.slice(0..<end)
  }

  /// The first line as sent, or what of HTTP/2 says the same.
  var requestLine: String {
    if self.isHTTP2 {
      return [":method", ":path"].compactMap { self.pseudo($0).map { Visible.text(of: $0) } }
        .joined(separator: " ") + " HTTP/2"
    }
    return self.lines.first.map { Visible.text(of: $0) } ?? ""
  }

  private func pseudo(_ name: String) -> Bytes? { self.values(name).first }

  /// The values of a field, in order.
  func values(_ name: String) -> [Bytes] {
    let wanted = Array(name.utf8)
    return self.lines.dropFirst(self.isHTTP2 ? 0 : 1).compactMap { line in
      guard line.count > wanted.count, line[wanted.count] == 0x3A,
        ASCII.equalsIgnoringCase(line.prefix(wanted.count), wanted)
      else { return nil }
      var value = line.dropping(first: wanted.count + 1)
      while value.first == 0x20 || value.first == 0x09 { value = value.dropping(first: 1) }
      return value
    }
  }

  /// The names of all fields, in lower case.
  var names: [String] {
    var seen: [String] = []
    for line in self.lines.dropFirst(self.isHTTP2 ? 0 : 1) {
      guard let colon = line.dropping(first: 1).firstIndex(of: 0x3A) else { continue }
      let name = String(decoding: line.prefix(colon + 1).map(ASCII.lowercased), as: UTF8.self)
      if !seen.contains(name) { seen.append(name) }
    }
    return seen
  }

  /// The codings that were taken off the content before it was searched, outermost first.
  var contentLayers: [String] {
    let list = self.values("content-encoding").map(\.text).joined(separator: ", ")
    guard !list.isEmpty, let codings = ContentCoding.chain(Bytes(list)) else { return [] }
    return codings.reversed().map(\.rawValue)
  }

  /// The declared media type, in lower case without parameters; and its boundary.
  var contentType: (type: String, boundary: Bytes?) {
    guard let value = self.values("content-type").first?.text else { return ("", nil) }
    let pieces = value.split(separator: ";").map { String($0) }
    let type = (pieces.first ?? "").lowercased().filter { $0 != " " && $0 != "\t" }
    let boundary = pieces.dropFirst().lazy
      .map { $0.drop { $0 == " " || $0 == "\t" } }
      .first { $0.lowercased().hasPrefix("boundary=") }
      .map { $0.dropFirst(9).filter { $0 != "\"" } }
    return (type, boundary.map { Bytes(String($0)) })
  }

  /// The parts in which a finding may be, the likeliest first.
  func parts(of location: FindingLocation, path: String) -> [ValueTrace.Part] {
    let target = self.target
    let end = target.firstIndex(of: 0x3F) ?? target.count
    switch location {
    case .path:
      // Of a proxy's request the target may be a whole URL; places count from where the path begins.
      var parts = [
        ValueTrace.Part(bytes: target.slice(0..<end), context: LayerContext(place: .path))
      ]
      if let start = Self.pathStart(target), start < end {
        parts.append(
          ValueTrace.Part(
            bytes: target.slice(start..<end),
            context: LayerContext(place: .path)
          )
        )
      }
      return parts
    case .query:
      guard end < target.count else { return [] }
      let bytes = target.dropping(first: end + 1)
      let context = LayerContext(place: .query)
      var parts = [ValueTrace.Part(bytes: bytes, context: context, base: end + 1)]
      if let start = Self.pathStart(target) {
        parts.insert(
          ValueTrace.Part(bytes: bytes, context: context, base: end + 1 - start),
          at: 0
        )
      }
      return parts
    case .cookie:
      return (self.values("cookie") + self.values("set-cookie")).map {
        ValueTrace.Part(bytes: $0, context: LayerContext(place: .cookie))
      }
    case .header, .trailer:
      let name = path.split(separator: " > ", maxSplits: 1).first.map(String.init) ?? path
      let isHost = name == "host" && self.isHTTP2
      return self.values(isHost ? ":authority" : name).map {
        ValueTrace.Part(bytes: $0, context: LayerContext(place: .field), name: name)
      }
    case .body, .websocket: return []
    }
  }

  /// Where the path begins in an absolute target; nil if it is not one.
  private static func pathStart(_ target: Bytes) -> Int? {
    let array = target.array
    guard array.first != 0x2F,
      let scheme = array.indices.first(where: { array[$0...].starts(with: [0x3A, 0x2F, 0x2F]) })
    else { return nil }
    return array[(scheme + 3)...].firstIndex(of: 0x2F)
  }
}

extension String {
  fileprivate func split(separator: String, maxSplits: Int) -> [Substring] {
    guard let range = self.firstRange(of: separator) else { return [self[...]] }
    return [self[..<range.lowerBound], self[range.upperBound...]]
  }

  private func firstRange(of text: String) -> Range<String.Index>? {
    guard !text.isEmpty else { return nil }
    var start = self.startIndex
    while start < self.endIndex {
      if self[start...].hasPrefix(text) {
        return start..<(self.index(start, offsetBy: text.count, limitedBy: self.endIndex) ?? start)
      }
      start = self.index(after: start)
    }
    return nil
  }
}
