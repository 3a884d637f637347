import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// Why TLS is relayed without being read.
enum PassthroughReason {
  /// The operator excepts the host (`tls.passthrough`).
  case configured
  /// The device refuses to have it intercepted (`tls.learn_passthrough`).
  case learned
  /// Our CA may issue no leaf for it (`ca.permit`).
  case outsidePermit
}

/// TLS that is relayed without being read.
extension ConnectionMachine {
  /// Relays TLS undecrypted, unless a rule forbids that to where it goes.
  func passThrough(_ tunnel: Tunnel, _ hello: HelloFacts, because reason: PassthroughReason) {
    if let rule = self.undecryptedRule(tunnel, serverName: hello.serverName) {
      self.alert(TLSAlert.accessDenied, tunnel, hello, Self.opaqueFailure(rule), rule: rule)
      return
    }
    let host = Self.leafHost(tunnel, hello)
    switch reason {
    case .configured: break
    case .learned:
      self.cover(
        .learnedPassthrough,
        nil,
        "\(host) was not intercepted: the device refuses our leaf for it"
      )
    case .outsidePermit:
      self.cover(.outsidePermit, nil, "\(host) was not intercepted: it is outside ca.permit")
    }
    self.beginTunnel(tunnel, hello, learned: reason == .learned)
  }

  /// Bytes after CONNECT that are no TLS: HTTP, or a stream.
  func notTLS(_ tunnel: Tunnel, _ first: Bytes) { self.beginSniffing(tunnel, nil, first) }

  static func opaqueFailure(_ rule: RuleID) -> FlowFailure {
    FlowFailure(
      .opaque,
      origin: .internal,
      detail: "what cannot be decrypted does not go to a region of rule \(rule)"
    )
  }

  func undecryptedRule(_ tunnel: Tunnel, serverName: Hostname?) -> RuleID? {
    var hosts = [tunnel.authority.host]
    if let serverName { hosts.append(.name(serverName)) }
    return self.context.policy.undecryptedVerdict(
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

  private func beginTunnel(_ tunnel: Tunnel, _ hello: HelloFacts, learned: Bool) {
    let serverName = hello.serverName
    let facts = self.facts(
      authority: tunnel.authority,
      serverName: serverName,
      candidates: tunnel.candidates,
      target: tunnel.target,
      treatment: tunnel.target == nil ? .sinkhole : .passthrough,
      scheme: "tls"
    )
    let flow = self.context.numbering.flow()
    self.tunnelFlow = TunnelFlow(
      flow: flow,
      isRecorded: self.context.keepsBodies,
      tunnel: tunnel,
      serverName: serverName,
      policy: self.context.policy,
      learnedHost: learned ? Self.leafHost(tunnel, hello) : nil,
      verdict: tunnel.decision?.verdict ?? .pass
    )
    self.record(
      .flowStarted(
        FlowStart(
          flow: flow,
          facts: facts,
          time: self.now.wall,
          method: "CONNECT",
          url: tunnel.authority.description,
          protocolName: "tls"
        )
      )
    )
    self.cover(.undecrypted, flow, "TLS to \(tunnel.authority) was not decrypted")
    self.stage = .tunnelling
    self.tap.state = .off
    self.resume(.down, .waiting)
    let early = self.earlyServerBytes
    self.earlyServerBytes = Bytes()
    self.relayTunnel(hello.raw, direction: .request)
    let waiting = self.earlyClientBytes
    self.earlyClientBytes = Bytes()
    self.relayTunnel(waiting, direction: .request)
    self.relayTunnel(early, direction: .response)
  }

  /// Ends a tunnel that is open for a device's refusals, once these are forgotten or revoked.
  func endTunnelOverTime() {
    guard let host = self.tunnelFlow?.learnedHost,
      !self.context.trust.isLearned(self.device, host, at: self.now.wall)
    else { return }
    self.finish(
      FlowFailure(
        .opaque,
        origin: .internal,
        detail: "\(host) is to be intercepted again: its passthrough is over"
      ),
      mode: .abort
    )
  }

  /// Asks rules that were reloaded about a tunnel that is open; ends it where one forbids it now.
  func judgeTunnelAgain() {
    guard var flow = self.tunnelFlow, flow.policy !== self.context.policy else { return }
    flow.policy = self.context.policy
    flow.tunnel.judgeAgain(by: self.context.policy)
    self.tunnelFlow = flow
    guard let rule = self.undecryptedRule(flow.tunnel, serverName: flow.serverName) else { return }
    self.tunnelFlow?.verdict = Verdict(decided: .block, applied: .block, rule: rule)
    self.finish(Self.opaqueFailure(rule), mode: .abort)
  }

  func relayTunnel(_ bytes: Bytes, direction: Direction) {
    self.judgeTunnelAgain()
    guard !bytes.isEmpty, var flow = self.tunnelFlow else { return }
    switch direction {
    case .request: flow.sent += UInt64(bytes.count)
    case .response: flow.received += UInt64(bytes.count)
    }
    self.tunnelFlow = flow
    if flow.isRecorded { self.record(.body(flow.flow, direction, .original, bytes)) }
    switch direction {
    case .request:
      if let leg = self.leg, self.up.isOpen { self.commands.append(.send(leg, bytes)) }
    case .response: self.commands.append(.send(.downstream, bytes))
    }
  }

  func endTunnelFlow(_ failure: FlowFailure?) {
    guard let flow = self.tunnelFlow else { return }
    self.tunnelFlow = nil
    self.record(
      .flowEnded(
        FlowEnd(
          flow: flow.flow,
          time: self.now.wall,
          status: 200,
          requestBytes: flow.sent,
          responseBytes: flow.received,
          findings: 0,
          verdict: flow.verdict,
          exposure: nil,
          failure: failure
        )
      )
    )
  }
}

/// A tunnel that is relayed without being read.
struct TunnelFlow {
  let flow: FlowID
  let isRecorded: Bool
  var tunnel: Tunnel
  let serverName: Hostname?
  /// The rules that let it through last.
  var policy: PolicySnapshot
  /// The host that the device refuses to have intercepted, if that is why.
  let learnedHost: Host?
  var verdict: Verdict
  var sent: UInt64 = 0
  var received: UInt64 = 0
}
