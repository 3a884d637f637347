import TideCore
import TideDecoding

/// What the names of leaves say, worked out once for all inspectors.
final class TopicTable {
  /// A leaf's index in the layer's nodes, and what its nearest name says.
  typealias Told = (leaf: Int, topics: LeafTopics)

  private var worked: [Told]?

  /// The leaves of whose names anything is known, in order of place.
  func told(_ work: () -> [Told]) -> [Told] {
    if let worked = self.worked { return worked }
    let worked = work()
    self.worked = worked
    return worked
  }
}

/// Remembers what the names of one layer say: most come again and again.
private struct TopicMemory {
  private static let count = 64
  /// Names of as many bytes are remembered as fit a word.
  private static let longest = 8

  /// Fewer leaves are not worth the table.
  private static let fewest = 16

  private var names: [UInt64] = []
  private var topics: [LeafTopics] = []

  /// For so many leaves.
  init(leafCount: Int) {
    guard leafCount >= Self.fewest else { return }
    self.names = [UInt64](repeating: 0, count: Self.count)
    self.topics = [LeafTopics](repeating: [], count: Self.count)
  }

  /// What the name at `range` says.
  mutating func topics(of span: Span<UInt8>, _ range: Range<Int>) -> LeafTopics {
    guard range.lowerBound >= 0, range.upperBound <= span.count, !range.isEmpty else { return [] }
    // Digits at the end only number it.
    var end = range.upperBound
    while end > range.lowerBound, ASCII.isDigit(span[end - 1]) { end -= 1 }
    // Zeros in front would make two names one.
    guard !self.names.isEmpty, end - range.lowerBound <= Self.longest, end > range.lowerBound,
      span[range.lowerBound] != 0
    else { return LeafTopics(name: span.extracting(range)) }
    var name: UInt64 = 0
    for index in range.lowerBound..<end { name = name << 8 | UInt64(span[index]) }
    let place = Int(truncatingIfNeeded: (name &* 0x9E37_79B9_7F4A_7C15) >> 58)
    if self.names[place] == name { return self.topics[place] }
    let topics = LeafTopics(name: span.extracting(range))
    self.names[place] = name
    self.topics[place] = topics
    return topics
  }
}

extension Leaves {
  /// The leaves whose names speak of any of `wanted`.
  func leaves(about wanted: LeafTopics) -> [(leaf: Leaf, topics: LeafTopics)] {
    var found: [(leaf: Leaf, topics: LeafTopics)] = []
    for told in self.topicTable.told({ self.workOutTopics() })
    where !told.topics.isDisjoint(with: wanted) {
      found.append((self.leaf(told.leaf), told.topics))
    }
    return found
  }

  /// What the nearest name of a leaf says.
  func topics(of leaf: Leaf) -> LeafTopics {
    let told = self.topicTable.told { self.workOutTopics() }
    var low = 0
    var high = told.count
    while low < high {
      let middle = (low + high) / 2
      if told[middle].leaf < leaf.index { low = middle + 1 } else { high = middle }
    }
    return low < told.count && told[low].leaf == leaf.index ? told[low].topics : []
  }

  /// What the names of the groups around a leaf say; of a few, the nearest first.
  func outerTopics(of leaf: Leaf, most: Int = 4) -> LeafTopics {
    var topics: LeafTopics = []
    var next = leaf.group
    var count = 0
    while let group = next, let layer = self.layer, count < most {
      topics.formUnion(self.topics(ofNode: group, layer) ?? [])
      next = layer.nodes[group].parent
      count += 1
    }
    for name in self.outerNames.reversed().prefix(most - count) {
      topics.formUnion(LeafTopics(name: name))
    }
    return topics
  }

  private func workOutTopics() -> [TopicTable.Told] {
    let outside = self.outerNames.last.map { LeafTopics(name: $0) } ?? []
    guard let layer = self.layer else { return outside.isEmpty ? [] : [(0, outside)] }
    var found: [TopicTable.Told] = []
    // What is not named goes by its group's name, as its siblings do.
    var lastGroup = -1
    var lastTopics: LeafTopics = []
    var memory = TopicMemory(leafCount: self.survey.leaves.count)
    for index in self.survey.leaves {
      let topics: LeafTopics
      if case .name(let range) = layer.nodes[index].key {
        topics = self.bytes.withSpan { memory.topics(of: $0, range) }
      } else if let own = self.topics(ofNode: index, layer) {
        topics = own
      } else {
        let group = layer.nodes[index].parent ?? -1
        if group != lastGroup || group < 0 {
          lastGroup = group
          lastTopics = self.nearestTopics(ofNode: group, layer) ?? outside
        }
        topics = lastTopics
      }
      if !topics.isEmpty { found.append((index, topics)) }
    }
    return found
  }

  /// What the nearest name from a node on upwards says; nil if there is none, or no such node.
  private func nearestTopics(ofNode index: Int, _ layer: Layer) -> LeafTopics? {
    var next = index
    while next >= 0 {
      if let topics = self.topics(ofNode: next, layer) { return topics }
      next = layer.nodes[next].parent ?? -1
    }
    return nil
  }

  /// What a node's own name says; nil if it has none.
  private func topics(ofNode index: Int, _ layer: Layer) -> LeafTopics? {
    switch layer.nodes[index].key {
    case .none, .index: nil
    case .field: []
    case .text(let text): LeafTopics(name: text)
    case .name(let range):
      self.bytes.withSpan { span in
        range.upperBound <= span.count ? LeafTopics(name: span.extracting(range)) : []
      }
    }
  }
}
