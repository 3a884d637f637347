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
      self.decide(tunnel, hello, named: [])
      return
    }
    if tunnel.authority.host.isName, self.context.policy.settings.fronting == .refuse {
      self.decide(tunnel, hello, named: [])
      return
    }
    // The name of an IP literal, or of a front: looked up only to add verdicts, never to be dialled.
    self.stage = .resolvingServerName(tunnel, hello, since: self.now.instant)
    self.pause(.down, .waiting)
    self.pause(.up, .waiting)
    self.commands.append(.resolve(name))
  }

  /// Decides on a hello whose name, if it is not the CONNECT target's, leads to `named`.
  func decide(_ tunnel: Tunnel, _ hello: HelloFacts, named addresses: [IPAddress]) {
    let policy = self.context.policy
    var tunnel = tunnel
    tunnel.named = addresses.prefix(self.context.limits.candidates).map(policy.candidate)
    self.resume(.up, .waiting)
    let decision = policy.decideHello(
      hello,
      for: HelloContext(
        device: self.device,
        authority: tunnel.authority,
        address: tunnel.target?.address,
        candidates: tunnel.decision?.candidates ?? [],
        serverNameCandidates: tunnel.named
      )
    )
    switch decision {
    case .intercept: self.intercept(tunnel, hello)
    case .passthrough: self.passThrough(tunnel, hello, because: .configured)
    case .sinkhole(let rule):
      self.closeUpstream(.abort)
      let sinkhole = Tunnel(
        authority: tunnel.authority,
        answerer: .sinkhole(rule),
        decision: tunnel.decision,
        target: nil,
        named: tunnel.named
      )
      self.secureClient(sinkhole, hello, upstream: nil)
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
  private func intercept(_ tunnel: Tunnel, _ hello: HelloFacts) {
    let host = Self.leafHost(tunnel, hello)
    if !self.context.minter.permits(host) {
      self.passThrough(tunnel, hello, because: .outsidePermit)
    } else if self.context.trust.isLearned(self.device, host, at: self.now.wall) {
      self.passThrough(tunnel, hello, because: .learned)
    } else {
      self.secureUpstream(tunnel, hello)
    }
  }
}
