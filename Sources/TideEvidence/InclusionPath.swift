internal import TideCore
internal import TideCrypto

/// What joins one leaf to the root of a Merkle tree (RFC 9162 §2.1.3): with it a line proves that it
/// belongs to a log of which nothing else is shown.
struct InclusionPath: Equatable, Sendable {
  /// The leaf's number, from 0.
  let index: UInt64
  /// How many leaves the tree has.
  let size: UInt64
  /// The siblings of the nodes from the leaf up.
  let nodes: [[UInt8]]

  /// The root to which the path leads from a leaf's hash; nil if it cannot be one of such a tree
  /// (RFC 9162 §2.1.3.2).
  func root(from leaf: [UInt8], _ hasher: inout SHA256Hasher) -> [UInt8]? {
    guard self.index < self.size else { return nil }
    var position = self.index
    var last = self.size - 1
    var node = leaf
    for sibling in self.nodes {
      guard last > 0 else { return nil }
      if position & 1 == 1 || position == last {
        node = MerkleTree.node(sibling, node, &hasher)
        // A last node without a sibling at its level moves up as it is.
        while position & 1 == 0, position > 0 {
          position >>= 1
          last >>= 1
        }
      } else {
        node = MerkleTree.node(node, sibling, &hasher)
      }
      position >>= 1
      last >>= 1
    }
    return last == 0 ? node : nil
  }
}

/// Finds the path of one leaf while all leaves pass by once, in order; needs no more memory than the tree.
struct InclusionPathBuilder {
  /// The leaves that have passed.
  private(set) var tree = MerkleTree.empty
  private let index: UInt64
  private var nodes: [[UInt8]] = []
  private var hasOwn = false

  init(index: UInt64) { self.index = index }

  /// Takes the next leaf's hash.
  mutating func append(_ leaf: [UInt8], _ hasher: inout SHA256Hasher) {
    self.collect(adding: leaf, &hasher)
    self.tree.append(leaf, &hasher)
  }

  /// The path in the tree of all leaves so far; nil if the leaf is not among them.
  func path(_ hasher: inout SHA256Hasher) -> InclusionPath? {
    guard self.index < self.tree.size else { return nil }
    var nodes = self.nodes
    // The perfect subtrees are joined from the right; the one with the leaf meets what was joined so far,
    // and then each one to its left.
    let own = self.peak(of: self.index, in: self.tree.size)
    var joined: [UInt8]?
    for (place, peak) in self.tree.peaks.enumerated().reversed() {
      if place > own {
        joined = joined.map { MerkleTree.node(peak, $0, &hasher) } ?? peak
      } else if place == own {
        if let joined { nodes.append(joined) }
      } else {
        nodes.append(peak)
      }
    }
    return InclusionPath(index: self.index, size: self.tree.size, nodes: nodes)
  }

  /// Notes the siblings that a new leaf makes known.
  private mutating func collect(adding leaf: [UInt8], _ hasher: inout SHA256Hasher) {
    let added = self.tree.size
    guard added >= self.index else { return }
    var node = leaf
    // The first leaf of the subtree that `node` is the root of.
    var first = added
    var width: UInt64 = 1
    for peak in self.tree.peaks.reversed() {
      guard added & width != 0 else { return }
      if first <= self.index {
        self.nodes.append(peak)
      } else if first - width <= self.index {
        self.nodes.append(node)
      }
      node = MerkleTree.node(peak, node, &hasher)
      first -= width
      width <<= 1
    }
  }

  /// Which of the perfect subtrees, from the left, has a leaf.
  private func peak(of index: UInt64, in size: UInt64) -> Int {
    var place = 0
    var start: UInt64 = 0
    for bit in (0..<64).reversed() where size & (1 << UInt64(bit)) != 0 {
      start += 1 << UInt64(bit)
      if index < start { return place }
      place += 1
    }
    return place
  }
}
