import TideDecoding

/// Bytes that stand in every match of an inspector, and in little else.
///
/// Each sequence names the bytes allowed at each of its places: an address's first three are
/// `[.hexDigits, .hexDigits, ":-"]`. The pipeline looks for triggers far faster than an inspector
/// could, and shows the inspector only their surroundings. A trigger must be a necessary condition:
/// what contains none of the sequences is never a match.
public struct Trigger: Hashable, Sendable {
  /// The most places of a sequence that are looked at; what follows them does not narrow the search.
  static let longest = 31

  let sequences: [[ByteSet]]

  /// Every match contains `sequence`.
  public init(_ sequence: [ByteSet]) { self.init(anyOf: [sequence]) }

  /// Every match contains one of `sequences`, which are not empty.
  public init(anyOf sequences: [[ByteSet]]) {
    precondition(
      !sequences.isEmpty && sequences.allSatisfy { !$0.isEmpty },
      "a trigger asks for at least one byte"
    )
    self.sequences = sequences.map { Array($0.prefix(Self.longest)) }
  }
}

/// The inspectors that share a trigger, and the compiled search for it.
struct TriggerGroup: Sendable {
  /// Empty if the inspectors want to see everything.
  let patterns: [BytePattern]
  let inspectors: [Int]
  /// The longest match of any of them.
  let reach: Int

  init(_ trigger: Trigger?, _ inspectors: [Int], reach: Int) {
    self.patterns = (trigger?.sequences ?? []).map { BytePattern($0) }
    self.inspectors = inspectors
    self.reach = reach
  }

  /// Whether a match is possible in `span`; at once, and without allocation.
  func mayMatch(_ span: Span<UInt8>) -> Bool {
    if self.patterns.isEmpty { return true }
    for pattern in self.patterns where pattern.first(in: span, from: 0) != nil { return true }
    return false
  }

  /// Whether a match is possible in `span`, of which `shape` is what a glance showed.
  func mayMatch(_ span: Span<UInt8>, _ shape: Shape) -> Bool {
    if self.patterns.isEmpty { return true }
    for index in self.patterns.indices
    where self.patterns[index].isPossible(shape)
      && self.patterns[index].first(in: span, from: 0) != nil
    {
      return true
    }
    return false
  }

  /// Disjoint ranges, in order, outside which no match in `starts` can start.
  func ranges(in span: Span<UInt8>, _ starts: Range<Int>) -> [Range<Int>] {
    if starts.isEmpty { return [] }
    if self.patterns.isEmpty { return [starts] }
    var ranges: [Range<Int>] = []
    // A match that starts at or after `starts.lowerBound` has its trigger there too.
    var search = TriggerSearch(self.patterns, span, from: starts.lowerBound)
    var next = search.next(span)
    var lower = starts.lowerBound
    while let trigger = next, trigger.lowerBound < starts.upperBound {
      lower = max(lower, trigger.lowerBound - self.reach)
      var upper = trigger.upperBound
      next = search.next(span)
      // One call for what lies close together: each brings its context along.
      while let near = next, near.lowerBound - upper < self.reach + Window.contextBefore {
        upper = max(upper, near.upperBound)
        next = search.next(span)
      }
      upper = min(upper, starts.upperBound)
      ranges.append(lower..<upper)
      lower = upper
    }
    return ranges
  }
}

/// Finds the occurrences of several patterns in order of place.
private struct TriggerSearch {
  private let patterns: [BytePattern]
  /// Where each pattern occurs next.
  private var found: [Int?]
  /// Occurrences that begin before this do not count any more.
  private var position: Int

  init(_ patterns: [BytePattern], _ span: Span<UInt8>, from position: Int) {
    self.patterns = patterns
    self.position = position
    self.found = patterns.map { $0.first(in: span, from: position) }
  }

  /// The next occurrence; after it only those count that begin beyond its end.
  ///
  /// Those that begin inside need not be seen: the places where their matches may start are in the
  /// range up to its end.
  mutating func next(_ span: Span<UInt8>) -> Range<Int>? {
    var best: Range<Int>?
    for index in self.patterns.indices {
      guard var start = self.found[index] else { continue }
      if start < self.position {
        self.found[index] = self.patterns[index].first(in: span, from: self.position)
        guard let again = self.found[index] else { continue }
        start = again
      }
      if let best, best.lowerBound <= start { continue }
      best = start..<start + self.patterns[index].count
    }
    if let best { self.position = best.upperBound }
    return best
  }
}
