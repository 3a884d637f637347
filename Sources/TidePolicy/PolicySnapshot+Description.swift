public import TideCore

extension PolicySnapshot {
  /// What the rule's author says that it is for; nil if there is no such rule or no word of it.
  public func description(of rule: RuleID) -> String? {
    let words = self.rules.first { $0.id == rule }?.description
    return words.flatMap { $0.isEmpty ? nil : $0 }
  }
}
