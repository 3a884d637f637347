import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// How a connection ends: peers that close, waits that run out, the proxy's own stop.
extension ConnectionMachine {
  /// How long an answer's reader is given to take it and close.
  static let drainTime: UInt64 = 2_000_000_000

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
      self.upstreamHandshakeEnded(tunnel, hello, "closed by the server in its handshake")
    case .settlingUpstream(let open):
      let why =
        open.awaitsServer ? ": it asked for a client certificate and none is configured for it" : ""
      self.upstreamHandshakeEnded(
        open.tunnel,
        open.hello,
        "closed by the server after its handshake\(why)"
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
