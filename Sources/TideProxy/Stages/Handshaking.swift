import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The device's hello: read, judged, and answered or passed on.
extension ConnectionMachine {
  func receivedHello(_ bytes: Bytes) {
    guard case .awaitingHello(let tunnel, _) = self.stage else { return }
    switch self.helloParser.receive(bytes) {
    case .needMore: return
    case .hello(let hello): self.decide(tunnel, hello)
    case .notTLS: self.notTLS(tunnel, self.helloParser.raw)
    case .malformed(let detail):
      // In plain, as all alerts are before there are keys (RFC 8446 §6, §5.1).
      self.down.output += [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, TLSAlert.decodeError]
      self.refuseTunnel(
        tunnel,
        FlowFailure(.badHello, origin: .downstream, detail: detail),
        serverName: nil
      )
    case .tooLarge:
      self.refuseTunnel(
        tunnel,
        FlowFailure(
          .badHello,
          origin: .downstream,
          detail: "a ClientHello of more than \(self.context.limits.helloBytes) bytes"
        ),
        serverName: nil
      )
    }
  }

  private func decide(_ tunnel: Tunnel, _ hello: HelloFacts) {
    self.record(.hello(self.id, hello, time: self.now.wall))
    guard !hello.hasMalformedServerName else {
      self.alert(
        TLSAlert.unrecognizedName,
        tunnel,
        hello,
        FlowFailure(.badHello, origin: .downstream, detail: "a server name that is no host name")
      )
      return
    }
    switch tunnel.answerer {
    case .site, .sinkhole:
      if let name = hello.serverName, tunnel.authority.host.isName,
        tunnel.authority.host != .name(name), self.context.policy.settings.fronting == .refuse
      {
        self.refuseFronting(tunnel, hello)
      } else {
        self.secureClient(tunnel, hello, upstream: nil)
      }
      return
    case .upstream: break
    }
    guard let name = hello.serverName, tunnel.authority.host != .name(name) else {
      self.decide(tunnel, hello, named: nil)
      return
    }
    if tunnel.authority.host.isName, self.context.policy.settings.fronting == .refuse {
      self.decide(tunnel, hello, named: nil)
      return
    }
    // The name of an IP literal, or of a front: looked up only to add verdicts, never to be dialled.
    self.stage = .resolvingServerName(tunnel, hello, since: self.now.instant)
    self.pause(.down, .waiting)
    self.pause(.up, .waiting)
    self.commands.append(.resolve(name))
  }

  /// The server name was looked up, or could not be.
  func serverNameResolved(
    _ tunnel: Tunnel,
    _ hello: HelloFacts,
    _ result: Result<Resolution, FlowFailure>
  ) {
    switch result {
    case .success(let resolution):
      if let name = hello.serverName {
        self.record(.lookedUp(self.id, name, resolution, time: self.now.wall))
      }
      self.decide(tunnel, hello, named: resolution)
    case .failure(let failure):
      // A name without addresses adds no verdict; the address that is dialled was judged.
      guard self.mayStayUnknown(failure) else {
        self.resume(.up, .waiting)
        self.alert(TLSAlert.unrecognizedName, tunnel, hello, failure)
        return
      }
      self.decide(tunnel, hello, named: nil)
    }
  }

  /// Decides on a hello whose name, if it is not the CONNECT target's, leads to `named`.
  func decide(_ tunnel: Tunnel, _ hello: HelloFacts, named: Resolution?) {
    let policy = self.context.policy
    var tunnel = tunnel
    tunnel.named = (named?.addresses ?? []).map(policy.candidate)
    for alias in named?.aliases ?? [] where !tunnel.aliases.contains(alias) {
      tunnel.aliases.append(alias)
    }
    self.resume(.up, .waiting)
    let decision = policy.decideHello(
      hello,
      for: HelloContext(
        device: self.judgedDevice,
        authority: tunnel.authority,
        address: tunnel.target?.address,
        candidates: tunnel.asked,
        serverNameCandidates: tunnel.named,
        aliases: tunnel.aliases
      )
    )
    switch decision {
    case .intercept: self.intercept(tunnel, hello)
    case .passthrough: self.passThrough(tunnel, hello, because: .configured)
    case .sinkhole(let rule):
      self.closeUpstream(.abort)
      self.secureClient(tunnel.sinkholed(by: rule), hello, upstream: nil)
    case .refuseFronting: self.refuseFronting(tunnel, hello)
    case .refuse(let rule):
      self.alert(
        TLSAlert.accessDenied,
        tunnel,
        hello,
        FlowFailure(.blockedByRule, origin: .internal, detail: "blocked by rule \(rule)"),
        rule: rule
      )
    }
  }

  private func refuseFronting(_ tunnel: Tunnel, _ hello: HelloFacts) {
    self.alert(
      TLSAlert.unrecognizedName,
      tunnel,
      hello,
      FlowFailure(
        .fronting,
        origin: .downstream,
        detail: "the hello names \(hello.serverName?.text ?? "no host"), CONNECT another"
      )
    )
  }

  /// Intercepts, unless no leaf of ours could be for the host or the device is known to refuse it.
  ///
  /// Neither may be used to get another server out of sight: what is not intercepted for a name goes to
  /// that name's own addresses only, and not at all where a rule forbids it.
  private func intercept(_ tunnel: Tunnel, _ hello: HelloFacts) {
    let host = Self.leafHost(tunnel, hello)
    guard self.context.minter.permits(host) else {
      self.leaveUnpermitted(tunnel, hello)
      return
    }
    if self.context.trust.isLearned(self.device, host, at: self.now.wall),
      Self.leadsTo(host, tunnel),
      self.undecryptedRule(tunnel, serverName: hello.serverName) == nil
    {
      self.passThrough(tunnel, hello, because: .learned)
    } else {
      self.secureUpstream(tunnel, hello)
    }
  }

  /// A host outside the limits of our CA, for which a leaf would be of no use.
  private func leaveUnpermitted(_ tunnel: Tunnel, _ hello: HelloFacts) {
    let target = tunnel.authority.host
    let isNameless = hello.serverName == nil && !target.isName
    // An address without a name may be anyone's; a permitted name must not be hidden behind another.
    let isProven =
      isNameless ? !self.context.isEnforcing : Self.leadsTo(Self.leafHost(tunnel, hello), tunnel)
    guard isProven, !target.isName || !self.context.minter.permits(target) else {
      self.alert(
        TLSAlert.unrecognizedName,
        tunnel,
        hello,
        FlowFailure(
          .opaque,
          origin: .downstream,
          detail: "what is outside ca.permit goes by its own name, to its own address"
        )
      )
      return
    }
    self.passThrough(tunnel, hello, because: .outsidePermit)
  }

  /// Whether the server that was dialled is the host's: asked for by that name, or at one of its addresses.
  private static func leadsTo(_ host: Host, _ tunnel: Tunnel) -> Bool {
    if tunnel.authority.host == host { return true }
    guard let address = tunnel.target?.address.unmapped else { return false }
    return !tunnel.authority.host.isName && tunnel.named.contains { $0.address.unmapped == address }
  }
}
