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
  /// Nil if the inspectors want to see everything.
  let pattern: BytePattern?
  let inspectors: [Int]
  /// The longest match of any of them.
  let reach: Int

  init(_ trigger: Trigger?, _ inspectors: [Int], reach: Int) {
    self.pattern = trigger.map { BytePattern(anyOf: $0.sequences) }
    self.inspectors = inspectors
    self.reach = reach
  }

  /// Whether a match is possible in `span`; at once, and without allocation.
  func mayMatch(_ span: Span<UInt8>) -> Bool {
    guard let pattern = self.pattern else { return true }
    return pattern.first(in: span, from: 0) != nil
  }

  /// Whether a match is possible in `span`, of which `shape` is what a glance showed.
  func mayMatch(_ span: Span<UInt8>, _ shape: Shape) -> Bool {
    guard let pattern = self.pattern else { return true }
    return pattern.isPossible(shape) && pattern.first(in: span, from: 0) != nil
  }

  /// Disjoint ranges, in order, outside which no match in `starts` can start.
  func ranges(in span: Span<UInt8>, _ starts: Range<Int>) -> [Range<Int>] {
    if starts.isEmpty { return [] }
    guard let pattern = self.pattern else { return [starts] }
    var ranges: [Range<Int>] = []
    // A match that starts at or after `starts.lowerBound` has its trigger there too.
    var next = pattern.first(in: span, from: starts.lowerBound)
    var lower = starts.lowerBound
    while let trigger = next, trigger < starts.upperBound {
      lower = max(lower, trigger - self.reach)
      // Triggers that begin inside this one need not be seen: where their matches may start is in the range.
      var upper = trigger + pattern.count
      next = pattern.first(in: span, from: upper)
      // One call for what lies close together: each brings its context along.
      while let near = next, near - upper < self.reach + Window.contextBefore {
        upper = max(upper, near + pattern.count)
        next = pattern.first(in: span, from: upper)
      }
      upper = min(upper, starts.upperBound)
      ranges.append(lower..<upper)
      lower = upper
    }
    return ranges
  }
}
