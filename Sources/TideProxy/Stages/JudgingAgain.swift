import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// A reload: rules, regions and sets that are new are asked about every connection that is open.
///
/// What the address and the names decide holds at once, for what is under way too; what contents decide
/// holds from the next message on. Bytes that nobody reads are judged where they pass (`judgeTunnelAgain`,
/// `judgePlainStreamAgain`).
extension ConnectionMachine {
  /// Asks the rules in force where this connection leads, if they are others than before.
  func judgeAgain() {
    let policy = self.context.policy
    guard self.judgedBy !== policy else { return }
    self.judgedBy = policy
    switch self.stage {
    case .resolving, .tunnelling, .draining, .closed: return
    case .awaitingRequest, .authenticating, .relaying:
      self.judgePlainStreamAgain()
      self.judgeRouteAgain(policy)
    case .dialling(let destination, _, _):
      // The other addresses on the list were permitted by rules that hold no more.
      self.closeUpstream(.abort)
      self.decide(destination)
    case .awaitingHello(var tunnel, let since):
      tunnel.judgeAgain(by: policy)
      self.stage = .awaitingHello(tunnel, since: since)
    case .resolvingServerName(var tunnel, let hello, let since):
      tunnel.judgeAgain(by: policy)
      self.stage = .resolvingServerName(tunnel, hello, since: since)
    case .securingUpstream(var tunnel, let hello, let since):
      if let rule = self.judgeAgain(&tunnel, hello.serverName, policy) {
        self.sinkhole(tunnel, hello, rule)
      } else {
        self.stage = .securingUpstream(tunnel, hello, since: since)
      }
    case .settlingUpstream(let open):
      if let rule = self.judgeAgain(&open.tunnel, open.hello.serverName, policy) {
        self.sinkhole(open.tunnel, open.hello, rule)
      }
    case .securingClient(var tunnel, let since):
      if let rule = self.judgeAgain(&tunnel, self.earlyHello?.serverName, policy) {
        self.leaveServer()
        tunnel = tunnel.sinkholed(by: rule)
      }
      self.stage = .securingClient(tunnel, since: since)
    case .sniffing(var tunnel, let hello, let since):
      if let rule = self.judgeAgain(&tunnel, hello?.serverName, policy) {
        self.leaveServer()
        tunnel = tunnel.sinkholed(by: rule)
      }
      self.stage = .sniffing(tunnel, hello, since: since)
    }
  }

  /// Judges a tunnel on which there is no message yet; the rule that forbids it now, nil if none does.
  private func judgeAgain(
    _ tunnel: inout Tunnel,
    _ serverName: Hostname?,
    _ policy: PolicySnapshot
  ) -> RuleID? {
    tunnel.judgeAgain(by: policy)
    guard case .upstream = tunnel.answerer else { return nil }
    var hosts = [tunnel.authority.host]
    if let serverName, !hosts.contains(.name(serverName)) { hosts.append(.name(serverName)) }
    return policy.blockingRule(
      for: MessageFacts(
        device: self.judgedDevice,
        hosts: hosts,
        aliases: tunnel.aliases,
        port: tunnel.authority.port,
        address: tunnel.target?.address,
        candidates: tunnel.candidates
      )
    )
  }

  /// Goes on with the device's handshake as if nothing had been dialled.
  private func sinkhole(_ tunnel: Tunnel, _ hello: HelloFacts, _ rule: RuleID) {
    self.leaveServer()
    self.secureClient(tunnel.sinkholed(by: rule), hello, upstream: nil)
  }

  /// Drops the server's leg, and what it said that nobody has read.
  private func leaveServer() {
    self.closeUpstream(.abort)
    self.earlyServerBytes = Bytes()
  }

  private func judgeRouteAgain(_ policy: PolicySnapshot) {
    if case .closed = self.stage { return }
    guard let old = self.route, case .upstream = old.answerer else { return }
    let route = old.judgedAgain(by: policy)
    self.route = route
    let rule = policy.blockingRule(
      for: MessageFacts(
        device: self.judgedDevice,
        hosts: route.names,
        aliases: route.aliases,
        port: route.facts.authority.port,
        address: route.facts.address,
        candidates: route.facts.candidates
      )
    )
    if let rule { self.endWay(for: rule) }
  }

  /// Ends the way to a server that a rule forbids now, with everything that is under way on it.
  private func endWay(for rule: RuleID) {
    let failure = Self.reloadFailure(rule)
    let exchanges = [self.exchange].compactMap(\.self) + (self.multiplex?.inOrder ?? [])
    for exchange in exchanges where !exchange.isEnded {
      exchange.merge(Verdict(decided: .block, applied: .block, rule: rule))
      exchange.exposure = exchange.carrier(.request)?.released ?? exchange.request.released
      self.stop(exchange.request, exchange, failure, rule: rule)
    }
    switch self.stage {
    case .draining, .closed: return
    case .awaitingRequest, .authenticating, .resolving, .dialling, .awaitingHello,
      .resolvingServerName, .securingUpstream, .settlingUpstream, .securingClient, .sniffing,
      .relaying, .tunnelling:
      break
    }
    self.leaveServer()
    if let multiplex = self.multiplex {
      multiplex.isRefusing = true
      multiplex.device.goAway(.noError)
    } else if self.route?.isTunnel == true {
      // What the device sends next is read and answered in the server's place.
      self.route = self.route?.sinkholed(by: rule)
    } else {
      // The device may ask for something else: that is decided anew.
      self.route = nil
    }
  }

  private static func reloadFailure(_ rule: RuleID) -> FlowFailure {
    FlowFailure(
      .blockedByRule,
      origin: .internal,
      detail: "blocked by rule \(rule), since a reload"
    )
  }
}

extension Route {
  /// The same way, answered by us for a rule.
  fileprivate func sinkholed(by rule: RuleID) -> Route {
    let facts = ConnectionFacts(
      connection: self.facts.connection,
      device: self.facts.device,
      client: self.facts.client,
      authority: self.facts.authority,
      serverName: self.facts.serverName,
      address: nil,
      region: self.facts.region,
      candidates: self.facts.candidates,
      treatment: .sinkhole,
      scheme: self.facts.scheme
    )
    return Route(
      answerer: .sinkhole(rule),
      facts: facts,
      names: self.names,
      aliases: self.aliases,
      leafHost: self.leafHost,
      isSecure: self.isSecure,
      isTunnel: self.isTunnel
    )
  }

  /// The same way, its addresses' regions looked up anew.
  fileprivate func judgedAgain(by policy: PolicySnapshot) -> Route {
    let candidates = self.facts.candidates.map { policy.candidate($0.address) }
    let facts = ConnectionFacts(
      connection: self.facts.connection,
      device: self.facts.device,
      client: self.facts.client,
      authority: self.facts.authority,
      serverName: self.facts.serverName,
      address: self.facts.address,
      region: self.facts.address.map { policy.candidate($0).region } ?? self.facts.region,
      candidates: candidates,
      treatment: self.facts.treatment,
      scheme: self.facts.scheme
    )
    return Route(
      answerer: self.answerer,
      facts: facts,
      names: self.names,
      aliases: self.aliases,
      leafHost: self.leafHost,
      isSecure: self.isSecure,
      isTunnel: self.isTunnel
    )
  }
}
