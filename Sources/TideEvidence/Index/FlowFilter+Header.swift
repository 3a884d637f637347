internal import TideCore

/// `header.NAME:PATTERN`: what heads say is not in the index, so each flow's own are read.
extension FlowFilter {
  /// Whether a word asks for a field of a head.
  public var asksHeads: Bool { self.terms.contains { $0.key == .header } }

  /// Whether the heads of a flow satisfy the words that ask for their fields; the others are not asked.
  ///
  /// Words for several names are joined by AND. A flow without a head has no field: only a word with `-` in
  /// front lets it through. A `direction` word says which way's heads count.
  public func matchesHeads(of flow: FlowDetail) -> Bool {
    let direction = self.terms.first { $0.key == .direction && !$0.isNegated }
    let heads = flow.messages.filter { message in
      message.stage == .original && direction?.accepts(message.direction.rawValue) != false
    }.map { RawHead($0.head) }
    return self.terms.allSatisfy { term in
      guard term.key == .header else { return true }
      let hasField = heads.contains { head in
        head.fields.contains { name, value in
          ASCII.equalsIgnoringCase(name.utf8, term.field.utf8) && term.accepts(value)
        }
      }
      return hasField != term.isNegated
    }
  }
}

extension CaseReader {
  /// Whether a filter lets a flow through, by its heads too if the filter asks for them.
  public func shows(_ flow: FlowRecord, _ filter: FlowFilter) throws(EvidenceFailure) -> Bool {
    guard filter.matches(flow) else { return false }
    return try self.heads(of: flow.flow, satisfy: filter)
  }

  /// Whether the heads of a flow satisfy a filter.
  func heads(of flow: FlowID, satisfy filter: FlowFilter) throws(EvidenceFailure) -> Bool {
    filter.asksHeads ? filter.matchesHeads(of: try self.flow(flow)) : true
  }
}
