import TideCore
import TideDecoding

/// The check sums and signatures of a container whose leaves were changed.
///
/// Only sums that anybody can make are made anew: a leaf that was the CRC or unkeyed digest of what is
/// beside it becomes that of what is there now (DETECTION.md section 4). What it may be a sum of: a changed
/// leaf or group as it is written, its value, and every run inside it that was changed, at any layer.
struct CheckSums {
  /// The leaves that were sums of what changed, with the sums of what it became.
  private(set) var mended: [Int: Bytes] = [:]
  /// Whether a leaf is a signature of what changed that only the holder of a key can make.
  private(set) var hasSignature = false

  private let layer: Layer
  private let before: Bytes
  private let changes: WrittenChanges

  /// Looks for them.
  ///
  /// - Parameters:
  ///   - opened: the container, opened over `before`.
  ///   - changes: what of it changed, as it is written.
  ///   - alterations: what changed inside its leaves.
  init(_ opened: Specimen.OpenedLayer, _ changes: WrittenChanges, _ alterations: [Alteration]) {
    self.layer = opened.layer
    self.before = changes.before
    self.changes = changes
    if self.layer.decoder == JWTCoding.id {
      self.hasSignature = self.layer.detail == JWTCoding.isSigned
      return
    }
    guard self.layer.names.isEmpty else { return }
    let others = self.layer.nodes.indices.filter {
      !self.layer.nodes[$0].isGroup && !changes.hasChanged($0)
    }
    let candidates = others.compactMap { index in
      self.layer.nodes[index].value(in: self.before)
        .flatMap { (4...1_024).contains($0.count) && Self.mayBeSum($0) ? (index, $0) : nil }
    }
    guard !candidates.isEmpty else { return }
    self.mend(candidates, alterations)
    self.hasSignature = candidates.contains { index, value in
      self.mended[index] == nil && Signatures.isShaped(value) && self.isSigning(index)
    }
  }

  /// Leaves first: a sum of a group holds for the sums in the group too.
  private mutating func mend(_ candidates: [(Int, Bytes)], _ alterations: [Alteration]) {
    var leaves = SumTable(alterations + self.changes.leaves)
    for (index, value) in candidates { self.mended[index] = leaves.mended(value) }
    let groups = self.changes.groups.filter { group in
      !self.mended.keys.contains { group.range.contains(self.layer.nodes[$0].range.lowerBound) }
    }
    guard !groups.isEmpty else { return }
    var table = SumTable(groups.map(\.alteration))
    for (index, value) in candidates where self.mended[index] == nil {
      self.mended[index] = table.mended(value)
    }
  }

  /// Whether a leaf's name is a signature's, and something changed in the group around its own: what
  /// signs one of many entries does not sign what is beside the list.
  private func isSigning(_ index: Int) -> Bool {
    guard let key = self.layer.nearestKey(of: index, in: self.before), Signatures.isName(key) else {
      return false
    }
    guard let group = self.layer.nodes[index].parent,
      let around = self.layer.nodes[group].parent
    else { return true }
    return self.changes.overlap(self.layer.nodes[around].range)
  }

  /// A glance: digits of some kind, or the bytes of a digest.
  private static func mayBeSum(_ value: Bytes) -> Bool {
    if value.count == 16 || value.count == 20 || value.count == 32 || value.count == 64 {
      return true
    }
    return value.allSatisfy { byte in
      ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2B || byte == 0x2D
        || byte == 0x2F || byte == 0x3D || byte == 0x5F
    }
  }
}

/// What of a container changed, as it is written.
struct WrittenChanges {
  /// A group that changed.
  struct Group {
    let range: Range<Int>
    let alteration: Alteration
  }

  let before: Bytes
  private(set) var leaves: [Alteration] = []
  private(set) var groups: [Group] = []
  private var changed = Set<Int>()
  private var ranges: [Range<Int>] = []

  /// Compares a container as it was with what it became.
  ///
  /// - Parameters:
  ///   - layer: the container, opened over `before`.
  ///   - before: as it was.
  ///   - after: as it became.
  ///   - inner: the leaves that were rewritten from the inside.
  ///   - growth: by how much each leaf grew, of those that did not keep their length; nil if that is not
  ///     known, as of containers whose lengths stand before what they hold.
  init(_ layer: Layer, before: Bytes, after: Bytes, inner: Set<Int>, growth: [Int: Int]?) {
    self.before = before
    for index in layer.nodes.indices {
      let node = layer.nodes[index]
      let isInner = inner.contains(index)
      guard let range = Self.place(of: node.range, layer, growth), range.upperBound <= after.count
      else {
        if isInner { self.note(index, node) }
        continue
      }
      let old = before.slice(node.range)
      let new = after.slice(range)
      guard old != new else {
        if isInner { self.note(index, node) }
        continue
      }
      let alteration = Alteration(before: old, after: new)
      if node.isGroup {
        self.groups.append(Group(range: node.range, alteration: alteration))
      } else {
        self.note(index, node)
        self.leaves.append(alteration)
      }
    }
  }

  func hasChanged(_ leaf: Int) -> Bool { self.changed.contains(leaf) }

  func overlap(_ range: Range<Int>) -> Bool { self.ranges.contains { $0.overlaps(range) } }

  private mutating func note(_ index: Int, _ node: LayerNode) {
    self.changed.insert(index)
    self.ranges.append(node.range)
  }

  /// Where a run is after leaves before or inside it grew.
  private static func place(
    of range: Range<Int>,
    _ layer: Layer,
    _ growth: [Int: Int]?
  ) -> Range<Int>? {
    guard let growth else { return nil }
    var start = range.lowerBound
    var end = range.upperBound
    for (leaf, count) in growth {
      let other = layer.nodes[leaf].range
      if other.upperBound <= range.lowerBound { start += count }
      if other.upperBound <= range.upperBound { end += count }
    }
    return start >= 0 && start <= end ? start..<end : nil
  }
}
