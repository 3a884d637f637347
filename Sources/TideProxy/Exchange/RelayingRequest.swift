import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The request's way through an exchange: judged at its head, at each window, at its end.
extension ConnectionMachine {
  /// Handles the next part of the request under way.
  func relayRequest(_ part: MessagePart) {
    switch part {
    case .head(let head): self.beginHTTP1Exchange(head)
    case .body(let bytes):
      guard let exchange = self.exchange else { return }
      self.relayBody(bytes, exchange.request, exchange)
    case .trailers(let fields):
      guard let exchange = self.exchange else { return }
      self.relayTrailers(fields, exchange.request, exchange)
    case .end:
      guard let exchange = self.exchange else { return }
      self.endMessage(exchange.request, exchange)
    }
  }

  /// Decrypts what the device sent and handles the requests in it.
  func receivedEncryptedRequest(_ bytes: Bytes) {
    guard let tls = self.down.tls else { return }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      if plaintext.contains(where: { !$0.isEmpty }) { self.noteLeafAccepted() }
      for part in plaintext { self.takeDeviceBytes(part) }
      // Some look at the certificate only after the handshake.
      if error.code == .alert, let alert = error.alert {
        self.noteLeafRefused(LeafRefusal(alert: alert))
      }
      self.finish(FlowFailure(.truncated, origin: .downstream, detail: error.detail), mode: .abort)
      return
    }
    if plaintext.contains(where: { !$0.isEmpty }) { self.noteLeafAccepted() }
    for part in plaintext { self.takeDeviceBytes(part) }
    self.noteDeviceClose()
  }

  /// Plain bytes from the device after CONNECT, read as its side of the connection is.
  func takeDeviceBytes(_ bytes: Bytes) {
    switch self.stage {
    case .sniffing(let tunnel, let hello, _): self.sniff(bytes, tunnel, hello)
    case .relaying where self.multiplex != nil: self.receivedDeviceFrames(bytes)
    case .relaying:
      self.judgePlainStreamAgain()
      if let exchange = self.exchange, case .raw = exchange.wire {
        guard self.isStillNoHTTP(bytes, exchange) else { return }
        self.relayBody(bytes, exchange.request, exchange)
      } else {
        self.parseRequest(bytes)
      }
    case .awaitingRequest, .authenticating, .resolving, .dialling, .awaitingHello,
      .resolvingServerName, .securingUpstream, .settlingUpstream, .securingClient, .tunnelling,
      .draining, .closed:
      return
    }
  }

  /// A close_notify from the device ends its side as a FIN would.
  func noteDeviceClose() {
    switch self.stage {
    case .relaying, .sniffing:
      if self.down.tls?.peerHasClosed == true { self.downstreamClosed(.end, isNotice: true) }
    case .awaitingRequest, .authenticating, .resolving, .dialling, .awaitingHello,
      .resolvingServerName, .securingUpstream, .settlingUpstream, .securingClient, .tunnelling,
      .draining, .closed:
      return
    }
  }

  private func beginHTTP1Exchange(_ head: MessageHead) {
    self.headSince = nil
    if self.awaitsHost(of: head) {
      self.requestParts.insert(.head(head), at: 0)
      return
    }
    self.deviceCodec.willAnswer(method: head.method)
    let size = Self.size(self.deviceCodec.receivedFraming)
    self.beginExchange(head, .http1, self.kind(ofHTTP1: head, size: size), size: size)
  }

  /// What a request over HTTP/1 is; an upgrade to anything but WebSocket is not one (RFC 9110 §7.8).
  ///
  /// Nor is one with content, which a server that upgrades to nothing would take as any other request's.
  private func kind(ofHTTP1 head: MessageHead, size: UInt64?) -> ExchangeKind {
    guard size == 0, head.fields.firstIndex(named: "upgrade") != nil else { return .http1 }
    return WebSocketHandshake(request: head) == nil ? .http1 : .websocket(overHTTP2: false)
  }

  /// Begins an exchange with a request's head: judged, then forwarded or held.
  ///
  /// `isLast` says that over HTTP/2 the stream's request ends with it.
  func beginExchange(
    _ head: MessageHead,
    _ wire: Wire,
    _ kind: ExchangeKind,
    size: UInt64?,
    isLast: Bool = false
  ) {
    guard let route = self.route else { return }
    let destination: RequestDestination
    do throws(HTTPFailure) {
      destination = try RequestDestination(head, route: route)
    } catch {
      self.refuseHead(
        head,
        wire,
        FlowFailure(.malformedTarget, origin: .downstream, detail: error.detail)
      )
      return
    }
    let relay = MessageRelay(direction: .request, head: head, declaredSize: size)
    relay.isHeadLast = isLast
    var hosts = route.names
    if let host = destination.named?.host, !hosts.contains(host) { hosts.append(host) }
    let isRecorded =
      switch route.answerer {
      case .site: false
      case .upstream, .sinkhole: true
      }
    let exchange = Exchange(
      flow: isRecorded ? self.context.numbering.flow() : FlowID(0),
      isRecorded: isRecorded,
      kind: kind,
      wire: wire,
      hosts: hosts,
      path: destination.path,
      request: relay,
      context: self.context,
      persists: head.isPersistent,
      at: self.now.instant
    )
    exchange.requestedHost = self.requestedHost(destination, route)
    switch wire {
    case .http1, .raw: self.exchange = exchange
    case .http2(let stream): self.multiplex?.exchanges[stream] = exchange
    }
    guard isRecorded else {
      self.answerExpectation(relay, exchange, route: route)
      return
    }
    self.recordStart(exchange, route: route)
    if let failure = self.authorityFailure(destination, route: route) {
      self.fail(exchange, failure)
      return
    }
    guard self.judgeRequestedHost(exchange, route) else { return }
    self.offerSocket(exchange)
    guard self.judgeHead(relay, exchange) else { return }
    relay.rewrite = .request(destination, route)
    self.answerExpectation(relay, exchange, route: route)
    relay.outgoing = self.rewritten(relay, exchange)
    if !relay.holdsHead { self.forwardHead(relay, exchange) }
  }

  /// Refuses a request for which there is no exchange.
  private func refuseHead(_ head: MessageHead, _ wire: Wire, _ failure: FlowFailure) {
    switch wire {
    case .http1, .raw:
      self.answer(failure, authority: self.route?.facts.authority, rule: nil, to: head)
    case .http2(let stream): self.refuseStream(stream, failure, fields: head.fields)
    }
  }

  func recordStart(_ exchange: Exchange, route: Route) {
    self.record(
      .flowStarted(
        FlowStart(
          flow: exchange.flow,
          facts: route.facts,
          time: self.now.wall,
          method: exchange.method.text,
          url: route.origin + exchange.path.text,
          protocolName: exchange.kind.name
        )
      )
    )
    if self.context.keepsBodies, !exchange.request.head.raw.isEmpty {
      self.record(.head(exchange.flow, .request, .original, exchange.request.head.recordable))
    }
  }

  /// Why the request is for somebody else than the server this connection was decided for; nil if not.
  ///
  /// Routing follows the CONNECT target alone; a Host that differs would be domain fronting or
  /// coalescing, and is answered with `421` (RFC 9110 §15.5.20) unless `tls.fronting` is `judge`.
  private func authorityFailure(
    _ destination: RequestDestination,
    route: Route
  ) -> FlowFailure? {
    guard let named = destination.named else {
      // Without a host a server would choose one: no rule could have named it.
      let hasEmptyHost = route.isTunnel && destination.hasHost
      guard destination.hasMalformedHost || hasEmptyHost else { return nil }
      return FlowFailure(
        .malformedMessage,
        origin: .downstream,
        detail: "a Host field that is no host"
      )
    }
    guard route.isTunnel, self.context.policy.settings.fronting == .refuse else { return nil }
    guard named.host != route.leafHost || named.port != route.facts.authority.port else {
      return nil
    }
    return FlowFailure(
      .misdirected,
      origin: .downstream,
      detail: "the request is for \(named), the connection for \(route.leafHost)"
    )
  }

  /// The size of the content, where the framing says it.
  static func size(_ framing: BodyFraming) -> UInt64? {
    switch framing {
    case .none: 0
    case .length(let count): count
    case .chunked, .untilClose: nil
    }
  }

  /// Says "go on" ourselves where the server will not see the head before the body is whole.
  private func answerExpectation(_ relay: MessageRelay, _ exchange: Exchange, route: Route) {
    guard relay.head.version != .http10,
      relay.head.fields.tokens("expect").contains("100-continue")
    else { return }
    var isOurs = relay.holding == .body
    switch route.answerer {
    case .upstream: break
    case .sinkhole, .site: isOurs = true
    }
    guard isOurs else { return }
    relay.hasMetExpectation = true
    let goOn = MessageHead(
      start: .response(status: 100, reason: "Continue"),
      version: relay.head.version,
      fields: HeaderFields()
    )
    self.forward(.head(goOn), .response, exchange)
  }
}
