import TideCore
import TideDecoding

/// Numbers that are the same in every run.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { self.state = seed &* 2_685_821_657_736_338_717 | 1 }

  mutating func next() -> UInt64 {
    // xorshift64*: short, and good enough for tests.
    self.state ^= self.state >> 12
    self.state ^= self.state << 25
    self.state ^= self.state >> 27
    return self.state &* 2_685_821_657_736_338_717
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func text(_ count: Int) -> String {
    String(
      (0..<count).map { _ in "abcdefghij KLMNOP0123456789-é東".randomElement(using: &self) ?? "x" }
    )
  }
}

/// What a decoder says of bytes, in a form that tests compare.
struct Opened {
  let layer: Layer
  let bytes: Bytes

  init?(
    _ decoder: some LayerDecoder,
    _ bytes: Bytes,
    _ context: LayerContext = LayerContext(place: .content),
    nodes: Int = 100_000
  ) {
    var budget = DecodingBudget(bytes: 8 << 20, nodes: nodes, depth: 8, ratio: 100)
    guard decoder.mayOpen(Shape(bytes), context),
      let layer = decoder.open(bytes, context, &budget)
    else { return nil }
    self.layer = layer
    self.bytes = bytes
  }

  /// Path and value of each leaf, as text.
  var leaves: [String] {
    self.layer.nodes.indices.compactMap { index in
      self.layer.nodes[index].value(in: self.bytes).map {
        "\(self.layer.path(of: index, in: self.bytes))=\($0.text)"
      }
    }
  }

  /// Path, form and value of each leaf.
  var forms: [String] {
    self.layer.nodes.indices.compactMap { index in
      self.layer.nodes[index].value(in: self.bytes).map { value in
        "\(self.layer.path(of: index, in: self.bytes)) \(self.layer.nodes[index].form) \(value.text)"
      }
    }
  }

  /// The index of the first leaf with this path.
  func index(_ path: String) -> Int? {
    self.layer.nodes.indices.first {
      !self.layer.nodes[$0].isGroup && self.layer.path(of: $0, in: self.bytes) == path
    }
  }

  /// Whether nodes are in order: groups before what they hold, leaves by place and apart.
  var isOrdered: Bool {
    var end = 0
    for (index, node) in self.layer.nodes.enumerated() {
      if let parent = node.parent {
        guard parent < index, self.layer.nodes[parent].isGroup else { return false }
      }
      guard node.range.lowerBound >= 0, node.range.upperBound <= self.bytes.count else {
        return false
      }
      if node.isGroup { continue }
      guard node.range.lowerBound >= end else { return false }
      end = node.range.upperBound
    }
    return true
  }
}
