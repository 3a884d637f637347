public import TideCore

/// Which contents may go: bodies and messages, of flows that are over.
///
/// A content goes only where every flow that names it may go. Heads, certificates, findings and all lines of the log
/// stay.
public struct PurgeSelection: Sendable {
  /// Why, as the log will say.
  public var reason: String
  /// Only flows that had ended before; nil for all.
  public var endedBefore: WallTime?
  /// Whether flows with findings are kept whole.
  public var keepsFindings: Bool
  /// Only these flows; nil for all.
  public var flows: Set<FlowID>?
  /// Whether, if what may go is not enough, files of wire/ go with which flows with findings crossed the wire: what
  /// they said stays in log/ and bodies/.
  var takesWireAtLast = false

  /// Joins a selection.
  public init(
    reason: String,
    endedBefore: WallTime? = nil,
    keepsFindings: Bool = true,
    flows: Set<FlowID>? = nil
  ) {
    self.reason = reason
    self.endedBefore = endedBefore
    self.keepsFindings = keepsFindings
    self.flows = flows
  }
}

/// What a purge takes away, or would.
public struct PurgeSummary: Hashable, Sendable {
  /// How many flows lose a content.
  public internal(set) var flows = 0
  /// How many contents go.
  public internal(set) var contents = 0
  /// How many files of wire/ go.
  public internal(set) var wireFiles = 0
  /// How many bytes they take on disk.
  public internal(set) var bytes: UInt64 = 0

  static func += (a: inout PurgeSummary, b: PurgeSummary) {
    a.flows += b.flows
    a.contents += b.contents
    a.wireFiles += b.wireFiles
    a.bytes += b.bytes
  }
}
