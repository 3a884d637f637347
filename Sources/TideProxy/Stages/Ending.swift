import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// How a connection ends: peers that close, waits that run out, the proxy's own stop.
extension ConnectionMachine {
  /// How long an answer's reader is given to take it and close.
  private static let drainTime: UInt64 = 2_000_000_000

  /// The device's side ended.
  ///
  /// `isNotice` says that TLS told so (close_notify), and not TCP. Inside TLS a device that still wants its
  /// answer says it there; a FIN is one that is gone.
  func downstreamClosed(_ kind: CloseKind, isNotice: Bool = false) {
    self.noteSilentEnd()
    switch self.stage {
    case .tunnelling where kind == .end && !self.deviceHasEnded:
      // A half-closed tunnel goes on the other way.
      self.down.isOpen = true
      if let leg = self.leg { self.commands.append(.close(leg, .writing)) }
      self.deviceHasEnded = true
      if self.serverHasEnded { self.finish(nil) }
      return
    case .resolving where kind == .end && self.hasQueuedEnd,
      .dialling where kind == .end && self.hasQueuedEnd,
      .relaying
    where kind == .end && self.rawExchange == nil && (isNotice || self.down.tls == nil)
      && (self.exchange?.requestEndedAt != nil || self.exchange?.request.awaitsScan == true
        || self.hasQueuedEnd):
      // The request is whole: a device that half-closes still wants its answer (RFC 9112 §9.6). One
      // that is gone is noticed by the reset that the answer meets.
      self.deviceHasEnded = true
      return
    case .authenticating where kind == .end && self.hasQueuedEnd && !self.hasQueuedTunnel:
      self.deviceHasEnded = true
      return
    case .sniffing(let tunnel, let hello, _) where kind == .end:
      self.sniffingEnded(.request, tunnel, hello)
      return
    case .relaying where kind == .end && self.rawExchange != nil:
      if let exchange = self.rawExchange {
        self.down.isOpen = true
        self.streamEnded(.request, isCut: false, exchange)
      }
      return
    case .securingClient(let tunnel, _):
      if let hello = self.earlyHello {
        self.clientHandshakeFailed(
          tunnel,
          hello,
          "closed by the device in its handshake",
          self.silentRefusal
        )
        return
      }
    case .awaitingHello(let tunnel, _):
      self.refuseTunnel(
        tunnel,
        FlowFailure(.truncated, origin: .downstream, detail: "closed before a ClientHello"),
        serverName: nil
      )
      return
    case .draining, .closed:
      self.finish(nil)  // the cause is recorded already
      return
    case .awaitingRequest, .authenticating, .resolving, .dialling, .resolvingServerName,
      .securingUpstream, .settlingUpstream, .sniffing, .relaying, .tunnelling:
      break
    }
    let isCut =
      self.exchange != nil || self.multiplex?.exchanges.isEmpty == false || kind == .reset
    self.finish(
      isCut
        ? FlowFailure(.truncated, origin: .downstream, detail: "closed by the device") : nil,
      mode: kind == .reset || self.exchange != nil ? .abort : .afterFlush
    )
  }

  /// Whether the request that waits is a CONNECT, which its device's end makes void.
  private var hasQueuedTunnel: Bool {
    if case .head(let head)? = self.requestParts.first { return head.method == "CONNECT" }
    return false
  }

  /// The exchange under way if it is a stream of bytes or a WebSocket over HTTP/1.
  private var rawExchange: Exchange? {
    if let exchange = self.exchange, case .raw = exchange.wire { return exchange }
    return nil
  }

  /// Records the flow of a way that was being made when the connection ended.
  func recordAbandoned(_ failure: FlowFailure?) {
    let failure =
      failure
      ?? FlowFailure(
        .truncated,
        origin: .downstream,
        detail: "the device left while its way was being made"
      )
    switch self.stage {
    case .resolving(let destination, _), .dialling(let destination, _, _):
      self.recordRefusal(destination, failure, status: 0)
    case .resolvingServerName(let tunnel, let hello, _):
      self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName)
    case .securingUpstream(let tunnel, let hello, _):
      if let tls = self.up.tls { self.recordUpstream(tls, at: Self.leafHost(tunnel, hello)) }
      self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName)
    case .settlingUpstream(let open):
      self.recordUpstream(open.tls, at: Self.leafHost(open.tunnel, open.hello))
      self.recordTunnelRefusal(open.tunnel, failure, serverName: open.hello.serverName)
    case .securingClient(let tunnel, _):
      // `clientHandshakeFailed` has told of its own, and then there is no leaf whose outcome is open.
      guard self.shownLeaf != nil else { return }
      self.recordTunnelRefusal(tunnel, failure, serverName: self.earlyHello?.serverName)
    case .sniffing(let tunnel, let hello, _):
      if !self.sniffed.isEmpty {
        self.recordTunnelRefusal(tunnel, failure, serverName: hello?.serverName)
      }
    case .awaitingRequest, .authenticating, .awaitingHello, .relaying, .tunnelling, .draining,
      .closed:
      return
    }
  }

  /// Whether a whole request waits for its way; of a CONNECT, which asks for no answer, no head does.
  private var hasQueuedEnd: Bool {
    guard case .head = self.requestParts.first else { return false }
    return self.requestParts.contains { part in
      switch part {
      case .end: true
      case .head, .body, .trailers: false
      }
    }
  }

  func upstreamClosed(_ kind: CloseKind) {
    switch self.stage {
    case .dialling(let destination, let targets, _):
      self.dialFailed(
        destination,
        targets,
        FlowFailure(.connectionRefused, origin: .upstream, detail: "closed while connecting")
      )
    case .awaitingHello(let tunnel, _):
      self.refuseTunnel(
        tunnel,
        FlowFailure(.truncated, origin: .upstream, detail: "closed by the server before a hello"),
        serverName: nil
      )
    case .resolvingServerName(let tunnel, let hello, _),
      .securingUpstream(let tunnel, let hello, _):
      if let tls = self.up.tls { self.recordUpstream(tls, at: Self.leafHost(tunnel, hello)) }
      self.alert(
        TLSAlert.handshakeFailure,
        tunnel,
        hello,
        FlowFailure(
          .upstreamHandshake,
          origin: .upstream,
          detail: "closed by the server in its handshake"
        )
      )
    case .settlingUpstream(let open):
      self.recordUpstream(open.tls, at: Self.leafHost(open.tunnel, open.hello))
      let why =
        open.awaitsServer ? ": it asked for a client certificate and none is configured for it" : ""
      self.alert(
        TLSAlert.handshakeFailure,
        open.tunnel,
        open.hello,
        FlowFailure(
          .upstreamHandshake,
          origin: .upstream,
          detail: "closed by the server after its handshake\(why)"
        )
      )
    case .securingClient:
      self.finish(
        FlowFailure(.truncated, origin: .upstream, detail: "closed by the server")
      )
    case .sniffing(let tunnel, let hello, _) where kind == .end:
      self.sniffingEnded(.response, tunnel, hello)
    case .sniffing:
      self.finish(
        FlowFailure(.truncated, origin: .upstream, detail: "reset by the server"),
        mode: .abort
      )
    case .relaying, .awaitingRequest, .authenticating: self.responseEnded(kind)
    case .tunnelling:
      guard kind == .end else {
        self.finish(
          FlowFailure(.truncated, origin: .upstream, detail: "reset by the server"),
          mode: .abort
        )
        return
      }
      guard !self.deviceHasEnded, !self.serverHasEnded else {
        self.finish(nil)
        return
      }
      self.serverHasEnded = true
      self.down.closing = .writing
    case .resolving, .draining, .closed: return
    }
  }

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
      if let tls = self.up.tls { self.recordUpstream(tls, at: Self.leafHost(tunnel, hello)) }
      self.alert(
        TLSAlert.handshakeFailure,
        tunnel,
        hello,
        FlowFailure(
          .upstreamHandshake,
          origin: .upstream,
          detail: "the server's handshake took too long"
        )
      )
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

  /// Finishes what is under way and begins nothing; a second call ends it at once.
  func shutdown() {
    let failure = FlowFailure(.shutdown, origin: .internal, detail: "the proxy is stopping")
    guard !self.isStopping else {
      self.finish(failure)
      return
    }
    self.isStopping = true
    switch self.stage {
    case .relaying where self.multiplex != nil:
      guard let multiplex = self.multiplex else { return }
      multiplex.isRefusing = true
      // A WebSocket may last for ever: it is told to come again (RFC 6455 §7.4.1).
      for exchange in multiplex.inOrder where exchange.socket != nil {
        self.stopSocket(exchange, failure)
      }
      multiplex.device.goAway(.noError)
    case .relaying where self.exchange?.socket != nil:
      if let exchange = self.exchange { self.stopSocket(exchange, failure) }
    case .relaying where self.exchange != nil && self.rawExchange == nil, .draining, .closed: return
    case .awaitingRequest, .authenticating, .sniffing, .relaying, .tunnelling: self.finish(nil)
    case .resolving, .dialling, .awaitingHello, .resolvingServerName, .securingUpstream,
      .settlingUpstream, .securingClient:
      self.finish(failure)
    }
  }
}
