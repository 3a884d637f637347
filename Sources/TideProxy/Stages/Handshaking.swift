import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// From the device's hello to two established TLS sessions: the server's first, then ours.
extension ConnectionMachine {
  func receivedHello(_ bytes: Bytes) {
    guard case .awaitingHello(let tunnel, _) = self.stage else { return }
    switch self.helloParser.receive(bytes) {
    case .needMore: return
    case .hello(let hello): self.decide(tunnel, hello)
    case .notTLS: self.notTLS(tunnel, self.helloParser.raw)
    case .malformed(let detail):
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
    case .intercept: self.secureUpstream(tunnel, hello)
    case .passthrough: self.passThrough(tunnel, hello)
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

  // MARK: The server's side

  private func secureUpstream(_ tunnel: Tunnel, _ hello: HelloFacts) {
    // The server chooses from what the device offers, so that both legs speak the same. Names that are
    // not text (a browser's grease) have lost their bytes, and mean nothing to a server anyway.
    let offered = hello.applicationProtocols.filter { name in
      !name.isEmpty && name.utf8.count < 256 && !Self.isOtherHTTP(name)
        && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
    do throws(TLSFailure) {
      self.up.tls = try TLSSession.client(
        self.context.upstreamTLS,
        host: Self.leafHost(tunnel, hello),
        applicationProtocols: offered
      )
    } catch {
      self.alert(
        TLSAlert.internalError,
        tunnel,
        hello,
        FlowFailure(.internalError, origin: .internal, detail: error.detail)
      )
      return
    }
    self.stage = .securingUpstream(tunnel, hello, since: self.now.instant)
    self.pause(.down, .waiting)
    let early = self.earlyServerBytes
    self.earlyServerBytes = Bytes()
    if !early.isEmpty { self.continueUpstreamHandshake(early, tunnel, hello) }
  }

  /// Whether a protocol is HTTP by a name, or in a draft, under which nobody here would read it.
  ///
  /// Some servers still take `h2-14` and mean HTTP/2: as a stream it would meet no rule on requests.
  private static func isOtherHTTP(_ name: String) -> Bool {
    switch name {
    case "h2", "http/1.1", "http/1.0": false
    default: ["h2", "http/", "spdy/"].contains { name.hasPrefix($0) }
    }
  }

  func receivedUpstream(_ bytes: Bytes) {
    switch self.stage {
    case .securingUpstream(let tunnel, let hello, _):
      self.continueUpstreamHandshake(bytes, tunnel, hello)
    case .securingClient, .sniffing, .relaying, .awaitingRequest, .authenticating:
      self.receivedResponse(bytes)
    case .tunnelling: self.relayTunnel(bytes, direction: .response)
    case .awaitingHello(let tunnel, _):
      // A server that speaks first before the device says anything: not TLS.
      self.earlyServerBytes.append(bytes)
      self.notTLS(tunnel, self.helloParser.raw)
    case .resolvingServerName: self.earlyServerBytes.append(bytes)
    case .resolving, .dialling, .draining, .closed: return
    }
  }

  private func continueUpstreamHandshake(_ bytes: Bytes, _ tunnel: Tunnel, _ hello: HelloFacts) {
    guard let tls = self.up.tls else { return }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      self.upstreamHandshakeFailed(error, tunnel, hello)
      return
    }
    guard tls.isEstablished else { return }
    self.record(.handshake(self.id, tls.facts, time: self.now.wall))
    for part in plaintext { self.earlyServerBytes.append(part) }
    self.secureClient(tunnel, hello, upstream: tls)
  }

  private func upstreamHandshakeFailed(
    _ error: TLSFailure,
    _ tunnel: Tunnel,
    _ hello: HelloFacts
  ) {
    if let tls = self.up.tls {
      self.record(.handshake(self.id, tls.facts, time: self.now.wall))
    }
    let code: FlowFailure.Code =
      error.verifyError == nil ? .upstreamHandshake : .untrustedUpstream
    self.flushUpstream()  // the alert that our side owes the server
    self.alert(
      alertForClient(error),
      tunnel,
      hello,
      FlowFailure(code, origin: .upstream, detail: error.detail)
    )
  }

  // MARK: The device's side

  /// The name that the leaf is for: what the hello asked for, else what CONNECT named.
  static func leafHost(_ tunnel: Tunnel, _ hello: HelloFacts) -> Host {
    hello.serverName.map { Host.name($0) } ?? tunnel.authority.host
  }

  private func secureClient(_ tunnel: Tunnel, _ hello: HelloFacts, upstream: TLSSession?) {
    let host = Self.leafHost(tunnel, hello)
    let choice: String?
    if let upstream {
      choice = upstream.facts.applicationProtocol
    } else {
      choice = ["h2", "http/1.1"].first(where: hello.applicationProtocols.contains)
    }
    self.earlyHello = hello
    do throws(TLSFailure) {
      let leaf = try self.context.minter.leaf(for: host, at: self.now.wall)
      self.down.tls = try TLSSession.server(
        self.context.clientTLS,
        leaf: leaf,
        applicationProtocol: choice,
        maximumVersion: upstream?.negotiatedVersion
      )
    } catch {
      self.alert(
        TLSAlert.internalError,
        tunnel,
        hello,
        FlowFailure(.internalError, origin: .internal, detail: error.detail)
      )
      return
    }
    self.stage = .securingClient(tunnel, since: self.now.instant)
    self.resume(.down, .waiting)
    let early = self.earlyClientBytes
    self.earlyClientBytes = Bytes()
    self.continueClientHandshake(hello.raw)
    if !early.isEmpty, case .securingClient = self.stage { self.continueClientHandshake(early) }
  }

  func continueClientHandshake(_ bytes: Bytes) {
    guard case .securingClient(let tunnel, _) = self.stage, let tls = self.down.tls,
      let hello = self.earlyHello
    else { return }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      self.clientHandshakeFailed(tunnel, hello, error.detail, rejected: error.code == .alert)
      return
    }
    guard tls.isEstablished else {
      if tls.peerHasClosed {
        self.clientHandshakeFailed(tunnel, hello, "closed by the device", rejected: true)
      }
      return
    }
    self.record(.handshake(self.id, tls.facts, time: self.now.wall))
    self.begin(tunnel, hello)
    for part in plaintext { self.takeDeviceBytes(part) }
    self.noteDeviceClose()
  }

  /// The device ended the handshake: often because it does not trust our CA, or pins.
  func clientHandshakeFailed(
    _ tunnel: Tunnel,
    _ hello: HelloFacts,
    _ detail: String,
    rejected: Bool
  ) {
    if rejected { self.context.site.clientRejectedCertificate(self.client) }
    let failure = FlowFailure(.clientHandshake, origin: .downstream, detail: detail)
    self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName)
    self.finish(failure)
  }

  /// Both handshakes are over: what ALPN agreed on is spoken now, else the first bytes tell.
  private func begin(_ tunnel: Tunnel, _ hello: HelloFacts) {
    self.earlyHello = nil
    self.resume(.up, .waiting)
    switch self.down.tls?.applicationProtocol {
    case "h2": self.beginHTTP(tunnel, hello, isHTTP2: true)
    case "http/1.1", "http/1.0": self.beginHTTP(tunnel, hello, isHTTP2: false)
    case nil: self.beginSniffing(tunnel, hello, Bytes())
    case .some:
      self.beginStream(tunnel, hello)
      let early = self.earlyServerBytes
      self.earlyServerBytes = Bytes()
      if !early.isEmpty { self.takeServerBytes(early) }
    }
  }

  // MARK: Refusals

  /// Ends the device's handshake with a fatal alert that names the cause; no padlock is ever shown.
  func alert(
    _ alert: UInt8,
    _ tunnel: Tunnel,
    _ hello: HelloFacts,
    _ failure: FlowFailure,
    rule: RuleID? = nil
  ) {
    self.closeUpstream(.afterFlush)
    self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName, rule: rule)
    do throws(TLSFailure) {
      let session = try TLSSession.refusal(self.context.clientTLS, alert: alert)
      self.down.tls = session
      var none: [Bytes] = []
      try session.receive(hello.raw, &none)
    } catch {
      // The refusal itself always ends in an error: its alert is in the session's output.
    }
    self.drain(failure)
  }

  /// Closes a tunnel on which there is no TLS to say it in.
  func refuseTunnel(
    _ tunnel: Tunnel,
    _ failure: FlowFailure,
    serverName: Hostname?,
    rule: RuleID? = nil
  ) {
    self.recordTunnelRefusal(tunnel, failure, serverName: serverName, rule: rule)
    self.sniffed = Bytes()
    self.finish(failure)
  }

  func recordTunnelRefusal(
    _ tunnel: Tunnel,
    _ failure: FlowFailure,
    serverName: Hostname?,
    rule: RuleID? = nil
  ) {
    if case .site = tunnel.answerer { return }
    self.recordRefusal(
      authority: tunnel.authority,
      candidates: tunnel.candidates,
      target: tunnel.target,
      serverName: serverName,
      method: "CONNECT",
      url: tunnel.authority.description,
      status: 200,
      verdict: rule.map { Verdict(decided: .block, applied: .block, rule: $0) }
        ?? tunnel.decision?.verdict ?? .pass,
      failure: failure
    )
  }
}
