internal import TideCore

/// What one rule says of a flow.
enum RuleMatch: Hashable, Sendable {
  /// It applies.
  case matched
  /// This key does not hold.
  case missed(ConditionKey)
  /// Its exception holds.
  case excepted
  /// It may yet apply: this key waits for more of the message.
  case pending(ConditionKey)
}

/// A rule that has been checked, under the mode's ceiling.
///
/// A class, so that asking one rule after another per message copies none of their many arrays.
final class CompiledRule: Sendable {
  let id: RuleID
  /// As its author wrote it.
  let source: Rule
  /// In its author's words.
  let description: String
  let decided: Action
  /// The lesser of `decided` and the mode's ceiling.
  let applied: Action
  let how: BlockMethod
  let holdsBody: Bool
  /// `any` also for a rule that asks nothing of addresses.
  let candidates: CandidatePolicy
  let otherwise: Action
  let when: CompiledConditions
  let unless: CompiledConditions?

  init(_ rule: Rule, when: CompiledConditions, unless: CompiledConditions?, mode: Mode) {
    self.id = rule.id
    self.source = rule
    self.description = rule.description
    self.decided = rule.then
    self.applied = min(rule.then, mode.ceiling)
    self.how = rule.how ?? .sinkhole
    self.holdsBody = rule.holdsBody
    self.candidates = when.isRegional ? rule.candidates : .any
    self.otherwise = rule.otherwise
    self.when = when
    self.unless = unless
  }

  /// Whether a destination alone decides the rule.
  var isConnectDecidable: Bool {
    self.when.isConnectDecidable && self.unless?.isConnectDecidable != false
  }

  func applies(to direction: Direction) -> Bool {
    self.when.direction.isEmpty || self.when.direction.contains(direction)
  }

  /// Asks the rule.
  ///
  /// With `candidates: allowed-only` the address dialled alone counts; before one is, the rule applies if it
  /// applies to every candidate.
  func match(
    _ facts: MessageFacts,
    _ findings: [Finding] = [],
    at stage: JudgementStage
  ) -> RuleMatch {
    switch self.candidates {
    // As `judged` says, without a copy: this is asked of each rule for each message.
    case .any: return self.match(facts, facts.candidates, findings, stage, .some)
    case .allowedOnly:
      let (judged, addresses) = self.judged(facts)
      return self.match(facts, judged, findings, stage, addresses)
    }
  }

  /// The addresses that the rule is asked about, and how many of them have to be in a region.
  func judged(_ facts: MessageFacts) -> ([Candidate], Quantifier) {
    switch self.candidates {
    case .any: return (facts.candidates, .some)
    case .allowedOnly:
      let dialled = facts.candidates.first { $0.address == facts.address }
      return (dialled.map { [$0] } ?? facts.candidates, .every)
    }
  }

  /// Asks the rule of one address.
  func match(_ facts: MessageFacts, only candidate: Candidate) -> RuleMatch {
    self.match(facts, [candidate], [], .connection, .some)
  }

  private func match(
    _ facts: MessageFacts,
    _ candidates: [Candidate],
    _ findings: [Finding],
    _ stage: JudgementStage,
    _ addresses: Quantifier
  ) -> RuleMatch {
    let role = ConditionRole.rule(addresses: addresses)
    let match = self.when.match(facts, candidates, findings, at: stage, as: role)
    if case .no(let key) = match { return .missed(key) }
    // What is not known yet excepts nothing.
    if let unless = self.unless,
      unless.match(facts, candidates, findings, at: stage, as: .exception) == .yes
    {
      return .excepted
    }
    switch match {
    case .yes: return .matched
    case .pending(let key): return .pending(key)
    case .no(let key): return .missed(key)
    }
  }
}

/// The strictest of the rules that apply, while they are asked one by one.
struct Tally {
  private(set) var rule: CompiledRule?
  private var otherwise = Action.allow

  /// The most severe rule holds; of equals, the one added first.
  mutating func add(_ rule: CompiledRule) {
    if rule.decided > (self.rule?.decided ?? .allow) || self.rule == nil { self.rule = rule }
    // Strictest over all, or a rule with `otherwise: allow` would weaken those below it.
    if rule.decided >= .redact { self.otherwise = max(self.otherwise, rule.otherwise) }
  }

  func verdict(in mode: Mode) -> Verdict {
    guard let rule = self.rule else { return .pass }
    return Verdict(
      decided: rule.decided,
      applied: rule.applied,
      rule: rule.id,
      otherwise: mode.isEnforcing ? self.otherwise : .allow
    )
  }
}
