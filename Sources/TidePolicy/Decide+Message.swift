public import TideCore

/// Once a message is there: what the rules say of it and how its content is handled.
extension PolicySnapshot {
  /// What the rules say of a message, with what was found in it so far.
  ///
  /// Findings of the other direction do not count. Called again as content arrives, it only gets stricter
  /// unless a rule's exception asks for findings.
  public func verdict(for facts: MessageFacts, findings: [Finding] = []) -> Verdict {
    let rules = self.rules(for: facts.direction)
    if rules.isEmpty { return .pass }
    var tally = Tally()
    for rule in rules where rule.match(facts, findings, at: .message) == .matched {
      tally.add(rule)
    }
    return tally.verdict(in: self.mode)
  }

  /// How a message's content is handled, from what its head says.
  public func bodyPlan(for facts: MessageFacts) -> BodyPlan { self.opening(for: facts).plan }

  /// How a message's content is handled, and the verdict while nothing is found: each rule is asked once.
  public func opening(for facts: MessageFacts) -> (plan: BodyPlan, verdict: Verdict) {
    var tally = Tally()
    var inspects = facts.direction == .request || MediaType.isReadable(facts.fields)
    var holding = BodyPlan.Holding.none
    var otherwise = Action.allow
    var otherwiseRule: RuleID?
    var mayRedact = false
    for rule in self.rules(for: facts.direction) {
      let match = rule.match(facts, at: .message)
      switch match {
      case .missed, .excepted: continue
      case .matched: tally.add(rule)
      case .pending: break
      }
      if rule.when.asksFindings || rule.decided >= .redact { inspects = true }
      guard rule.applied >= .redact else { continue }
      if otherwiseRule == nil || rule.otherwise > otherwise { otherwiseRule = rule.id }
      otherwise = max(otherwise, rule.otherwise)
      if rule.applied == .redact {
        mayRedact = true
        holding = max(holding, rule.holdsBody ? .body : .unit)
      } else if case .pending = match {
        // A block that has matched already needs no plan: nothing of the message goes on.
        holding = max(holding, rule.blockHolding)
      }
    }
    let plan = BodyPlan(
      inspects: inspects,
      holding: holding,
      otherwise: otherwise,
      otherwiseRule: otherwiseRule,
      mayRedact: mayRedact
    )
    return (plan, tally.verdict(in: self.mode))
  }

  private func rules(for direction: Direction) -> [CompiledRule] {
    switch direction {
    case .request: self.requestRules
    case .response: self.responseRules
    }
  }
}

extension CompiledRule {
  /// What a block by content needs to be held; a size is counted as it goes.
  fileprivate var blockHolding: BodyPlan.Holding {
    if self.holdsBody { return .body }
    return self.when.asksFindings ? .window : .none
  }
}
