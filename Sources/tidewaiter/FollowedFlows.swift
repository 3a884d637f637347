import TideCore
import TideEvidence

/// Finds each flow of a growing case once, when it is over.
struct FollowedFlows {
  private var last: FlowID?
  /// Flows that were still open when they were passed.
  private var open: Set<FlowID> = []
  /// The most of them; beyond it later flows wait their turn.
  private static let most = 4_096

  /// The flows that have ended since the last call, in the order of their ends.
  mutating func ended(in reader: CaseReader) throws(EvidenceFailure) -> [FlowRecord] {
    var ended: [FlowRecord] = []
    for id in self.open {
      let flow = try reader.flow(id).record
      guard flow.ended != nil else { continue }
      self.open.remove(id)
      ended.append(flow)
    }
    var last = self.last
    var open = self.open
    try reader.forEachFlow(after: last) { flow throws(EvidenceFailure) in
      if flow.ended != nil {
        ended.append(flow)
      } else if open.count < Self.most {
        open.insert(flow.flow)
      } else {
        return false
      }
      last = flow.flow
      return true
    }
    self.last = last
    self.open = open
    return ended.sorted { ($0.ended ?? "", $0.flow.number) < ($1.ended ?? "", $1.flow.number) }
  }
}
