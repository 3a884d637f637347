import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The leaf that a device was shown, until it is known what it makes of it.
struct ShownLeaf {
  let host: Host
  let issuer: LeafIssuer
  /// The upstream's defect that the leaf mirrors, so that no device should trust it; nil of a good leaf.
  let mirrors: String?
  /// Whether a server is behind it: only then would relaying its host mend a refusal.
  let hasServer: Bool
  let since: Instant
}

/// What is done with an upstream that does not verify (`tls.upstream_verify`).
public enum UntrustedUpstreams: String, CaseIterable, Sendable {
  /// It is refused.
  case refuse
  /// The device is shown a leaf that is as untrusted.
  case mirror
  /// It is let through as if it were trusted.
  case accept
}

/// The device's handshake: ours as a server, under a leaf for the host that it asked for.
extension ConnectionMachine {
  /// The name that the leaf is for: what the hello asked for, else what CONNECT named.
  static func leafHost(_ tunnel: Tunnel, _ hello: HelloFacts) -> Host {
    hello.serverName.map { Host.name($0) } ?? tunnel.authority.host
  }

  /// Answers the device's hello; `facts` are of the server's handshake, or nil where we answer for it.
  func secureClient(_ tunnel: Tunnel, _ hello: HelloFacts, upstream facts: HandshakeFacts?) {
    let host = Self.leafHost(tunnel, hello)
    guard self.context.minter.permits(host) else {
      self.alert(
        TLSAlert.accessDenied,
        tunnel,
        hello,
        FlowFailure(
          .clientHandshake,
          origin: .internal,
          detail: "our CA may not issue a leaf for \(host) (ca.permit)"
        )
      )
      return
    }
    let choice: String?
    if let facts {
      choice = facts.applicationProtocol
    } else {
      choice = ["h2", "http/1.1"].first(where: hello.applicationProtocols.contains)
    }
    self.earlyHello = hello
    do throws(TLSFailure) {
      let (leaf, shown) = try self.leaf(for: host, upstream: facts?.peer)
      self.shownLeaf = shown
      self.down.tls = try TLSSession.server(
        self.context.clientTLS,
        leaf: leaf,
        applicationProtocol: choice,
        maximumVersion: facts == nil ? nil : self.up.tls?.negotiatedVersion,
        scope: Self.ticketScope(tunnel, shown)
      )
    } catch {
      self.shownLeaf = nil
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

  /// The leaf to show: a trusted one, unless the server is not trusted and the operator wants that seen.
  private func leaf(
    for host: Host,
    upstream: HandshakeFacts.Peer?
  ) throws(TLSFailure) -> (Leaf, ShownLeaf) {
    let minter = self.context.minter
    if let upstream, !upstream.isTrusted {
      let defect = upstream.verification.flatMap { $0 == "ok" ? nil : $0 } ?? "revoked"
      switch self.context.untrustedUpstreams {
      case .mirror:
        self.cover(
          .unverified,
          nil,
          "\(host) does not verify (\(defect)): the device is shown as much"
        )
        let leaf = try minter.untrustedLeaf(for: host, mirroring: upstream.chain, at: self.now.wall)
        let shown = ShownLeaf(
          host: host,
          issuer: .current,
          mirrors: defect,
          hasServer: true,
          since: self.now.instant
        )
        return (leaf, shown)
      case .refuse, .accept:
        // Of the two only `accept` gets so far: a session that refuses does not establish.
        self.cover(
          .unverified,
          nil,
          "\(host) does not verify (\(defect)) and is let through as configured"
        )
      }
    }
    var issuer = self.context.trust.issuer(for: self.device)
    if issuer == .previous, !minter.hasPrevious(at: self.now.wall, for: host) { issuer = .current }
    let leaf = try minter.leaf(for: host, at: self.now.wall, issuer: issuer)
    let shown = ShownLeaf(
      host: host,
      issuer: issuer,
      mirrors: nil,
      hasServer: upstream != nil,
      since: self.now.instant
    )
    return (leaf, shown)
  }

  /// Where a ticket of this handshake may be used again: for the same target, answered by the same party.
  private static func ticketScope(_ tunnel: Tunnel, _ shown: ShownLeaf) -> String {
    let answerer =
      switch tunnel.answerer {
      case .upstream: shown.mirrors == nil ? "upstream" : "untrusted"
      case .sinkhole: "sinkhole"
      case .site: "site"
      }
    return "\(answerer) \(tunnel.authority)"
  }

  func continueClientHandshake(_ bytes: Bytes) {
    guard case .securingClient(let tunnel, _) = self.stage, let tls = self.down.tls,
      let hello = self.earlyHello
    else { return }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      self.recordSecrets(tls)
      let refusal: LeafRefusal
      if error.code == .alert, let alert = error.alert {
        refusal = LeafRefusal(alert: alert)
      } else if let alert = error.alert, case .parameters = LeafRefusal(alert: alert) {
        // It was we who found nothing in common.
        refusal = .parameters(alert: alert)
      } else {
        refusal = .other
      }
      self.clientHandshakeFailed(tunnel, hello, error.detail, refusal)
      return
    }
    self.recordSecrets(tls)
    guard tls.isEstablished else {
      if tls.peerHasClosed {
        self.clientHandshakeFailed(tunnel, hello, "closed by the device", LeafRefusal(alert: 0))
      }
      return
    }
    self.recordHandshake(tls.facts)
    if plaintext.contains(where: { !$0.isEmpty }) { self.noteLeafAccepted() }
    self.begin(tunnel, hello)
    for part in plaintext { self.takeDeviceBytes(part) }
    self.noteDeviceClose()
  }

  private func recordSecrets(_ tls: TLSSession) {
    for line in tls.takeSecrets() { self.record(.secret(self.id, line: line)) }
  }

  /// The device's handshake ended badly: often because it does not trust our CA, or pins.
  func clientHandshakeFailed(
    _ tunnel: Tunnel,
    _ hello: HelloFacts,
    _ detail: String,
    _ refusal: LeafRefusal
  ) {
    if let tls = self.down.tls { self.recordHandshake(tls.facts) }
    let report = self.noteLeafRefused(refusal)
    let failure = FlowFailure(
      .clientHandshake,
      origin: .downstream,
      detail: report.map { "\($0.kind.rawValue): the device \($0.detail)" } ?? detail
    )
    self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName)
    self.finish(failure)
  }

  /// Both handshakes are over: what ALPN agreed on is spoken now, else the first bytes tell.
  private func begin(_ tunnel: Tunnel, _ hello: HelloFacts) {
    self.earlyHello = nil
    self.helloParser = ClientHelloParser(limits: self.context.limits)
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

  // MARK: What the device makes of the leaf

  /// The device said something under the leaf: it accepts it.
  func noteLeafAccepted() {
    guard let shown = self.shownLeaf else { return }
    self.shownLeaf = nil
    if let defect = shown.mirrors {
      self.cover(
        .acceptsUntrusted,
        nil,
        "the device sent data to \(shown.host) under a certificate that does not verify (\(defect))"
      )
    } else {
      self.context.trust.accepted(self.device, shown.host, issuer: shown.issuer)
    }
  }

  /// The device refused the leaf, or went away before it had said anything under it.
  @discardableResult
  func noteLeafRefused(_ refusal: LeafRefusal) -> RefusalReport? {
    guard let shown = self.shownLeaf else { return nil }
    self.shownLeaf = nil
    // To refuse what no device should trust is right, and tells nothing of pins.
    guard shown.mirrors == nil else { return nil }
    switch refusal {
    case .certificate, .silence(prompt: true):
      self.context.site.clientRejectedCertificate(self.client)
    case .time, .parameters, .silence(prompt: false), .other: break
    }
    let report = self.context.trust.refused(
      self.device,
      shown.host,
      refusal,
      issuer: shown.issuer,
      teaches: shown.hasServer,
      at: self.now.wall
    )
    if let report { self.cover(report.kind, nil, "the device \(report.detail)") }
    return report
  }

  /// The device closed without a word since it was shown the leaf.
  var silentRefusal: LeafRefusal {
    let waited = self.shownLeaf.map { self.now.instant.nanoseconds(since: $0.since) } ?? 0
    return .silence(prompt: waited <= LeafRefusal.promptness)
  }

  /// A device that ends its side before it has said anything under our leaf may have looked at it only then.
  func noteSilentEnd() {
    switch self.stage {
    case .sniffing, .relaying: self.noteLeafRefused(self.silentRefusal)
    case .awaitingRequest, .authenticating, .resolving, .dialling, .awaitingHello,
      .resolvingServerName, .securingUpstream, .settlingUpstream, .securingClient, .tunnelling,
      .draining, .closed:
      return
    }
  }
}
