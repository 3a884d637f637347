import TideCore

/// Writes a message with some of its leaves replaced.
///
/// What is a message and what is text was settled when the layer was opened, and is not asked again:
/// only tags and lengths are read, which replaced values do not touch.
struct ProtobufWriter {
  private let layer: Layer
  private let bytes: Bytes
  private let values: [Int: Bytes]
  /// Whether a node, or one inside it, is replaced.
  private let isTouched: [Bool]
  /// The next node.
  private var cursor = 0

  init(layer: Layer, bytes: Bytes, values: [Int: Bytes]) {
    self.layer = layer
    self.bytes = bytes
    self.values = values
    var isTouched = [Bool](repeating: false, count: layer.nodes.count)
    for index in values.keys where layer.nodes.indices.contains(index) {
      var next: Int? = index
      while let here = next, !isTouched[here] {
        isTouched[here] = true
        next = layer.nodes[here].parent
      }
    }
    self.isTouched = isTouched
  }

  /// The whole message; nil if a value cannot be written.
  mutating func message() -> Bytes? {
    guard self.values.keys.allSatisfy(self.layer.nodes.indices.contains) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(self.bytes.count + 16)
    guard self.write(nil, 0..<self.bytes.count, &result) else { return nil }
    return Bytes(result)
  }

  /// Writes what stands in `range`, the content of the group `parent`.
  private mutating func write(
    _ parent: Int?,
    _ range: Range<Int>,
    _ result: inout [UInt8]
  ) -> Bool {
    var position = range.lowerBound
    while self.cursor < self.layer.nodes.count, self.layer.nodes[self.cursor].parent == parent {
      let index = self.cursor
      let node = self.layer.nodes[index]
      guard position <= node.range.lowerBound, node.range.upperBound <= range.upperBound else {
        return false
      }
      self.cursor += 1
      guard self.isTouched[index] else {
        result.append(contentsOf: self.bytes.slice(position..<node.range.upperBound))
        position = node.range.upperBound
        self.skipContent(of: index)
        continue
      }
      var content: [UInt8] = []
      if node.isGroup {
        guard self.values[index] == nil, self.write(index, node.range, &content) else {
          return false
        }
      } else {
        guard let value = self.values[index], let written = self.leaf(node, value) else {
          return false
        }
        content = written
      }
      let head = position..<node.range.lowerBound
      guard self.writeHead(head, node, content.count, &result) else { return false }
      result += content
      position = node.range.upperBound
    }
    result.append(contentsOf: self.bytes.slice(position..<range.upperBound))
    return true
  }

  private mutating func skipContent(of index: Int) {
    while self.cursor < self.layer.nodes.count, let parent = self.layer.nodes[self.cursor].parent,
      parent >= index
    {
      self.cursor += 1
    }
  }

  /// Writes what stands between two contents: perhaps end tags of groups, the tag, perhaps the length.
  private func writeHead(
    _ head: Range<Int>,
    _ node: LayerNode,
    _ count: Int,
    _ result: inout [UInt8]
  ) -> Bool {
    // A packed number has neither tag nor length.
    guard case .field = node.key else {
      result.append(contentsOf: self.bytes.slice(head))
      return true
    }
    return self.bytes.withSpan { span in
      var position = head.lowerBound
      var tag: UInt64 = 4
      while tag & 7 == 4 {
        guard let next = Varint.read(span, &position, head.upperBound) else { return false }
        tag = next
      }
      result.append(contentsOf: self.bytes.slice(head.lowerBound..<position))
      guard tag & 7 == 2 else { return position == head.upperBound }
      let width = head.upperBound - position
      guard Varint.read(span, &position, head.upperBound) != nil, position == head.upperBound else {
        return false
      }
      result += Varint.bytes(of: UInt64(count), atLeast: width)
      return true
    }
  }

  private func leaf(_ node: LayerNode, _ value: Bytes) -> [UInt8]? {
    switch node.form {
    case .text, .bytes: value.array
    case .varint:
      BinaryNumber.integer(value, as: UInt64.self).map {
        Varint.bytes(of: $0, atLeast: node.range.count)
      }
    case .fixed32:
      BinaryNumber.integer(value, as: UInt32.self).map {
        BinaryNumber.littleEndian(UInt64($0), count: 4)
      }
    case .fixed64:
      BinaryNumber.integer(value, as: UInt64.self).map { BinaryNumber.littleEndian($0, count: 8) }
    case .float32:
      BinaryNumber.single(value).map {
        BinaryNumber.littleEndian(UInt64($0.bitPattern), count: 4)
      }
    case .float64:
      BinaryNumber.real(value).map { BinaryNumber.littleEndian($0.bitPattern, count: 8) }
    case .number: nil
    }
  }
}
