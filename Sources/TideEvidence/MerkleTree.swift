internal import TideCore
internal import TideCrypto

/// A Merkle tree over the lines of a log (RFC 9162 §2.1), as far as it must be known to grow.
///
/// Held are the roots of the perfect subtrees that the lines so far make up: one for each binary digit 1
/// of their number, so that a log of any length takes a few kilobytes at most.
struct MerkleTree: Equatable, Sendable {
  /// Of no line.
  static let empty = MerkleTree()

  /// How many leaves there are.
  private(set) var size: UInt64 = 0
  /// The roots of the perfect subtrees, one after another, the largest (and first) one first.
  private var roots: [UInt8] = []

  private init() {}

  /// Goes on from subtrees that were written down; nil if they cannot be those of so many leaves.
  init?(size: UInt64, peaks: [[UInt8]]) {
    guard peaks.count == size.nonzeroBitCount,
      peaks.allSatisfy({ $0.count == Self.rootSize })
    else { return nil }
    self.size = size
    self.roots = Array(peaks.joined())
  }

  /// The roots of the perfect subtrees, the largest (and first) one first.
  var peaks: [[UInt8]] {
    stride(from: 0, to: self.roots.count, by: Self.rootSize).map {
      Array(self.roots[$0..<$0 + Self.rootSize])
    }
  }

  /// The hash of a leaf: SHA-256(0x00 || line).
  static func leaf(_ line: borrowing Span<UInt8>, _ hasher: inout SHA256Hasher) -> [UInt8] {
    var leaf: [UInt8] = []
    self.hash(leaf: line, into: &leaf, &hasher)
    return leaf
  }

  /// Replaces `leaf` by the hash of a leaf.
  static func hash(
    leaf line: borrowing Span<UInt8>,
    into leaf: inout [UInt8],
    _ hasher: inout SHA256Hasher
  ) {
    hasher.update(self.leafPrefix)
    hasher.update(line)
    hasher.finish(into: &leaf)
  }

  /// The hash of a node: SHA-256(0x01 || left || right).
  static func node(
    _ left: [UInt8],
    _ right: [UInt8],
    _ hasher: inout SHA256Hasher
  ) -> [UInt8] {
    hasher.update(self.nodePrefix)
    hasher.update(left)
    hasher.update(right)
    return hasher.finish()
  }

  /// Takes the next leaf's hash.
  mutating func append(_ leaf: [UInt8], _ hasher: inout SHA256Hasher) {
    var leaf = leaf
    self.append(leaf: &leaf, &hasher)
  }

  /// Takes the next leaf's hash, whose memory it uses; a writer of many lines has it back.
  mutating func append(leaf node: inout [UInt8], _ hasher: inout SHA256Hasher) {
    self.roots.append(contentsOf: node)
    // Each digit 1 that the addition carries over is a subtree that this one completes to a larger one.
    var carry = self.size
    while carry & 1 == 1, self.roots.count >= 2 * Self.rootSize {
      let left = self.roots.count - 2 * Self.rootSize
      hasher.update(Self.nodePrefix)
      hasher.update(self.roots.span.extracting(left..<self.roots.count))
      hasher.finish(into: &node)
      self.roots.removeLast(2 * Self.rootSize)
      self.roots.append(contentsOf: node)
      carry >>= 1
    }
    self.size += 1
  }

  /// The root of all leaves so far; of none, the SHA-256 of nothing.
  func root(_ hasher: inout SHA256Hasher) -> [UInt8] {
    let peaks = self.peaks
    guard var root = peaks.last else { return hasher.finish() }
    for peak in peaks.dropLast().reversed() { root = Self.node(peak, root, &hasher) }
    return root
  }

  /// The root in hexadecimal.
  var rootHex: String {
    var hasher = SHA256Hasher()
    return Hex.encode(self.root(&hasher))
  }

  private static let rootSize = 32
  private static let leafPrefix: [UInt8] = [0]
  private static let nodePrefix: [UInt8] = [1]
}
