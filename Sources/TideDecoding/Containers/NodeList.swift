import TideCore

/// The nodes of a layer that is being opened, paid for as they come.
struct NodeList {
  private(set) var nodes: [LayerNode] = []
  private var paid = 0
  /// Whether the budget refused some: then there is no layer.
  private(set) var isRefused = false

  /// The index of the next node.
  var count: Int { self.nodes.count }

  /// Adds a node and says its index.
  @inline(__always)
  @discardableResult
  mutating func add(_ node: consuming LayerNode, _ budget: inout DecodingBudget) -> Int {
    self.nodes.append(node)
    if self.nodes.count - self.paid >= 256 { self.pay(&budget) }
    return self.nodes.count - 1
  }

  /// Adds a value: as it stands if nothing is escaped in it, else decoded.
  mutating func add(
    parent: Int?,
    key: LayerKey,
    range: Range<Int>,
    decoded: [UInt8]?,
    _ budget: inout DecodingBudget
  ) {
    if let decoded, !budget.spend(bytes: decoded.count) {
      self.isRefused = true
      return
    }
    let content: LayerNode.Content = decoded.map { .value(Bytes($0)) } ?? .verbatim
    self.add(LayerNode(parent: parent, key: key, range: range, content: content), &budget)
  }

  /// Makes room for as many nodes as a text of `whole` bytes has if it goes on as up to `place`.
  ///
  /// Growing by doubling would move all of them again and again, through memory that is new each time.
  mutating func expect(_ whole: Int, after place: Int, _ budget: borrowing DecodingBudget) {
    let estimate = Double(self.nodes.count) * Double(whole) / Double(max(place, 1)) * 1.125
    self.nodes.reserveCapacity(min(Int(estimate), self.nodes.count + budget.nodes))
  }

  /// Says that the group at `index` ends before `end`.
  mutating func end(_ index: Int, at end: Int) {
    let node = self.nodes[index]
    self.nodes[index] = LayerNode(
      parent: node.parent,
      key: node.key,
      range: node.range.lowerBound..<max(end, node.range.lowerBound),
      content: .group
    )
  }

  /// Renames the node at `index`.
  mutating func name(_ index: Int, _ key: LayerKey) {
    let node = self.nodes[index]
    self.nodes[index] = LayerNode(
      parent: node.parent,
      key: key,
      range: node.range,
      content: node.content,
      form: node.form
    )
  }

  /// Takes back all nodes from `index` on.
  mutating func removeAll(from index: Int) { self.nodes.removeSubrange(index...) }

  /// All nodes; nil if they cannot be paid.
  mutating func settled(_ budget: inout DecodingBudget) -> [LayerNode]? {
    self.pay(&budget)
    return self.isRefused ? nil : self.nodes
  }

  private mutating func pay(_ budget: inout DecodingBudget) {
    let due = self.nodes.count - self.paid
    if due > 0, !budget.spend(nodes: due) { self.isRefused = true }
    self.paid = self.nodes.count
  }
}
