import TideCore

/// A binary format of typed items, each behind a head that tells what it is and how long.
protocol ItemFormat {
  /// Reads the head at `position` and, of what is neither array nor map, the value behind it.
  ///
  /// `position` moves behind what was read; nil if there is no such item before the end.
  static func item(_ span: Span<UInt8>, _ position: inout Int) -> Item?

  /// Whether `byte` ends an array or a map of no stated length.
  static func isBreak(_ byte: UInt8) -> Bool

  /// An item that holds `value`, with a head as wide as that of `item` if the value fits.
  ///
  /// `item` are the bytes of an item that was read as one of the form; nil if the value is none of it.
  static func written(_ value: Bytes, _ form: LayerNode.Form, like item: Bytes) -> [UInt8]?
}

/// One item, or the head of an array or a map.
struct Item {
  /// What items hold.
  enum Content {
    /// Nothing that anybody searches for: true, false, null.
    case nothing
    /// An integer, as decimal text.
    case integer(Bytes)
    /// A float of at most 32 bits, as decimal text.
    case single(Bytes)
    /// A float of 64 bits, as decimal text.
    case double(Bytes)
    /// Text or bytes at a range.
    case string(Range<Int>, isText: Bool)
    /// Text or bytes that are written in several parts.
    case chunks(Range<Int>, Bytes, isText: Bool)
    /// An array of so many items; nil until a break.
    case array(Int?)
    /// A map of so many pairs; nil until a break.
    case map(Int?)
  }

  /// Where its head begins, behind any tags.
  let start: Int
  /// What it holds.
  let content: Content
}

/// Reads items into nodes.
struct ItemReader<Format: ItemFormat> {
  /// The most items inside each other.
  private static var deepest: Int { 64 }

  /// What was read, in order of place.
  private(set) var nodes: [LayerNode] = []
  /// Where each node's item stands, with its head and without tags.
  private(set) var places: [Range<Int>] = []
  /// How many bits of its structure chance would have had to hit, about.
  private(set) var bits = 0
  /// Whether something that says it is text is not.
  private(set) var hasBadText = false
  /// Whether there were more nodes than allowed.
  private(set) var isFull = false
  private let mostNodes: Int

  /// Begins to read; more than `mostNodes` nodes are refused.
  init(mostNodes: Int) { self.mostNodes = mostNodes }

  /// Reads all of `span`: one array or map; false if it is none.
  ///
  /// As a sequence it may be any item, and several in a row (RFC 8742).
  mutating func read(
    _ span: Span<UInt8>,
    asSequence isSequence: Bool,
    _ budget: inout DecodingBudget
  ) -> Bool {
    var position = 0
    guard isSequence else {
      return self.item(span, &position, .none, nil, depth: 0, &budget) && position == span.count
        && self.nodes.first?.isGroup == true
    }
    var place = 0
    while position < span.count {
      var key = LayerKey.index(place)
      if place == 0 {
        // A single item is the whole, and needs no place.
        var end = 0
        var probe = ItemReader(mostNodes: self.mostNodes)
        guard probe.item(span, &end, .none, nil, depth: 0, &budget) else {
          self.isFull = probe.isFull
          return false
        }
        if end == span.count {
          self = probe
          return true
        }
        key = .index(0)
      }
      guard self.item(span, &position, key, nil, depth: 0, &budget) else { return false }
      place += 1
    }
    return place > 0
  }

  private mutating func item(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ key: LayerKey,
    _ parent: Int?,
    depth: Int,
    _ budget: inout DecodingBudget
  ) -> Bool {
    guard depth < Self.deepest, budget.goOn(16), let item = Format.item(span, &position) else {
      return false
    }
    let whole = item.start..<position
    let content: LayerNode.Content
    let form: LayerNode.Form
    var range = whole
    switch item.content {
    case .nothing: return true
    case .integer(let text):
      (content, form) = (.value(text), .number)
      self.bits += whole.count > 4 ? 5 : 0
    case .single(let text):
      (content, form) = (.value(text), .float32)
      self.bits += BinaryNumber.real(text).map(BinaryNumber.isPlausible) == true ? 5 : 0
    case .double(let text):
      (content, form) = (.value(text), .float64)
      self.bits += BinaryNumber.real(text).map(BinaryNumber.isPlausible) == true ? 8 : 0
    case .string(let place, let isText):
      (content, form) = (.verbatim, isText ? .text : .bytes)
      range = place
      if isText { self.judge(TextLook(span, place)) }
      guard budget.goOn(place.count) else { return false }
    case .chunks(let place, let value, let isText):
      (content, form) = (.value(value), isText ? .text : .bytes)
      range = place
      if isText { self.judge(value.withSpan { TextLook($0, 0..<$0.count) }) }
      guard budget.spend(bytes: value.count) else { return false }
    case .array(let count):
      return self.group(span, &position, whole, key, parent) { reader, position, group in
        var place = 0
        return reader.each(span, &position, count) { reader, position in
          place += 1
          return reader.item(span, &position, .index(place - 1), group, depth: depth + 1, &budget)
        }
      }
    case .map(let count):
      return self.group(span, &position, whole, key, parent) { reader, position, group in
        reader.each(span, &position, count) { reader, position in
          guard let name = reader.name(span, &position) else { return false }
          return reader.item(span, &position, name, group, depth: depth + 1, &budget)
        }
      }
    }
    let node = LayerNode(parent: parent, key: key, range: range, content: content, form: form)
    return self.add(node, at: whole)
  }

  private mutating func group(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ head: Range<Int>,
    _ key: LayerKey,
    _ parent: Int?,
    _ fill: (inout Self, inout Int, Int) -> Bool
  ) -> Bool {
    let index = self.nodes.count
    let start = position
    self.bits += 3
    let place = LayerNode(parent: parent, key: key, range: start..<start, content: .group)
    guard self.add(place, at: head), fill(&self, &position, index) else { return false }
    let range = start..<position
    self.nodes[index] = LayerNode(parent: parent, key: key, range: range, content: .group)
    return true
  }

  /// Reads `count` entries, or those before a break.
  private mutating func each(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ count: Int?,
    _ entry: (inout Self, inout Int) -> Bool
  ) -> Bool {
    guard let count else {
      while position < span.count {
        if Format.isBreak(span[position]) {
          position += 1
          return true
        }
        guard entry(&self, &position) else { return false }
      }
      return false
    }
    // Every entry takes a byte at least.
    guard count <= span.count - position else { return false }
    for _ in 0..<count {
      guard entry(&self, &position) else { return false }
    }
    return true
  }

  /// Reads the key of a map's entry; an array or a map is none that anybody uses.
  private mutating func name(_ span: Span<UInt8>, _ position: inout Int) -> LayerKey? {
    guard let item = Format.item(span, &position) else { return nil }
    switch item.content {
    case .string(let range, let isText):
      if isText { self.judge(TextLook(span, range)) }
      return .name(range)
    case .chunks(_, let value, _): return .text(value.text)
    case .integer(let text), .single(let text), .double(let text): return .text(text.text)
    case .nothing: return .text("")
    case .array, .map: return nil
    }
  }

  private mutating func judge(_ look: TextLook) {
    if !look.isUTF8 { self.hasBadText = true }
    if look.isText { self.bits += 3 + min(look.count, 64) * 3 / 2 }
  }

  private mutating func add(_ node: LayerNode, at place: Range<Int>) -> Bool {
    guard self.nodes.count < self.mostNodes else {
      self.isFull = true
      return false
    }
    self.nodes.append(node)
    self.places.append(place)
    return true
  }
}

/// What the decoders of such formats have in common.
enum ItemLayers<Format: ItemFormat> {
  /// How many bits of structure make a body that nothing declares.
  private static var acceptedBits: Int { 12 }

  /// The layer of `bytes`, if they are items to the last one.
  static func open(
    _ bytes: Bytes,
    id: String,
    isDeclared: Bool,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var reader = ItemReader<Format>(mostNodes: budget.nodes)
    let isRead = bytes.withSpan { reader.read($0, asSequence: isDeclared, &budget) }
    guard isRead else {
      if reader.isFull { _ = budget.refuse(.nodes) }
      return nil
    }
    guard isDeclared || reader.bits >= Self.acceptedBits && !reader.hasBadText,
      budget.spend(nodes: reader.nodes.count)
    else { return nil }
    return Layer(
      decoder: id,
      nodes: reader.nodes,
      isCertain: !reader.hasBadText && reader.bits >= 2 * Self.acceptedBits,
      detail: isDeclared ? 1 : 0
    )
  }

  /// `bytes` with other values; nil if one cannot be written.
  static func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    // Heads say all about the structure, and no replaced value touches one.
    var reader = ItemReader<Format>(mostNodes: layer.nodes.count)
    var budget = DecodingBudget(
      bytes: bytes.count,
      nodes: layer.nodes.count,
      depth: 1,
      ratio: 1
    )
    let isRead = bytes.withSpan { reader.read($0, asSequence: layer.detail == 1, &budget) }
    guard isRead, reader.nodes.count == layer.nodes.count else { return nil }
    var splice = Splice()
    for (index, value) in values {
      guard reader.nodes.indices.contains(index), !reader.nodes[index].isGroup else { return nil }
      let place = reader.places[index]
      let form = reader.nodes[index].form
      guard let item = Format.written(value, form, like: bytes.slice(place)) else { return nil }
      splice.replace(place, with: item)
    }
    return splice.applied(to: bytes)
  }
}
