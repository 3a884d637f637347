public import TideCore

/// What one rule says of a flow, and why: `rules explain`.
public struct RuleExplanation: Hashable, Sendable {
  /// What the rule says.
  public enum Outcome: Hashable, Sendable {
    /// It applies.
    case matched
    /// Its exception holds.
    case excepted
    /// The first key that does not hold, and what the flow has there.
    case missed(key: String, seen: String)
    /// It may apply once more is known; the key that waits.
    case waiting(key: String)
  }

  /// The rule.
  public let rule: RuleID
  /// In its author's words; may be empty.
  public let description: String
  /// Where it is written.
  public let location: SourceLocation
  /// What it asks for.
  public let action: Action
  /// What it says.
  public let outcome: Outcome
  /// Each of its keys: those of the rule, then those of its exception.
  public let conditions: [ConditionExplanation]
}

/// What one key of a rule says of a flow.
public struct ConditionExplanation: Hashable, Sendable {
  /// Whether the key holds.
  public enum Answer: String, Sendable {
    /// It holds.
    case holds
    /// It does not.
    case fails
    /// What it asks for is not known, or not known yet.
    case unknown
  }

  /// The key as written.
  public let key: String
  /// Whether it is one of the exception's.
  public let isException: Bool
  /// What the rule asks for.
  public let asked: String
  /// What the flow has; empty if that is not known.
  public let seen: String
  /// Whether the one is the other.
  public let answer: Answer
}

extension PolicySnapshot {
  /// Every rule and what it asks for, in the order of the files.
  public var ruleSummaries: [(id: RuleID, action: Action)] {
    self.rules.map { ($0.id, $0.decided) }
  }

  /// Explains every rule, in the order of the files, for a destination of which no message is there yet.
  public func explain(_ request: ConnectRequest) -> [RuleExplanation] {
    let facts = MessageFacts(connecting: request, request.resolved.map(self.candidate))
    return self.explain(facts, unknown: Set(MessageFact.allCases))
  }

  /// Explains every rule, in the order of the files.
  ///
  /// - Parameters:
  ///   - facts: the flow and message.
  ///   - findings: what was found in it.
  ///   - unknown: the facts that nobody knows, or knows yet.
  /// - Returns: an explanation for each rule; nothing waits if nothing is unknown.
  public func explain(
    _ facts: MessageFacts,
    findings: [Finding] = [],
    unknown: Set<MessageFact> = []
  ) -> [RuleExplanation] {
    self.rules.map { rule in
      let (judged, addresses) = rule.judged(facts)
      let asking = Asking(facts: facts, judged: judged, findings: findings, unknown: unknown)
      let when = asking.explain(rule.when, rule.source.when, as: .rule(addresses: addresses))
      let unless =
        rule.unless.map { asking.explain($0, rule.source.unless, as: .exception) } ?? []
      return RuleExplanation(
        rule: rule.id,
        description: rule.description,
        location: rule.source.location,
        action: rule.decided,
        outcome: Self.outcome(when, rule.unless == nil ? nil : unless),
        conditions: when + unless
      )
    }
  }

  private static func outcome(
    _ when: [ConditionExplanation],
    _ unless: [ConditionExplanation]?
  ) -> RuleExplanation.Outcome {
    if let missed = when.first(where: { $0.answer == .fails }) {
      return .missed(key: missed.key, seen: missed.seen)
    }
    // What is not known excepts nothing.
    if let unless, unless.allSatisfy({ $0.answer == .holds }) { return .excepted }
    if let waiting = when.first(where: { $0.answer == .unknown }) {
      return .waiting(key: waiting.key)
    }
    return .matched
  }
}

/// A flow of which one rule after another is asked.
private struct Asking {
  let facts: MessageFacts
  let judged: [Candidate]
  let findings: [Finding]
  let unknown: Set<MessageFact>

  func explain(
    _ conditions: CompiledConditions,
    _ source: Conditions?,
    as role: ConditionRole
  ) -> [ConditionExplanation] {
    conditions.parts.map { key, part in
      let answer = self.answer(key, part, role)
      let isKnown = answer != .unknown || key == .size
      return ConditionExplanation(
        key: key.name,
        isException: role == .exception,
        asked: source?.text(under: key) ?? "",
        seen: isKnown ? self.facts.seen(key, self.findings) : "",
        answer: answer
      )
    }
  }

  private func answer(
    _ key: ConditionKey,
    _ part: CompiledConditions,
    _ role: ConditionRole
  ) -> ConditionExplanation.Answer {
    if let fact = key.fact, self.unknown.contains(fact) {
      // Every destination is sent a request.
      return fact == .direction && part.direction.contains(.request) ? .holds : .unknown
    }
    switch part.match(self.facts, self.judged, self.findings, at: .message, as: role) {
    case .yes: return .holds
    case .no: return .fails
    case .pending(let pending):
      // Findings that are all there will not become more; a size that may grow will.
      return pending == .size ? .unknown : .fails
    }
  }
}

extension Conditions {
  /// What is written under a key, for people.
  fileprivate func text(under key: ConditionKey) -> String {
    switch key {
    case .device: Self.list(self.device)
    case .host: Self.list(self.host)
    case .ip: Self.list(self.ip.map(\.description))
    case .port:
      Self.list(
        self.port.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      )
    case .region: Self.list(self.region)
    case .asn: Self.list(self.asn.map { "AS\($0)" })
    case .direction: Self.list(self.direction.map(\.rawValue))
    case .protocolName: Self.list(self.protocolName)
    case .method: Self.list(self.method)
    case .path: Self.list(self.path)
    case .header(let name): Self.list(self.header.first { $0.name == name }?.patterns ?? [])
    case .type: Self.list(self.type)
    case .size: self.size.map { "\($0.relation.rawValue)\($0.bytes)" }.joined(separator: " and ")
    case .finding:
      Self.list(self.finding)
        + (self.certainty.isEmpty ? "" : ", \(Self.list(self.certainty.map(\.rawValue)))")
    case .certainty: Self.list(self.certainty.map(\.rawValue))
    }
  }

  private static func list(_ items: [String]) -> String { items.joined(separator: " or ") }
}

extension MessageFacts {
  /// What the flow has under a key, for people; at most 64 bytes of a peer's own words.
  fileprivate func seen(_ key: ConditionKey, _ findings: [Finding]) -> String {
    switch key {
    case .device: return self.device
    case .host:
      let aliases = self.aliases.map { "\($0) (an alias)" }
      return Self.list(self.hosts.map(\.description) + aliases)
    case .ip: return Self.list(self.candidates.map(\.address.description))
    case .port: return String(self.port)
    case .region:
      return Self.list(
        self.candidates.map { candidate in
          let region = candidate.region
          let names = region.sets + region.countries
          let place = names.isEmpty ? region.name : names.joined(separator: "+")
          return "\(place) (\(candidate.address))"
        }
      )
    case .asn:
      let systems = self.candidates.flatMap { candidate in
        let numbers = candidate.region.signals.compactMap(\.asn)
        return (numbers.isEmpty ? [candidate.region.asn].compactMap(\.self) : numbers)
          .map { "AS\($0) (\(candidate.address))" }
      }
      return systems.isEmpty ? "no database knows" : Self.list(systems)
    case .direction: return self.direction.rawValue
    case .protocolName:
      return self.protocols.isEmpty ? "none" : self.protocols.joined(separator: " and ")
    case .method: return self.method.isEmpty ? "none" : Self.quote(self.method)
    case .path: return self.path.isEmpty ? "none" : Self.quote(self.path)
    case .header(let name):
      return Self.list(self.fields.all(named: Bytes(name)).map(Self.quote))
    case .type:
      return Self.list(self.fields.all("content-type").map { Self.quote(MediaType.essence($0)) })
    case .size:
      switch self.size {
      case .exactly(let count): return String(count)
      case .atLeast(let count): return "at least \(count)"
      }
    case .finding, .certainty:
      let own = findings.filter { $0.direction == self.direction }
      return Self.list(Set(own.map { "\($0.kind) (\($0.certainty))" }).sorted())
    }
  }

  private static func list(_ items: [String]) -> String {
    items.isEmpty ? "none" : items.joined(separator: ", ")
  }

  private static func quote(_ bytes: Bytes) -> String {
    bytes.count <= 64 ? bytes.text : bytes.slice(0..<64).text + "…"
  }
}
