public import TideCore
internal import TideRegion

/// Once the ClientHello is in and nothing of it has gone on.
extension PolicySnapshot {
  /// Decides on a ClientHello.
  ///
  /// A connection to an address literal goes by its server name; to a name, the server name must be that
  /// name unless `fronting` is `judge`. Rules are asked about both names and all their addresses.
  public func decideHello(_ hello: HelloFacts, for context: HelloContext) -> HelloDecision {
    if self.settings.fronting == .refuse, self.isFronting(hello, context) {
      return .refuseFronting
    }
    let facts = self.facts(hello, context)
    if let rule = self.connectRule(facts, context), rule.applied == .block {
      switch rule.how {
      case .sinkhole: return .sinkhole(rule.id)
      case .refuse: return .refuse(rule.id)
      }
    }
    guard let serverName = hello.serverName, self.passes(context.authority.host),
      self.passes(.name(serverName))
    else { return .intercept }
    if let rule = self.undecryptedVerdict(for: facts) { return .refuse(rule) }
    return .passthrough
  }

  /// The rule for which what is not decrypted must not go where `facts` say; nil if it may.
  ///
  /// For passthrough, a pinned client and bytes that are not TLS, in redact and block mode: a redact or
  /// block rule that this destination could match cannot be kept without seeing the content. A rule that
  /// names no destination could match every one; its `unless` can make room.
  public func undecryptedVerdict(for facts: MessageFacts) -> RuleID? {
    guard self.mode.isEnforcing else { return nil }
    var tally = Tally()
    for rule in self.contentRules {
      switch rule.match(facts, at: .connection) {
      case .matched, .pending: tally.add(rule)
      case .missed, .excepted: break
      }
    }
    return tally.rule?.id
  }

  private func isFronting(_ hello: HelloFacts, _ context: HelloContext) -> Bool {
    guard case .name(let name) = context.authority.host else { return false }
    if hello.hasMalformedServerName { return true }
    return hello.serverName.map { $0 != name } ?? false
  }

  private func passes(_ host: Host) -> Bool {
    self.passthrough.contains { $0.matches(host) }
  }

  private func facts(_ hello: HelloFacts, _ context: HelloContext) -> MessageFacts {
    var hosts = [context.authority.host]
    if let name = hello.serverName, !hosts.contains(.name(name)) { hosts.append(.name(name)) }
    return MessageFacts(
      device: context.device,
      hosts: hosts,
      aliases: context.aliases,
      port: context.authority.port,
      address: context.address,
      candidates: context.candidates + context.serverNameCandidates,
      protocols: ["tls"]
    )
  }

  /// The strictest rule on what was asked for and, where that is another name, on the server name by itself.
  private func connectRule(_ facts: MessageFacts, _ context: HelloContext) -> CompiledRule? {
    let whole = self.connectTally(facts).rule
    guard !context.serverNameCandidates.isEmpty else { return whole }
    // So that `candidates: allowed-only` asks whether this name has an address left.
    var named = facts
    named.address = nil
    named.candidates = context.serverNameCandidates
    guard let rule = self.connectTally(named).rule else { return whole }
    guard let whole, whole.decided >= rule.decided else { return rule }
    return whole
  }
}
