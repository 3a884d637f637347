import TideCore
import TideDecoding

/// Says of each leaf of a layer that has to be searched by itself whether there is anything to find.
///
/// The automaton runs over all leaves at once; whether a trigger may be in one, its shape mostly tells.
struct LeafFinder {
  /// Longer values are searched where they are.
  private static let longest = 4 << 10

  private let scanner: NeedleScanner?
  private let triggers: [TriggerGroup]
  /// Hits in the layer's own bytes, where verbatim leaves are searched by themselves.
  private let verbatim: NeedleHitMap
  /// Hits in the decoded values that are not long, one after the other.
  private let decoded: NeedleHitMap
  /// Where in these the next value begins.
  private var position = 0

  /// Searches what the leaves of a layer over `bytes` stand in; the layer's own bytes only if
  /// `isBinary`.
  init(
    _ scanner: NeedleScanner?,
    _ plan: InspectionPlan,
    _ part: Part,
    _ layer: Layer,
    _ bytes: Bytes,
    isBinary: Bool
  ) {
    self.scanner = scanner
    self.triggers = plan.inspectors(part.direction, part.location)
    guard let scanner else {
      self.verbatim = NeedleHitMap()
      self.decoded = NeedleHitMap()
      return
    }
    var values: [UInt8] = []
    for index in layer.nodes.indices {
      switch layer.nodes[index].content {
      case .group, .verbatim: continue
      case .value(let value):
        if value.count <= Self.longest { value.withSpan { Self.append($0, to: &values) } }
      }
    }
    let needles = plan.needles.needles
    self.decoded = values.isEmpty ? NeedleHitMap() : NeedleHitMap(scanner, needles, values.span)
    self.verbatim =
      isBinary ? bytes.withSpan { NeedleHitMap(scanner, needles, $0) } : NeedleHitMap()
  }

  /// Whether there is no needle anywhere in the layer's own bytes, where these were searched.
  var isWithoutNeedles: Bool { self.verbatim.isEmpty }

  /// Whether anything may be found in the leaf at `range` of the layer's bytes, which are binary.
  func mayMatch(verbatim range: Range<Int>, _ bytes: Bytes, _ shape: Shape) -> Bool {
    if self.verbatim.hasHit(in: range) { return true }
    return bytes.withSpan { self.mayTrigger($0.extracting(range), shape) }
  }

  /// Whether anything may be found in the next decoded value; all are asked for, in order of place.
  mutating func mayMatch(_ value: Bytes, _ shape: Shape) -> Bool {
    value.withSpan { span in
      guard span.count <= Self.longest else {
        return self.scanner?.hasHit(in: span) == true || self.mayTrigger(span, shape)
      }
      let range = self.position..<self.position + span.count
      self.position = range.upperBound
      return self.decoded.hasHit(in: range) || self.mayTrigger(span, shape)
    }
  }

  private static func append(_ span: Span<UInt8>, to values: inout [UInt8]) {
    for index in 0..<span.count { values.append(span[index]) }
  }

  private func mayTrigger(_ span: Span<UInt8>, _ shape: Shape) -> Bool {
    for index in self.triggers.indices where self.triggers[index].mayMatch(span, shape) {
      return true
    }
    return false
  }
}
