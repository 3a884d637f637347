import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// What time does: patience that ends, and what only passing bytes need.
extension ConnectionMachine {
  /// Whether nothing is under way, and only a request or the end of patience can come.
  ///
  /// Such a connection need not be ticked as often as others.
  public var isAtRest: Bool {
    guard case .relaying = self.stage, self.exchange == nil, self.headSince == nil,
      self.requestedHosts.awaited == nil, self.scans.isEmpty
    else { return false }
    guard let multiplex = self.multiplex else { return true }
    return multiplex.exchanges.isEmpty && multiplex.headSince == nil
  }

  func tick() {
    // Who is not read because the recorder has no room is not late.
    if self.isWaitingForRoom, self.waitsForPeer { return }
    let limits = self.context.timeouts
    switch self.stage {
    case .awaitingRequest(let since):
      if let since, self.hasPassed(limits.header, since: since), self.deviceCodec.isMidHead {
        self.finish(
          FlowFailure(.idleTimeout, origin: .downstream, detail: "a request head took too long")
        )
      } else if self.hasPassed(limits.idle, since: self.lastActivity) {
        self.finish(nil)
      }
    case .resolving(let destination, let since):
      guard self.hasPassed(limits.dns, since: since) else { return }
      self.refuse(
        destination,
        Self.lateAnswer(for: destination.authority.host),
        rule: nil
      )
    case .dialling(let destination, let targets, let since):
      guard self.hasPassed(limits.connect, since: since) else { return }
      self.dialFailed(
        destination,
        targets,
        FlowFailure(
          .connectTimeout,
          origin: .upstream,
          detail: "\(targets.first?.address.description ?? "") did not accept in time"
        )
      )
    case .awaitingHello(let tunnel, let since):
      guard self.hasPassed(limits.handshake, since: since) else { return }
      self.refuseTunnel(
        tunnel,
        FlowFailure(.badHello, origin: .downstream, detail: "no whole ClientHello in time"),
        serverName: nil
      )
    case .resolvingServerName(let tunnel, let hello, let since):
      if self.hasPassed(limits.dns, since: since) {
        self.serverNameResolved(
          tunnel,
          hello,
          .failure(Self.lateAnswer(for: hello.serverName?.text ?? ""))
        )
      }
    case .securingUpstream(let tunnel, let hello, let since):
      guard self.hasPassed(limits.handshake, since: since) else { return }
      self.upstreamHandshakeEnded(tunnel, hello, "the server's handshake took too long")
    case .settlingUpstream(let open): self.tickSettlement(open)
    case .securingClient(let tunnel, let since):
      guard self.hasPassed(limits.handshake, since: since), let hello = self.earlyHello else {
        return
      }
      self.clientHandshakeFailed(
        tunnel,
        hello,
        "the device's handshake took too long",
        .other
      )
    case .authenticating(let since): self.tickAuthenticating(since: since)
    case .sniffing(let tunnel, let hello, let since):
      self.tickSniffing(tunnel, hello, since: since)
    case .relaying:
      self.rest()
      self.tickRequestedHost()
      self.tickScans()
      self.releaseQuietContent()
      if let multiplex = self.multiplex {
        self.tickStreams(multiplex)
      } else {
        self.judgePlainStreamAgain()
        self.tickExchange()
      }
    case .tunnelling:
      self.judgeTunnelAgain()
      self.endTunnelOverTime()
      if self.hasPassed(limits.idle, since: self.lastActivity) {
        self.finish(
          FlowFailure(.idleTimeout, origin: .downstream, detail: "nothing came for too long")
        )
      }
    case .draining(let since):
      if self.hasPassed(Self.drainTime, since: since) { self.finish(nil) }
    case .closed: return
    }
  }

  func tickExchange() {
    let limits = self.context.timeouts
    guard let exchange = self.exchange else {
      if let since = self.headSince, self.hasPassed(limits.header, since: since) {
        self.finish(
          FlowFailure(.idleTimeout, origin: .downstream, detail: "a request head took too long")
        )
      } else if self.hasPassed(limits.idle, since: self.lastActivity) {
        self.finish(nil)
      }
      return
    }
    if let ended = exchange.requestEndedAt, exchange.response == nil,
      self.hasPassed(limits.response, since: ended)
    {
      self.fail(
        exchange,
        FlowFailure(.responseTimeout, origin: .upstream, detail: "no response in time")
      )
    } else if self.hasPassed(limits.idle, since: self.lastActivity) {
      self.fail(
        exchange,
        FlowFailure(.idleTimeout, origin: .upstream, detail: "nothing came for too long")
      )
    }
  }

  private var waitsForPeer: Bool {
    switch self.stage {
    case .awaitingRequest, .awaitingHello, .securingUpstream, .settlingUpstream, .securingClient,
      .sniffing, .relaying, .tunnelling:
      true
    case .authenticating, .resolving, .dialling, .resolvingServerName, .draining, .closed: false
    }
  }

  /// Begins anew every wait for a peer that could not be heard until now.
  func restartWaits() {
    let now = self.now.instant
    self.lastActivity = now
    if self.headSince != nil { self.headSince = now }
    for exchange in [self.exchange].compactMap(\.self) + (self.multiplex?.inOrder ?? []) {
      exchange.lastActivity = now
      if exchange.requestEndedAt != nil { exchange.requestEndedAt = now }
    }
    if self.multiplex?.headSince != nil { self.multiplex?.headSince = now }
    switch self.stage {
    case .awaitingRequest(let since): self.stage = .awaitingRequest(since: since.map { _ in now })
    case .awaitingHello(let tunnel, _): self.stage = .awaitingHello(tunnel, since: now)
    case .securingUpstream(let tunnel, let hello, _):
      self.stage = .securingUpstream(tunnel, hello, since: now)
    case .settlingUpstream(let open): open.since = now
    case .securingClient(let tunnel, _): self.stage = .securingClient(tunnel, since: now)
    case .sniffing(let tunnel, let hello, _): self.stage = .sniffing(tunnel, hello, since: now)
    case .authenticating, .resolving, .dialling, .resolvingServerName, .relaying,
      .tunnelling, .draining, .closed:
      return
    }
  }

  func hasPassed(_ wait: UInt64, since: Instant) -> Bool {
    self.now.instant.nanoseconds(since: since) > wait
  }
}
