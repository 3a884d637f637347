import TideCore

/// Where in a run of bytes needles stand, asked by range.
///
/// The leaves of binary containers and decoded values are each searched by themselves. To start the
/// automaton for each of thousands would cost more than the search: it runs once over what they stand in,
/// or over all of them one after the other, and whatever lies wholly in one leaf is a hit of that leaf.
struct NeedleHitMap {
  /// Where hits start, in order.
  private var starts: [Int] = []
  /// For each, the least end of a hit that starts there or later.
  private var leastEnds: [Int] = []

  /// Nothing anywhere.
  init() {}

  /// Searches `span`.
  init(_ scanner: NeedleScanner, _ needles: [Needle], _ span: Span<UInt8>) {
    let hits = scanner.hits(in: span)
    if hits.isEmpty { return }
    let ranges = hits.map { hit in (start: hit.end - needles[hit.needle].length, end: hit.end) }
      .sorted { $0.start < $1.start }
    self.starts = ranges.map(\.start)
    self.leastEnds = ranges.map(\.end)
    for index in self.leastEnds.indices.dropLast().reversed() {
      self.leastEnds[index] = min(self.leastEnds[index], self.leastEnds[index + 1])
    }
  }

  /// Whether there is no hit at all.
  var isEmpty: Bool { self.starts.isEmpty }

  /// Whether a hit lies wholly in `range`.
  @inline(__always)
  func hasHit(in range: Range<Int>) -> Bool {
    self.starts.isEmpty ? false : self.search(range)
  }

  private func search(_ range: Range<Int>) -> Bool {
    var low = 0
    var high = self.starts.count
    while low < high {
      let middle = (low + high) / 2
      if self.starts[middle] < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    return low < self.starts.count && self.leastEnds[low] <= range.upperBound
  }
}
