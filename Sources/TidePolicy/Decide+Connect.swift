public import TideCore
internal import TideRegion

/// Before anything is dialled: which addresses, if any, may be.
extension PolicySnapshot {
  /// Decides on a destination.
  ///
  /// In this order: an address of ours is refused; addresses of special use that are not allowed are
  /// struck out, in every mode; the rules that a destination decides are asked about every address, those
  /// struck out too; of what is left the first `candidatesLimit` may be dialled.
  public func decideConnect(_ request: ConnectRequest) -> ConnectDecision {
    let candidates = request.resolved.map(self.candidate)
    let facts = MessageFacts(connecting: request, candidates)
    let judgement = self.judge(facts)
    let verdict = judgement.tally.verdict(in: self.mode)

    func decided(_ outcome: ConnectDecision.Outcome) -> ConnectDecision {
      ConnectDecision(candidates: candidates, verdict: verdict, outcome: outcome)
    }
    if let own = candidates.first(where: { self.isOwn($0.address, request.authority.port) }) {
      return decided(.refuse(.loop(own.address)))
    }
    let permitted = candidates.filter { self.refusedUse(of: $0.address) == nil }
    if permitted.isEmpty, let first = candidates.first,
      let use = self.refusedUse(of: first.address)
    {
      return decided(.refuse(.specialUse(first.address, use)))
    }
    let survivors = permitted.filter { !judgement.struck.contains($0.address) }
    if survivors.isEmpty, let rule = judgement.striking, rule.decided > verdict.decided {
      // What one rule left, another rule or its special use took.
      var tally = judgement.tally
      tally.add(rule)
      return self.outcome(tally, permitted, candidates, request)
    }
    return self.outcome(
      judgement.tally,
      survivors.isEmpty ? permitted : survivors,
      candidates,
      request
    )
  }

  private func outcome(
    _ tally: Tally,
    _ dialable: [Candidate],
    _ candidates: [Candidate],
    _ request: ConnectRequest
  ) -> ConnectDecision {
    let outcome: ConnectDecision.Outcome
    if let rule = tally.rule, rule.applied == .block {
      switch rule.how {
      case .sinkhole: outcome = .sinkhole(rule.id)
      case .refuse: outcome = .refuse(.rule(rule.id))
      }
    } else if dialable.isEmpty {
      outcome = .refuse(.noAddress)
    } else {
      outcome = .dial(
        dialable.prefix(max(self.settings.candidatesLimit, 1)).map {
          PinnedTarget(authority: request.authority, candidate: $0)
        }
      )
    }
    return ConnectDecision(
      candidates: candidates,
      verdict: tally.verdict(in: self.mode),
      outcome: outcome
    )
  }

  /// What the rules that a destination decides say.
  private struct ConnectJudgement {
    var tally = Tally()
    /// Addresses that `candidates: allowed-only` strikes out.
    var struck: Set<IPAddress> = []
    /// The first rule that struck one out.
    var striking: CompiledRule?
  }

  private func judge(_ facts: MessageFacts) -> ConnectJudgement {
    var judgement = ConnectJudgement()
    for rule in self.connectRules {
      if rule.match(facts, at: .connection) == .matched {
        judgement.tally.add(rule)
      } else if rule.candidates == .allowedOnly, rule.decided == .block, self.mode.isEnforcing {
        let inside = facts.candidates.filter { rule.match(facts, only: $0) == .matched }
        if inside.isEmpty { continue }
        judgement.struck.formUnion(inside.map(\.address))
        judgement.striking = judgement.striking ?? rule
      }
    }
    return judgement
  }

  /// The rule for which a connection that is open must end; nil if it may go on.
  ///
  /// Asked when rules or regions have changed: what they say now of where it leads, by each of its names and
  /// all their addresses, or with `candidates: allowed-only` by the address dialled.
  public func blockingRule(for facts: MessageFacts) -> RuleID? {
    guard let rule = self.connectTally(facts).rule, rule.applied == .block else { return nil }
    return rule.id
  }

  /// The strictest of the rules that a destination decides.
  func connectTally(_ facts: MessageFacts) -> Tally { self.judge(facts).tally }

  /// Why `address` is not dialled although no rule says so; nil if it may be.
  ///
  /// An IPv4 address inside an IPv6 one needs leave of its own.
  private func refusedUse(of address: IPAddress) -> String? {
    for part in [address] + address.carriedV4 {
      guard let use = SpecialUse.ownName(of: part) else { continue }
      let isAllowed = self.settings.allowSpecialUse.contains { $0.unmapped.contains(part) }
      if !isAllowed { return use }
    }
    return nil
  }

  /// Whether a connection to `address` would come back to this proxy.
  private func isOwn(_ address: IPAddress, _ port: UInt16) -> Bool {
    guard self.settings.ownPorts.contains(port) else { return false }
    let parts = [address] + address.carriedV4
    return self.settings.ownAddresses.contains { own in
      let own = own.unmapped
      return parts.contains { part in
        // A socket takes the unspecified address for loopback, and a listener on it hears loopback.
        part == own || Self.isUnspecified(part)
          || (Self.isUnspecified(own) && SpecialUse.name(of: part) == "loopback")
      }
    }
  }

  private static func isUnspecified(_ address: IPAddress) -> Bool {
    switch address {
    case .v4(let value): value == 0
    case .v6(let value): value == 0
    }
  }
}

extension MessageFacts {
  /// A destination, before there is a message.
  init(connecting request: ConnectRequest, _ candidates: [Candidate]) {
    self.init(
      device: request.device,
      hosts: [request.authority.host],
      aliases: request.aliases,
      port: request.authority.port,
      address: nil,
      candidates: candidates
    )
  }
}
