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
  /// What it asks for.
  public let action: Action
  /// What it says.
  public let outcome: Outcome
}

extension PolicySnapshot {
  /// Explains every rule, in the order of the files, for a destination.
  public func explain(_ request: ConnectRequest) -> [RuleExplanation] {
    let candidates = request.resolved.prefix(max(self.settings.candidatesLimit, 0))
      .map(self.candidate)
    let facts = MessageFacts(connecting: request, candidates)
    return self.rules.map { rule in
      RuleExplanation(
        rule: rule.id,
        action: rule.decided,
        outcome: Self.outcome(rule.match(facts, at: .connection), facts, [], waits: true)
      )
    }
  }

  /// Explains every rule, in the order of the files, for a message that is complete.
  public func explain(_ facts: MessageFacts, findings: [Finding] = []) -> [RuleExplanation] {
    self.rules.map { rule in
      RuleExplanation(
        rule: rule.id,
        action: rule.decided,
        outcome: Self.outcome(
          rule.match(facts, findings, at: .message),
          facts,
          findings,
          waits: false
        )
      )
    }
  }

  private static func outcome(
    _ match: RuleMatch,
    _ facts: MessageFacts,
    _ findings: [Finding],
    waits: Bool
  ) -> RuleExplanation.Outcome {
    switch match {
    case .matched: return .matched
    case .excepted: return .excepted
    case .missed(let key): return .missed(key: key.name, seen: facts.seen(key, findings))
    case .pending(let key):
      if waits { return .waiting(key: key.name) }
      return .missed(key: key.name, seen: facts.seen(key, findings))
    }
  }
}

extension MessageFacts {
  /// What the flow has under a key, for people; at most 64 bytes of a peer's own words.
  fileprivate func seen(_ key: ConditionKey, _ findings: [Finding]) -> String {
    switch key {
    case .device: return self.device
    case .host: return Self.list(self.hosts.map(\.description))
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
      return Self.list(self.candidates.compactMap(\.region.asn).map { String($0) })
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
