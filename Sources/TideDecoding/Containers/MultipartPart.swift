import TideCore

/// One part: its fields, and its content.
struct MultipartPart {
  /// How the content is written (RFC 2045 §6).
  private enum Encoding {
    case asIs
    case base64
    case quotedPrintable
  }

  /// A field of the part.
  private struct Field {
    let name: Range<Int>
    let value: Range<Int>
  }

  private let range: Range<Int>
  private var fields: [Field] = []
  private var content: Range<Int>
  private var encoding = Encoding.asIs
  private var name: Range<Int>?
  private var filename: Range<Int>?
  private var extendedFilename: Range<Int>?
  /// Where the content's length is written; nil if it is not.
  private(set) var lengthField: Range<Int>?

  /// Whether there is a field that parts have.
  var isPlausible: Bool { !self.fields.isEmpty }

  /// Reads the part at `range`.
  init(_ range: Range<Int>, of bytes: Bytes) {
    self.range = range
    self.content = range
    bytes.withSpan { self.readFields($0) }
    for field in self.fields { self.note(field, bytes) }
  }

  /// Adds the part's nodes.
  func add(
    _ place: Int,
    _ bytes: Bytes,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    let key: LayerKey = self.name.map { .name($0) } ?? .index(place)
    let part = list.add(LayerNode(key: key, range: self.range, content: .group), &budget)
    for field in self.fields {
      self.add(field, of: part, bytes, &list, &budget)
    }
    if self.content.isEmpty { return }
    let written = bytes.slice(self.content)
    let decoded: [UInt8]?
    switch self.encoding {
    case .asIs: decoded = nil
    case .base64: decoded = Base64Lines.decoded(written)
    case .quotedPrintable: decoded = QuotedPrintable.decoded(written)
    }
    guard let decoded else {
      list.add(LayerNode(parent: part, range: self.content, content: .verbatim), &budget)
      return
    }
    let leaf = LayerNode(
      parent: part,
      range: self.content,
      content: .value(Bytes(decoded)),
      form: self.encoding == .base64 ? .bytes : .text
    )
    guard budget.spend(bytes: decoded.count) else { return }
    list.add(leaf, &budget)
  }

  private func add(
    _ field: Field,
    of part: Int,
    _ bytes: Bytes,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    let name = bytes.slice(field.name)
    if ASCII.equalsIgnoringCase(name, "content-disposition".utf8) {
      let named: [(Range<Int>?, String, Bool)] = [
        (self.name.flatMap { self.valueLike($0, bytes) }, "{key}", false),
        (self.filename, "filename", false), (self.extendedFilename, "filename", true),
      ]
      let sorted = named.sorted { ($0.0?.lowerBound ?? 0) < ($1.0?.lowerBound ?? 0) }
      for (range, key, isExtended) in sorted {
        // Of several such fields the last one counts.
        guard let range, !range.isEmpty, field.value.contains(range.lowerBound) else { continue }
        let text = isExtended ? PercentText.other.decoded(bytes.slice(range)) : nil
        list.add(parent: part, key: .text(key), range: range, decoded: text, &budget)
      }
      return
    }
    let isFraming = ["content-type", "content-length", "content-transfer-encoding"]
      .contains { ASCII.equalsIgnoringCase(name, $0.utf8) }
    if isFraming || field.value.isEmpty { return }
    list.add(parent: part, key: .name(field.name), range: field.value, decoded: nil, &budget)
  }

  private func valueLike(_ range: Range<Int>, _ bytes: Bytes) -> Range<Int>? {
    bytes.withSpan { ValueLike.isValue($0, range) } ? range : nil
  }

  /// Reads lines up to an empty one; without one there are no fields.
  private mutating func readFields(_ span: Span<UInt8>) {
    var start = self.range.lowerBound
    var fields: [Field] = []
    while start < self.range.upperBound, fields.count < 32 {
      var end = start
      while end < self.range.upperBound, span[end] != 0x0A { end += 1 }
      let line = Pairs.trimmed(span, start..<end)
      guard !line.isEmpty else {
        self.fields = fields
        self.content = min(end + 1, self.range.upperBound)..<self.range.upperBound
        return
      }
      guard let colon = line.first(where: { span[$0] == 0x3A }), colon > line.lowerBound,
        (line.lowerBound..<colon).allSatisfy({ span[$0] > 0x20 && span[$0] < 0x7F })
      else { return }
      let value = Pairs.trimmed(span, colon + 1..<line.upperBound)
      fields.append(Field(name: line.lowerBound..<colon, value: value))
      start = end + 1
    }
    // A part may end with its fields.
    self.fields = fields
    self.content = self.range.upperBound..<self.range.upperBound
  }

  private mutating func note(_ field: Field, _ bytes: Bytes) {
    let name = bytes.slice(field.name)
    if ASCII.equalsIgnoringCase(name, "content-disposition".utf8) {
      self.name = Self.parameter("name=", field.value, bytes)
      self.filename = Self.parameter("filename=", field.value, bytes)
      self.extendedFilename = Self.parameter("filename*=", field.value, bytes)
      return
    }
    if ASCII.equalsIgnoringCase(name, "content-length".utf8) {
      let isRight = bytes.slice(field.value).elementsEqual(String(self.content.count).utf8)
      if isRight { self.lengthField = field.value }
    }
    if ASCII.equalsIgnoringCase(name, "content-transfer-encoding".utf8) {
      let value = bytes.slice(field.value)
      if ASCII.equalsIgnoringCase(value, "base64".utf8) { self.encoding = .base64 }
      if ASCII.equalsIgnoringCase(value, "quoted-printable".utf8) {
        self.encoding = .quotedPrintable
      }
    }
  }

  /// Where the value of a parameter stands, without its quotes (RFC 2183 §2) or its charset (RFC 8187).
  private static func parameter(
    _ mark: String,
    _ range: Range<Int>,
    _ bytes: Bytes
  ) -> Range<Int>? {
    let mark = Array(mark.utf8)
    var index = range.lowerBound
    var isQuoted = false
    while index + mark.count <= range.upperBound {
      let isStart = index == range.lowerBound || [0x20, 0x09, 0x3B].contains(bytes[index - 1])
      if !isQuoted, isStart,
        ASCII.equalsIgnoringCase(bytes.slice(index..<index + mark.count), mark)
      {
        return Self.parameterValue(index + mark.count..<range.upperBound, bytes)
      }
      if bytes[index] == 0x22 { isQuoted.toggle() }
      index += 1
    }
    return nil
  }

  private static func parameterValue(_ rest: Range<Int>, _ bytes: Bytes) -> Range<Int> {
    guard let first = rest.first else { return rest }
    if bytes[first] == 0x22 {
      var end = first + 1
      while end < rest.upperBound, bytes[end] != 0x22 {
        end += bytes[end] == 0x5C && end + 1 < rest.upperBound ? 2 : 1
      }
      return first + 1..<end
    }
    var end = first
    while end < rest.upperBound, bytes[end] != 0x3B, bytes[end] > 0x20 { end += 1 }
    let quotes = (first..<end).filter { bytes[$0] == 0x27 }
    return quotes.count == 2 ? quotes[1] + 1..<end : first..<end
  }
}
