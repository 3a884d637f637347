public import TideCore

/// XML (1.0) and HTML that is near enough: character data, attributes, CDATA sections and comments.
///
/// Elements are groups by their names, attributes members of them: `$.req.dev.id`. Comments are called
/// `comment`, the insides of `script` and `style` `raw`. Entities that a document type defines stay as
/// they are written.
public struct XMLDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "xml"

  /// Makes a decoder.
  public init() {}

  /// Whether the first byte could begin a tag.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 7, shape.classes.contains(.bracket) else { return false }
    switch shape.first {
    case 0x3C, 0x20, 0x09, 0x0A, 0x0D, 0xEF: return true
    default: return false
    }
  }

  /// Opens a document, or a part of one.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard let start = Self.start(in: bytes), budget.goOn(bytes.count) else { return nil }
    var tree = XMLTree(bytes)
    tree.read(from: start, &budget)
    let isDeclared = context.mediaType.hasSuffix("xml") || bytes.slice(start..<start + 2) == "<?"
    guard tree.isPlausible || (isDeclared && tree.list.count > 0),
      let nodes = tree.list.settled(&budget)
    else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .plain, isCertain: tree.isWellFormed)
  }

  /// Writes entities where the text must have or had them.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    var splice = Splice()
    for (index, value) in values {
      guard layer.nodes.indices.contains(index), !layer.nodes[index].isGroup else { return nil }
      let node = layer.nodes[index]
      guard node.range.upperBound <= bytes.count, let text = Self.written(value, node, bytes) else {
        return nil
      }
      splice.replace(node.range, with: text)
    }
    return splice.applied(to: bytes)
  }

  private static func written(_ value: Bytes, _ node: LayerNode, _ bytes: Bytes) -> [UInt8]? {
    if node.key == XMLTree.comment {
      let isTrimmed = value.withSpan { Pairs.trimmed($0, 0..<$0.count).count == $0.count }
      let ends = XMLText.contains(value, "--") || value.last == 0x2D || value.first == 0x3E
      return ends || !isTrimmed || value.isEmpty ? nil : value.array
    }
    if node.key == XMLTree.raw {
      let isTrimmed = value.withSpan { Pairs.trimmed($0, 0..<$0.count).count == $0.count }
      return XMLText.contains(value, "</") || !isTrimmed || value.isEmpty ? nil : value.array
    }
    let isAttribute = node.key != .none
    return XMLText.written(value, over: node.range, in: bytes, isAttribute: isAttribute)
  }

  /// Where the first tag begins; nil if other text stands before it, or no tag could begin so.
  static func start(in bytes: Bytes) -> Int? {
    var index = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while index < bytes.count, JSONScanner.isSpace(bytes[index]) { index += 1 }
    guard index + 2 < bytes.count, bytes[index] == 0x3C else { return nil }
    switch bytes[index + 1] {
    case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x21, 0x3F, 0x80...: return index
    default: return nil
    }
  }
}

/// The tree of a document, put together from its tokens.
private struct XMLTree {
  static let comment = LayerKey.text("comment")
  static let raw = LayerKey.text("raw")
  /// How far up an end tag looks for its beginning: beyond, it is a stray one.
  private static let reach = 64

  var list = NodeList()
  private let bytes: Bytes
  private var open: [(node: Int, name: Range<Int>)] = []
  private var elements = 0
  private var closed = 0
  private var strays = 0
  private var isHTML = false

  init(_ bytes: Bytes) { self.bytes = bytes }

  var isPlausible: Bool { self.elements > 0 && self.closed > 0 && self.closed >= self.strays }
  var isWellFormed: Bool {
    self.elements > 0 && self.elements == self.closed && self.strays == 0
  }

  mutating func read(from start: Int, _ budget: inout DecodingBudget) {
    self.bytes.withSpan { span in
      var scanner = XMLScanner(from: start, to: span.count)
      while !self.list.isRefused {
        let position = scanner.index
        guard let token = scanner.next(span) else { break }
        switch token {
        case .start(let name):
          if self.elements == 0 { self.isHTML = Self.isWord(span, name, "html") }
          self.elements += 1
          let group = LayerNode(
            parent: self.open.last?.node,
            key: .name(name),
            range: position..<position,
            content: .group
          )
          self.open.append((self.list.add(group, &budget), name))
        case .attribute(let name, let value): self.add(value, .name(name), span, &budget)
        case .tagEnd(let isEmpty): self.endTag(isEmpty, &scanner, span, &budget)
        case .end(let name): self.end(name, before: scanner.index, span)
        case .text(let range): self.add(range, .none, span, &budget)
        case .literal(let range):
          if range.isEmpty { continue }
          let key = LayerKey.none
          let leaf = LayerNode(
            parent: self.open.last?.node,
            key: key,
            range: range,
            content: .verbatim
          )
          self.list.add(leaf, &budget)
        case .comment(let range): self.addRaw(range, Self.comment, span, &budget)
        case .other: break
        }
      }
      for (node, _) in self.open { self.list.end(node, at: span.count) }
    }
  }

  private mutating func add(
    _ range: Range<Int>,
    _ key: LayerKey,
    _ span: Span<UInt8>,
    _ budget: inout DecodingBudget
  ) {
    let isText = key == .none
    let value = isText ? Pairs.trimmed(span, range) : range
    if value.isEmpty { return }
    let text = XMLText.decoded(self.bytes.slice(value))
    self.list.add(parent: self.open.last?.node, key: key, range: value, decoded: text, &budget)
  }

  private mutating func addRaw(
    _ range: Range<Int>,
    _ key: LayerKey,
    _ span: Span<UInt8>,
    _ budget: inout DecodingBudget
  ) {
    let value = Pairs.trimmed(span, range)
    if value.isEmpty { return }
    self.list.add(parent: self.open.last?.node, key: key, range: value, decoded: nil, &budget)
  }

  private mutating func endTag(
    _ isEmpty: Bool,
    _ scanner: inout XMLScanner,
    _ span: Span<UInt8>,
    _ budget: inout DecodingBudget
  ) {
    guard let (node, name) = self.open.last else { return }
    if isEmpty || (self.isHTML && Self.isVoid(span, name)) {
      self.list.end(node, at: scanner.index)
      self.open.removeLast()
      self.closed += 1
    } else if self.isHTML, Self.isWord(span, name, "script") || Self.isWord(span, name, "style") {
      self.addRaw(scanner.rawText(span, until: name), Self.raw, span, &budget)
    }
  }

  private mutating func end(_ name: Range<Int>, before end: Int, _ span: Span<UInt8>) {
    var depth = self.open.count
    let lowest = max(0, depth - Self.reach)
    while depth > lowest {
      depth -= 1
      let other = self.open[depth].name
      guard other.count == name.count, XMLScanner.isSame(span, name, at: other.lowerBound) else {
        continue
      }
      for (node, _) in self.open[depth...] { self.list.end(node, at: end) }
      self.open.removeSubrange(depth...)
      self.closed += 1
      return
    }
    self.strays += 1
  }

  private static let voids = [
    "br", "img", "input", "meta", "link", "hr", "area", "base", "col", "embed", "source", "track",
    "wbr",
  ]

  private static func isVoid(_ span: Span<UInt8>, _ name: Range<Int>) -> Bool {
    Self.voids.contains { Self.isWord(span, name, $0) }
  }

  private static func isWord(_ span: Span<UInt8>, _ name: Range<Int>, _ word: String) -> Bool {
    guard name.count == word.utf8.count else { return false }
    return zip(name, word.utf8).allSatisfy { ASCII.lowercased(span[$0]) == $1 }
  }
}
