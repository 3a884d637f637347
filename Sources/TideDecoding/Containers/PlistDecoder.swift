public import TideCore

/// A property list in XML: members by their `<key>`, `<data>` as the bytes that it stands for.
///
/// The path leaves out `plist` and `dict`: `$.device.imei`, `$.apps[0]`.
public struct PlistDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "plist"

  /// Makes a decoder.
  public init() {}

  /// Whether the first byte could begin a tag.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    XMLDecoder().mayOpen(shape, context)
  }

  /// Opens a property list.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard let start = XMLDecoder.start(in: bytes), budget.goOn(bytes.count) else { return nil }
    var tree = PlistTree(bytes)
    guard tree.read(from: start, &budget), let nodes = tree.list.settled(&budget) else {
      return nil
    }
    return Layer(decoder: Self.id, nodes: nodes, keys: .entities, isCertain: true)
  }

  /// Writes text with entities, data in base64 with the line breaks it had, and numbers as numbers.
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
    switch node.form {
    case .number: return JSONScanner.isNumber(value) ? value.array : nil
    case .bytes:
      return value.isEmpty ? nil : Base64Lines.encoded(value, as: bytes.slice(node.range))
    case .text, .varint, .fixed32, .fixed64, .float32, .float64:
      return XMLText.written(value, over: node.range, in: bytes, isAttribute: false)
    }
  }
}

/// The tree of a property list.
private struct PlistTree {
  /// An open `dict` or `array`, or the `plist` itself.
  private struct Frame {
    let node: Int
    let isDictionary: Bool
    var index = 0
    var key = LayerKey.none
  }

  /// What the innermost open element holds.
  private enum Element {
    case none
    case key
    case text
    case number
    case data
  }

  var list = NodeList()
  private let bytes: Bytes
  private var open: [Frame] = []
  private var element = Element.none
  private var isPlist = false

  init(_ bytes: Bytes) { self.bytes = bytes }

  /// Reads everything; false if this is no property list.
  mutating func read(from start: Int, _ budget: inout DecodingBudget) -> Bool {
    self.bytes.withSpan { span in
      var scanner = XMLScanner(from: start, to: span.count)
      while !self.list.isRefused {
        let position = scanner.index
        guard let token = scanner.next(span) else { break }
        switch token {
        case .start(let name):
          guard self.start(Self.word(span, name), at: position, &budget) else { return false }
        case .end(let name): self.end(Self.word(span, name), before: scanner.index)
        case .tagEnd(let isEmpty): if isEmpty { self.endEmpty(before: scanner.index) }
        case .text(let range): self.add(Pairs.trimmed(span, range), isLiteral: false, &budget)
        case .literal(let range): self.add(range, isLiteral: true, &budget)
        case .attribute, .comment, .other: break
        }
      }
      for frame in self.open { self.list.end(frame.node, at: span.count) }
      return self.isPlist
    }
  }

  private mutating func start(
    _ name: String,
    at position: Int,
    _ budget: inout DecodingBudget
  ) -> Bool {
    guard self.isPlist else {
      self.isPlist = name == "plist"
      return self.isPlist
    }
    switch name {
    case "dict", "array":
      let key = self.nextKey
      let group = LayerNode(
        parent: self.open.last?.node,
        key: key,
        range: position..<position,
        content: .group
      )
      self.open.append(Frame(node: self.list.add(group, &budget), isDictionary: name == "dict"))
      self.element = .none
    case "key": self.element = .key
    case "integer", "real": self.element = .number
    case "data": self.element = .data
    case "true", "false": self.element = .none
    default: self.element = .text
    }
    return true
  }

  private mutating func end(_ name: String, before end: Int) {
    switch name {
    case "dict", "array":
      guard let frame = self.open.popLast() else { return }
      self.list.end(frame.node, at: end)
      self.finishValue()
    case "plist": break
    case "key": self.element = .none
    default: self.finishValue()
    }
  }

  /// The tag that ended was one like `<true/>`; a `dict` or an `array` may be empty too.
  private mutating func endEmpty(before end: Int) {
    if self.element == .none, let frame = self.open.last, self.list.nodes.count - 1 == frame.node,
      self.list.nodes[frame.node].range.isEmpty, self.isEmptyGroup(frame.node, before: end)
    {
      self.open.removeLast()
      self.list.end(frame.node, at: end)
    }
    self.finishValue()
  }

  /// Whether the tag that ends at `end` is the group's own, not that of a first member without a leaf.
  private func isEmptyGroup(_ node: Int, before end: Int) -> Bool {
    let start = self.list.nodes[node].range.lowerBound
    return !self.bytes.slice(start + 1..<end).contains(0x3C)
  }

  private mutating func finishValue() {
    self.element = .none
    guard let last = self.open.indices.last else { return }
    self.open[last].index &+= 1
    self.open[last].key = .none
  }

  private var nextKey: LayerKey {
    guard let frame = self.open.last else { return .none }
    return frame.isDictionary ? frame.key : .index(frame.index)
  }

  private mutating func add(
    _ range: Range<Int>,
    isLiteral: Bool,
    _ budget: inout DecodingBudget
  ) {
    if range.isEmpty { return }
    let written = self.bytes.slice(range)
    let parent = self.open.last?.node
    switch self.element {
    case .none: break
    case .key:
      let key = LayerKey.name(range)
      if let last = self.open.indices.last { self.open[last].key = key }
      if written.withSpan({ ValueLike.isValue($0, 0..<$0.count) }) {
        let text = isLiteral ? nil : XMLText.decoded(written)
        self.list.add(parent: parent, key: .text("{key}"), range: range, decoded: text, &budget)
      }
    case .text:
      let text = isLiteral ? nil : XMLText.decoded(written)
      self.list.add(parent: parent, key: self.nextKey, range: range, decoded: text, &budget)
    case .number:
      let form: LayerNode.Form = JSONScanner.isNumber(written) ? .number : .text
      let leaf = LayerNode(
        parent: parent,
        key: self.nextKey,
        range: range,
        content: .verbatim,
        form: form
      )
      self.list.add(leaf, &budget)
    case .data:
      guard let value = Base64Lines.decoded(written), budget.spend(bytes: value.count) else {
        return
      }
      let leaf = LayerNode(
        parent: parent,
        key: self.nextKey,
        range: range,
        content: .value(Bytes(value)),
        form: .bytes
      )
      self.list.add(leaf, &budget)
    }
  }

  private static func word(_ span: Span<UInt8>, _ name: Range<Int>) -> String {
    String(decoding: name.prefix(8).map { ASCII.lowercased(span[$0]) }, as: UTF8.self)
  }
}
