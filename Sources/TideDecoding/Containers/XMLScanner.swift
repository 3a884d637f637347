import TideCore

/// Cuts XML, or HTML that is written like it, into tags, text and the rest.
///
/// It declares nothing well-formed and expands nothing: a document type is passed over, entities in it
/// are not looked at (XML 1.0 §2.8).
struct XMLScanner {
  /// What comes next.
  enum Token {
    /// A start tag's name; attributes follow until `tagEnd`.
    case start(name: Range<Int>)
    /// One attribute, its value without quotes; `quote` is 0 if it has none.
    case attribute(name: Range<Int>, value: Range<Int>)
    /// The end of a start tag, which closes its element itself if it ends in `/>`.
    case tagEnd(isEmpty: Bool)
    /// An end tag's name.
    case end(name: Range<Int>)
    /// Character data.
    case text(Range<Int>)
    /// The inside of a CDATA section.
    case literal(Range<Int>)
    /// The inside of a comment.
    case comment(Range<Int>)
    /// A declaration or an instruction, or a stray `<`.
    case other
  }

  /// Where the scanner is.
  private(set) var index: Int
  private var isInTag = false
  private let end: Int

  /// Begins at `start`.
  init(from start: Int, to end: Int) {
    self.index = start
    self.end = end
  }

  /// The next token; nil at the end.
  mutating func next(_ span: Span<UInt8>) -> Token? {
    if self.isInTag { return self.insideTag(span) }
    guard self.index < self.end else { return nil }
    let start = self.index
    guard span[start] == 0x3C else {
      while self.index < self.end, span[self.index] != 0x3C { self.index += 1 }
      return .text(start..<self.index)
    }
    guard start + 1 < self.end else {
      self.index = self.end
      return .other
    }
    switch span[start + 1] {
    case 0x21: return self.declaration(span)
    case 0x3F:
      self.skip(span, past: [0x3F, 0x3E], from: start + 2)
      return .other
    case 0x2F:
      let name = self.name(span, from: start + 2)
      self.skip(span, past: [0x3E], from: name.upperBound)
      return .end(name: name)
    default:
      let name = self.name(span, from: start + 1)
      guard !name.isEmpty else {
        self.index = start + 1
        return .other
      }
      self.index = name.upperBound
      self.isInTag = true
      return .start(name: name)
    }
  }

  /// Takes everything up to the end tag `name` as it is: the inside of `script` and `style`.
  mutating func rawText(_ span: Span<UInt8>, until name: Range<Int>) -> Range<Int> {
    let start = self.index
    while self.index < self.end {
      if span[self.index] == 0x3C, self.index + 2 + name.count <= self.end,
        span[self.index + 1] == 0x2F,
        Self.isSame(span, name, at: self.index + 2)
      {
        break
      }
      self.index += 1
    }
    return start..<self.index
  }

  /// Whether the name at `range` stands at `start` too, in whatever case.
  static func isSame(_ span: Span<UInt8>, _ range: Range<Int>, at start: Int) -> Bool {
    guard start + range.count <= span.count else { return false }
    for offset in 0..<range.count
    where ASCII.lowercased(span[range.lowerBound + offset])
      != ASCII.lowercased(span[start + offset])
    {
      return false
    }
    return true
  }

  private mutating func insideTag(_ span: Span<UInt8>) -> Token? {
    while self.index < self.end {
      let byte = span[self.index]
      if byte == 0x3E {
        self.index += 1
        self.isInTag = false
        return .tagEnd(isEmpty: span[self.index - 2] == 0x2F)
      }
      // A tag that was never closed: what follows is another.
      if byte == 0x3C { break }
      if JSONScanner.isSpace(byte) || byte == 0x2F || byte == 0x3D || byte == 0x22 || byte == 0x27 {
        self.index += 1
        continue
      }
      let name = self.name(span, from: self.index)
      self.index = max(name.upperBound, self.index + 1)
      if let value = self.attributeValue(span) { return .attribute(name: name, value: value) }
    }
    self.isInTag = false
    return .tagEnd(isEmpty: false)
  }

  private mutating func attributeValue(_ span: Span<UInt8>) -> Range<Int>? {
    var index = self.index
    while index < self.end, JSONScanner.isSpace(span[index]) { index += 1 }
    guard index < self.end, span[index] == 0x3D else { return nil }
    index += 1
    while index < self.end, JSONScanner.isSpace(span[index]) { index += 1 }
    guard index < self.end else { return nil }
    let quote = span[index]
    let isQuoted = quote == 0x22 || quote == 0x27
    let start = isQuoted ? index + 1 : index
    index = start
    while index < self.end {
      let byte = span[index]
      if isQuoted ? byte == quote : (JSONScanner.isSpace(byte) || byte == 0x3E) { break }
      index += 1
    }
    self.index = min(isQuoted ? index + 1 : index, self.end)
    return start..<index
  }

  private mutating func declaration(_ span: Span<UInt8>) -> Token {
    let start = self.index
    if Self.has(span, Self.commentMark, at: start) {
      let first = start + 4
      let end = self.skip(span, past: [0x2D, 0x2D, 0x3E], from: first)
      return .comment(first..<end)
    }
    if Self.has(span, Self.literalMark, at: start) {
      let first = start + 9
      let end = self.skip(span, past: [0x5D, 0x5D, 0x3E], from: first)
      return .literal(first..<end)
    }
    // A document type may hold declarations of its own in brackets.
    var depth = 0
    self.index += 2
    while self.index < self.end {
      let byte = span[self.index]
      self.index += 1
      if byte == 0x5B { depth += 1 }
      if byte == 0x5D { depth -= 1 }
      if byte == 0x3E, depth <= 0 { break }
    }
    return .other
  }

  /// Moves past the next `mark` and says where it begins; to the end if there is none.
  @discardableResult
  private mutating func skip(_ span: Span<UInt8>, past mark: [UInt8], from start: Int) -> Int {
    var index = start
    while index + mark.count <= self.end {
      var isHere = true
      for offset in mark.indices where span[index + offset] != mark[offset] {
        isHere = false
        break
      }
      if isHere {
        self.index = index + mark.count
        return index
      }
      index += 1
    }
    self.index = self.end
    return self.end
  }

  private func name(_ span: Span<UInt8>, from start: Int) -> Range<Int> {
    var index = start
    while index < self.end, Self.isName(span[index]) { index += 1 }
    return start..<index
  }

  private static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F, 0x80...: true
    default: false
    }
  }

  private static let commentMark = Array("<!--".utf8)
  private static let literalMark = Array("<![CDATA[".utf8)

  private static func has(_ span: Span<UInt8>, _ mark: [UInt8], at start: Int) -> Bool {
    guard start + mark.count <= span.count else { return false }
    for offset in mark.indices where span[start + offset] != mark[offset] { return false }
    return true
  }
}
