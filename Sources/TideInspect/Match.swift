import TideCore

/// A value seen in one part, before it becomes a finding.
struct Match {
  /// Who saw it.
  enum Source: Hashable {
    /// The needle with this index in the plan.
    case needle(Int)
    /// The inspector with this index in the plan.
    case inspector(Int)
    /// The leaf inspector with this index in the plan.
    case leafInspector(Int)

    /// Needles, then leaf inspectors, which see most, then patterns.
    var rank: (Int, Int) {
      switch self {
      case .needle(let index): (0, index)
      case .leafInspector(let index): (1, index)
      case .inspector(let index): (2, index)
      }
    }
  }

  /// The bytes it occupies, counted from the part's start.
  let range: Range<Int>
  let kind: FindingKind
  var certainty: Certainty
  let value: Bytes
  let source: Source
  /// The layers around the value, outermost first.
  var encoding: [String] = []
  /// How redaction writes over it.
  var replacing = LeafSink.Replacing.refilling

  /// Orders by place, the longer first, then needles before patterns, the more certain first.
  ///
  /// A total order: the result must not depend on the order in which the automaton speaks.
  static func isBefore(_ a: Match, _ b: Match) -> Bool {
    if a.range.lowerBound != b.range.lowerBound { return a.range.lowerBound < b.range.lowerBound }
    if a.range.upperBound != b.range.upperBound { return a.range.upperBound > b.range.upperBound }
    let (x, y) = (a.source.rank, b.source.rank)
    if x.0 != y.0 { return x.0 < y.0 }
    if x.0 > 0, a.certainty != b.certainty { return a.certainty > b.certainty }
    return x.1 != y.1 ? x.1 < y.1 : a.kind.name < b.kind.name
  }

  private var isNeedle: Bool {
    if case .needle = self.source { return true }
    return false
  }

  /// Whether this match makes `other` superfluous.
  ///
  /// The test looks at two matches alone, never at a chain of them, so that it comes out the same
  /// however far the window reaches: a needle speaks for every pattern that it contains or that
  /// contains it, and a match for every smaller one of the same kind inside it.
  func covers(_ other: Match) -> Bool {
    let contains =
      self.range.lowerBound <= other.range.lowerBound
      && self.range.upperBound >= other.range.upperBound
    if self.isNeedle, !other.isNeedle {
      let isContained =
        other.range.lowerBound <= self.range.lowerBound
        && other.range.upperBound >= self.range.upperBound
      return contains || isContained
    }
    if other.isNeedle, !self.isNeedle { return false }
    return contains && self.kind == other.kind && Match.isBefore(self, other)
  }
}
