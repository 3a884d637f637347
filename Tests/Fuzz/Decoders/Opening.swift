import Support
import TideCore
import TideDecoding

/// One layer over one run of bytes, and what must hold of it.
struct Opening {
  private let decoder: any LayerDecoder
  private let bytes: Bytes
  private let setup: Setup
  private let layer: Layer
  private let left: DecodingBudget

  /// Opens `bytes`; nil if they are nothing of that kind.
  init?(_ decoder: any LayerDecoder, _ bytes: Bytes, _ setup: Setup) {
    var budget = setup.budget
    guard decoder.mayOpen(Shape(bytes), setup.context),
      let layer = decoder.open(bytes, setup.context, &budget)
    else { return nil }
    self.decoder = decoder
    self.bytes = bytes
    self.setup = setup
    self.layer = layer
    self.left = budget
  }

  private var leaves: [Int] { self.layer.nodes.indices.filter { !self.layer.nodes[$0].isGroup } }

  /// Leaves stand in order of place and do not overlap; a group stands before what it holds.
  func checkShape() {
    let nodes = self.layer.nodes
    require(self.layer.decoder == self.decoder.name, "the layer names another decoder")
    if !self.layer.names.isEmpty {
      require(nodes.allSatisfy { !$0.isGroup }, "\(self.decoder.name): a coding with groups")
    }
    var end = 0
    for (index, node) in nodes.enumerated() {
      let claim = "\(self.decoder.name): node \(index) at \(node.range) of \(self.bytes.count)"
      require(node.range.upperBound <= self.bytes.count, "\(claim): outside")
      if let parent = node.parent {
        require(parent < index && parent >= 0, "\(claim): its parent is \(parent)")
        let group = nodes[parent]
        require(group.isGroup, "\(claim): its parent is a leaf")
        // The objects of a binary property list hold each other by reference.
        require(
          self.layer.decoder == BinaryPlistDecoder.id
            || group.range.lowerBound <= node.range.lowerBound
              && node.range.upperBound <= group.range.upperBound,
          "\(claim): its parent is at \(group.range)"
        )
      }
      if case .name(let range) = node.key {
        require(range.upperBound <= self.bytes.count, "\(claim): its name is outside")
      }
      if node.isGroup { continue }
      require(node.range.lowerBound >= end, "\(claim): overlaps a leaf that ends at \(end)")
      end = node.range.upperBound
    }
  }

  /// What is there was paid for.
  func checkBudget() {
    let name = self.decoder.name
    let values = self.layer.nodes.reduce(0) { sum, node in
      guard case .value(let value) = node.content else { return sum }
      switch node.form {
      case .text, .bytes: return sum + value.count
      // A binary number is a few digits, paid for as a node.
      case .number, .varint, .fixed32, .fixed64, .float32, .float64: return sum
      }
    }
    let spent = self.setup.budget.bytes - self.left.bytes
    require(values <= spent, "\(name): values of \(values) bytes, \(spent) were spent")
    let nodes = self.setup.budget.nodes - self.left.nodes
    let count = self.layer.names.isEmpty ? self.layer.nodes.count : 0
    require(count <= nodes, "\(name): \(count) nodes, \(nodes) were spent")
    require(!self.left.isExceeded, "\(name): opened over a limit")
  }

  /// Every node has a path, and a leaf a value.
  func checkPaths() {
    for index in self.layer.nodes.indices {
      let path = self.layer.path(of: index, in: self.bytes)
      require(path.first == "$", "\(self.decoder.name): the path \(path)")
      _ = self.layer.nearestKey(of: index, in: self.bytes)
    }
  }

  // MARK: Closing

  /// What changes nothing gives the same bytes; what changes values, bytes that open with those values.
  func checkClosing(seed: UInt8) {
    let name = self.decoder.name
    let leaves = self.leaves
    require(
      self.decoder.close(self.layer, over: self.bytes, replacing: [:]) == self.bytes,
      "\(name): closed over no change, other bytes"
    )
    var variation = Variation(seed)
    // All of a small layer one by one, a choice of a large one; then several at once.
    let step = max(leaves.count / 8, 1)
    var several: [Int: Bytes] = [:]
    for place in stride(from: Int(seed) % step, to: leaves.count, by: step) {
      guard let value = self.varied(leaves[place], &variation) else { continue }
      self.checkReplacing([leaves[place]: value])
      several[leaves[place]] = value
    }
    if several.count > 1 { self.checkReplacing(several) }
  }

  private func value(of leaf: Int) -> Bytes? { self.layer.nodes[leaf].value(in: self.bytes) }

  private func varied(_ leaf: Int, _ variation: inout Variation) -> Bytes? {
    guard let value = self.value(of: leaf), !value.isEmpty else { return nil }
    let varied = variation.of(value, self.layer.nodes[leaf].form)
    return varied == value ? nil : varied
  }

  /// Closes over other values by the way that redaction takes, which looks at what it made.
  private func checkReplacing(_ values: [Int: Bytes]) {
    let closed = self.decoder.closed(
      self.layer,
      over: self.bytes,
      replacing: values,
      in: self.setup.context
    )
    // Of a binary number other digits may be the same bits.
    let hasBinary = values.keys.contains { leaf in
      switch self.layer.nodes[leaf].form {
      case .varint, .fixed32, .fixed64, .float32, .float64, .number: true
      case .text, .bytes: false
      }
    }
    guard let closed, !hasBinary else { return }
    require(closed != self.bytes, "\(self.decoder.name): other values, the same bytes")
  }
}
