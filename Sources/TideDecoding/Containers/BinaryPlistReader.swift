import TideCore

/// Reads the objects of a binary property list into nodes, from the outermost one inwards.
///
/// An object to which several refer is one node, where it is first met: what changes it changes it for
/// all. That also ends every circle.
struct BinaryPlistReader {
  private static let deepest = 64

  /// What was read: in order of place, or groups first where objects stand in another order than
  /// they refer to each other.
  private(set) var nodes: [LayerNode] = []
  /// Each node's object.
  private(set) var objects: [Int] = []
  /// Whether an object is the key of some dictionary.
  private(set) var isKey: [Bool]
  /// Whether there were more nodes than allowed.
  private(set) var isFull = false
  private let plist: BinaryPlist
  private let mostNodes: Int
  private var isSeen: [Bool]

  /// Begins to read; more than `mostNodes` nodes are refused.
  init(_ plist: BinaryPlist, mostNodes: Int) {
    self.plist = plist
    self.mostNodes = mostNodes
    self.isSeen = [Bool](repeating: false, count: plist.objects.count)
    self.isKey = self.isSeen
  }

  /// Reads all that the outermost object holds; false if something is not as it should be.
  mutating func read(_ span: Span<UInt8>, _ budget: inout DecodingBudget) -> Bool {
    let isRead = self.object(span, self.plist.top, .none, nil, depth: 0, &budget)
    if isRead { self.sort() }
    return isRead
  }

  private mutating func object(
    _ span: Span<UInt8>,
    _ index: Int,
    _ key: LayerKey,
    _ parent: Int?,
    depth: Int,
    _ budget: inout DecodingBudget
  ) -> Bool {
    if self.isSeen[index] { return true }
    self.isSeen[index] = true
    let object = self.plist.objects[index]
    guard depth < Self.deepest, budget.goOn(16 + object.content.count) else { return false }
    guard object.kind < 0xA else {
      return self.group(span, index, key, parent, depth: depth, &budget)
    }
    guard let (content, form) = Self.leaf(span, object) else { return true }
    var range = object.content
    if case .value(let value) = content {
      range = object.place
      // A number is a few digits; text is as long as it likes.
      if form == .text, !budget.spend(bytes: value.count) { return false }
    }
    let node = LayerNode(parent: parent, key: key, range: range, content: content, form: form)
    return self.add(node, of: index)
  }

  private mutating func group(
    _ span: Span<UInt8>,
    _ index: Int,
    _ key: LayerKey,
    _ parent: Int?,
    depth: Int,
    _ budget: inout DecodingBudget
  ) -> Bool {
    let object = self.plist.objects[index]
    let group = self.nodes.count
    let node = LayerNode(parent: parent, key: key, range: object.place, content: .group)
    guard self.add(node, of: index),
      let references = self.plist.references(span, of: object)
    else { return false }
    let isDictionary = object.kind == 0xD
    for place in 0..<object.count {
      var name = LayerKey.index(place)
      var value = references[place]
      if isDictionary {
        self.isKey[value] = true
        guard let text = Self.name(span, self.plist.objects[value]) else { return false }
        name = text
        value = references[object.count + place]
      }
      guard self.object(span, value, name, group, depth: depth + 1, &budget) else { return false }
    }
    return true
  }

  private mutating func add(_ node: LayerNode, of object: Int) -> Bool {
    guard self.nodes.count < self.mostNodes else {
      self.isFull = true
      return false
    }
    self.nodes.append(node)
    self.objects.append(object)
    return true
  }

  private static func name(_ span: Span<UInt8>, _ object: BinaryPlist.Object) -> LayerKey? {
    switch object.kind {
    case 0x5, 0x7: .name(object.content)
    case 0x6: .text(Self.wide(span, object.content).text)
    default: nil
    }
  }

  /// What a leaf holds; nil for true, false and null.
  private static func leaf(
    _ span: Span<UInt8>,
    _ object: BinaryPlist.Object
  ) -> (LayerNode.Content, LayerNode.Form)? {
    let range = object.content
    switch object.kind {
    case 0x1: return (.value(Bytes(String(Self.integer(span, range)))), .number)
    case 0x2 where range.count == 4:
      let bits = UInt32(truncatingIfNeeded: BinaryNumber.bigEndian(span, range))
      return (.value(Bytes(Float(bitPattern: bits).description)), .float32)
    // A date is the seconds since 2001 began.
    case 0x2, 0x3:
      let real = Double(bitPattern: BinaryNumber.bigEndian(span, range))
      return (.value(Bytes(real.description)), .float64)
    case 0x4: return (.verbatim, .bytes)
    case 0x5, 0x7: return (.verbatim, .text)
    case 0x6: return (.value(Self.wide(span, range)), .text)
    // Longer identifiers do not occur; they refer to other objects of an archive.
    case 0x8 where range.count <= 8:
      return (.value(Bytes(String(BinaryNumber.bigEndian(span, range)))), .number)
    default: return nil
    }
  }

  /// An integer: of 1, 2 and 4 bytes without a sign, of 8 and 16 with one.
  private static func integer(_ span: Span<UInt8>, _ range: Range<Int>) -> Int128 {
    switch range.count {
    case 16:
      let high = BinaryNumber.bigEndian(span, range.lowerBound..<range.lowerBound + 8)
      let low = BinaryNumber.bigEndian(span, range.lowerBound + 8..<range.upperBound)
      return Int128(Int64(bitPattern: high)) << 64 | Int128(low)
    case 8: return Int128(Int64(bitPattern: BinaryNumber.bigEndian(span, range)))
    default: return Int128(BinaryNumber.bigEndian(span, range))
    }
  }

  /// UTF-16, most significant byte first, as UTF-8.
  private static func wide(_ span: Span<UInt8>, _ range: Range<Int>) -> Bytes {
    var units: [UInt16] = []
    units.reserveCapacity(range.count / 2)
    for index in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
      units.append(UInt16(span[index]) << 8 | UInt16(span[index + 1]))
    }
    return Bytes(String(decoding: units, as: UTF16.self))
  }

  /// Puts groups first and leaves in order of place, unless all are in that order already.
  private mutating func sort() {
    var end = 0
    let isSorted = self.nodes.allSatisfy { node in
      defer { end = node.range.lowerBound }
      return node.range.lowerBound >= end
    }
    if isSorted { return }
    let groups = self.nodes.indices.filter { self.nodes[$0].isGroup }
    let leaves = self.nodes.indices.filter { !self.nodes[$0].isGroup }
      .sorted { self.nodes[$0].range.lowerBound < self.nodes[$1].range.lowerBound }
    let order = groups + leaves
    var places = [Int](repeating: 0, count: order.count)
    for (place, index) in order.enumerated() { places[index] = place }
    self.nodes = order.map { index in
      let node = self.nodes[index]
      return LayerNode(
        parent: node.parent.map { places[$0] },
        key: node.key,
        range: node.range,
        content: node.content,
        form: node.form
      )
    }
    self.objects = order.map { self.objects[$0] }
  }
}
