import TideConfig
import TideCore
import TideEvidence
import TidePolicy
import TideRegion

/// The same rules in each mode: what was decided, and what each mode would do about it.
struct PolicyModes {
  /// What a mode does with a flow.
  struct Outcome: Encodable {
    let mode: String
    let decided: String
    let applied: String
    let rule: String?
    /// What is special about it; nil if nothing is.
    let note: String?
  }

  private let policies: [PolicySnapshot]
  /// The policy in the configuration's own mode.
  let current: PolicySnapshot

  init(
    _ files: RuleFiles,
    regions: RegionTable,
    devices: [DeviceProfile]
  ) throws(CommandFailure) {
    var policies: [PolicySnapshot] = []
    for mode in Mode.allCases {
      policies.append(try files.policy(regions: regions, devices: devices, mode: mode))
    }
    self.policies = policies
    self.current = try files.policy(regions: regions, devices: devices)
  }

  /// What each mode would do with a destination, of which no message is there yet.
  func outcomes(_ request: ConnectRequest) -> [Outcome] {
    self.policies.map { policy in
      let decision = policy.decideConnect(request)
      return Outcome(policy.mode, decision.verdict, note: decision.outcome.words)
    }
  }

  /// What each mode would do with a flow of a case.
  func outcomes(_ flow: RecordedFlow) -> [Outcome] {
    self.policies.map { policy in
      let verdict = Self.verdict(on: flow, policy)
      guard policy.mode.isEnforcing, verdict.applied < .block,
        let (closed, note) = self.failedClosed(flow, policy, verdict)
      else { return Outcome(policy.mode, verdict, note: nil) }
      return Outcome(policy.mode, closed, note: note)
    }
  }

  /// What the rules say of a flow, and what stood beside them when it was recorded.
  func verdict(on flow: RecordedFlow) -> Verdict {
    let verdict = Self.verdict(on: flow, self.current)
    var others: [Verdict] = []
    // What a mode that changes nothing let pass was not refused for this.
    if flow.wasFailedClosed, let strictest = self.policies.last,
      let (closed, _) = self.failedClosed(flow, strictest, verdict)
    {
      others.append(closed)
    }
    if let standing = flow.standing { others.append(standing) }
    return others.reduce(verdict) { $1.decided > $0.decided ? $1 : $0 }
  }

  /// What becomes of what a rule would have to see or change and cannot; nil if it goes on.
  private func failedClosed(
    _ flow: RecordedFlow,
    _ policy: PolicySnapshot,
    _ verdict: Verdict
  ) -> (Verdict, String)? {
    guard let facts = flow.messages.first?.facts else { return nil }
    if flow.isUndecrypted {
      guard let rule = policy.undecryptedVerdict(for: facts) else { return nil }
      return (
        Verdict(decided: .block, applied: .block, rule: rule),
        "not decrypted, and rule \(rule) asks for what it carries: refused"
      )
    }
    guard flow.record.error?.code == FlowFailure.Code.notRedactable.rawValue else { return nil }
    for message in flow.messages {
      let plan = policy.bodyPlan(for: message.facts)
      guard plan.otherwise == .block else { continue }
      let rule = verdict.rule ?? plan.otherwiseRule
      return (
        Verdict(decided: max(verdict.decided, .redact), applied: .block, rule: rule),
        "it could not be redacted when it was recorded, and otherwise is block"
      )
    }
    return nil
  }

  /// The strictest of what is said of the destination and of each message; of equals, the first.
  private static func verdict(on flow: RecordedFlow, _ policy: PolicySnapshot) -> Verdict {
    var strictest = flow.connectRequest.map { policy.decideConnect($0).verdict } ?? .pass
    for message in flow.messages {
      let verdict = policy.verdict(for: message.facts, findings: message.findings)
      if verdict.decided > strictest.decided || strictest.rule == nil { strictest = verdict }
    }
    return strictest
  }
}

extension PolicyModes.Outcome {
  fileprivate init(_ mode: Mode, _ verdict: Verdict, note: String?) {
    self.init(
      mode: mode.rawValue,
      decided: verdict.decided.rawValue,
      applied: verdict.applied.rawValue,
      rule: verdict.rule?.text,
      note: note
    )
  }

  /// In one line, for people.
  var text: String {
    let rule = self.rule.map { ", rule \($0)" } ?? ""
    let note = self.note.map { "; \($0)" } ?? ""
    return
      "\(self.mode.padded(to: 8)) decided \(self.decided), applied \(self.applied)\(rule)\(note)"
  }
}

extension RecordedFlow {
  /// Whether it was refused because nobody could see or change what it carried.
  fileprivate var wasFailedClosed: Bool {
    let codes: [FlowFailure.Code] = [.opaque, .notRedactable]
    return codes.contains { $0.rawValue == self.record.error?.code }
  }

  /// What no rule decided, and no rule can take back: a scanner's verdict; nil if rules decided.
  fileprivate var standing: Verdict? {
    guard let decided = self.record.decided.flatMap(Action.init(rawValue:)), decided >= .redact,
      self.record.rule?.hasPrefix("scanner:") != false
    else { return nil }
    let applied = self.record.applied.flatMap(Action.init(rawValue:)) ?? decided
    return Verdict(decided: decided, applied: applied, rule: self.record.rule.map { RuleID($0) })
  }

  /// What the client asked for; nil if the case does not say.
  fileprivate var connectRequest: ConnectRequest? {
    guard let host = TideCore.Host(self.record.host) else { return nil }
    return ConnectRequest(
      device: self.record.device,
      authority: Authority(host: host, port: self.record.port),
      resolved: self.record.candidates.compactMap { IPAddress($0.address) },
      aliases: self.aliases
    )
  }
}

extension ConnectDecision.Outcome {
  /// In a clause, for people.
  var words: String {
    switch self {
    case .dial(let targets):
      "dial \(targets.map(\.address.description).joined(separator: ", "))"
    case .sinkhole(let rule): "sinkhole by rule \(rule)"
    case .refuse(.rule(let rule)): "refuse by rule \(rule)"
    case .refuse(.specialUse(let address, let use)): "refuse: \(address) is a \(use) address"
    case .refuse(.loop(let address)): "refuse: \(address) is this proxy"
    case .refuse(.noAddress): "refuse: no address"
    }
  }
}
