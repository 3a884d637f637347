internal import TideCore
internal import TideCrypto

/// Finds the inclusion paths of some leaves (RFC 9162 §2.1.3) while all leaves pass by once, in order.
///
/// Beside the paths themselves it holds as much as the tree: a digest for each binary digit of its size.
struct ProofPaths: ~Copyable {
  /// A perfect subtree: its root, its first leaf, how many it has.
  private struct Subtree {
    let root: [UInt8]
    let first: UInt64
    let width: UInt64
  }

  private let indices: [UInt64]
  private var nodes: [[[UInt8]]]
  private var subtrees: [Subtree] = []
  private var size: UInt64 = 0
  private var hasher = SHA256Hasher()

  /// - Parameter indices: the leaves, from 0, in ascending order.
  init(of indices: [UInt64]) {
    self.indices = indices
    self.nodes = [[[UInt8]]](repeating: [], count: indices.count)
  }

  /// Takes the next leaf.
  mutating func append(line: borrowing Span<UInt8>) {
    var new = Subtree(root: MerkleTree.leaf(line, &self.hasher), first: self.size, width: 1)
    while let left = self.subtrees.last, left.width == new.width {
      self.subtrees.removeLast()
      new = self.join(left, new)
    }
    self.subtrees.append(new)
    self.size += 1
  }

  /// Ends the tree.
  ///
  /// - Returns: its root, and the path of each leaf in the order asked for.
  mutating func finish() -> (root: [UInt8], paths: [InclusionPath]) {
    while self.subtrees.count > 1, let right = self.subtrees.popLast(),
      let left = self.subtrees.popLast()
    {
      self.subtrees.append(self.join(left, right))
    }
    let paths = zip(self.indices, self.nodes).map { index, nodes in
      InclusionPath(index: index, size: self.size, nodes: nodes)
    }
    return (self.subtrees.first?.root ?? self.hasher.finish(), paths)
  }

  /// Joins neighbours: each is what the paths from the other go on with.
  private mutating func join(_ left: Subtree, _ right: Subtree) -> Subtree {
    self.note(right.root, for: left)
    self.note(left.root, for: right)
    return Subtree(
      root: MerkleTree.node(left.root, right.root, &self.hasher),
      first: left.first,
      width: left.width + right.width
    )
  }

  private mutating func note(_ node: [UInt8], for tree: Subtree) {
    var low = 0
    var high = self.indices.count
    while low < high {
      let middle = (low + high) / 2
      if self.indices[middle] < tree.first { low = middle + 1 } else { high = middle }
    }
    while low < self.indices.count, self.indices[low] < tree.first + tree.width {
      self.nodes[low].append(node)
      low += 1
    }
  }
}
