import TideCore
import TideDecoding

/// What the names of leaves say, worked out once for all inspectors.
final class TopicTable {
  private var worked: [LeafTopics]?

  /// The topics of each leaf, in order of place.
  func topics(_ work: () -> [LeafTopics]) -> [LeafTopics] {
    if let worked = self.worked { return worked }
    let worked = work()
    self.worked = worked
    return worked
  }
}

extension Leaves {
  /// What the nearest name of each leaf says, in order of place.
  var topics: [LeafTopics] { self.topicTable.topics { self.workOutTopics() } }

  /// The leaves whose names speak of any of `wanted`.
  func leaves(about wanted: LeafTopics) -> [(leaf: Leaf, topics: LeafTopics)] {
    let topics = self.topics
    var found: [(leaf: Leaf, topics: LeafTopics)] = []
    for position in topics.indices where !topics[position].isDisjoint(with: wanted) {
      found.append((self[position], topics[position]))
    }
    return found
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

  private func workOutTopics() -> [LeafTopics] {
    let outside = self.outerNames.last.map { LeafTopics(name: $0) } ?? []
    guard let layer = self.layer else { return [outside] }
    return self.indices.map { index in
      var next: Int? = index
      while let here = next {
        if let topics = self.topics(ofNode: here, layer) { return topics }
        next = layer.nodes[here].parent
      }
      return outside
    }
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
