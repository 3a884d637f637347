import TideCore
import TideHTTP
import TidePolicy

/// The device's plain side: proxy requests (CONNECT, absolute-form) and requests for ourselves.
extension ConnectionMachine {
  func receivedDownstream(_ bytes: Bytes) {
    switch self.stage {
    case .awaitingRequest(let since):
      self.keepReceived(bytes)
      // The first byte of a TLS record: somebody took this port for an HTTPS proxy or a server.
      if since == nil, self.deviceCodec.isBetweenMessages, bytes.first == 0x16 {
        self.finish(
          FlowFailure(
            .malformedMessage,
            origin: .downstream,
            detail: "TLS on the plain HTTP proxy port"
          )
        )
        return
      }
      if since == nil { self.stage = .awaitingRequest(since: self.now.instant) }
      self.parseRequest(bytes)
    case .authenticating, .resolving, .dialling:
      self.keepReceived(bytes)
      self.parseRequest(bytes)
    case .awaitingHello:
      self.keepReceived(bytes)
      self.receivedHello(bytes)
    // One read at most: the leg is paused.
    case .resolvingServerName, .securingUpstream, .settlingUpstream:
      self.keepReceived(bytes)
      self.earlyClientBytes.append(bytes)
    case .securingClient:
      self.keepReceived(bytes)
      self.continueClientHandshake(bytes)
    case .relaying, .sniffing:
      self.keepReceived(bytes)
      guard self.down.tls != nil else {
        self.takeDeviceBytes(bytes)
        return
      }
      self.receivedEncryptedRequest(bytes)
    case .tunnelling: self.relayTunnel(bytes, direction: .request)
    case .draining: if self.tap.isOpen { self.keepReceived(bytes) }
    case .closed: return
    }
  }

  /// Parses request bytes and handles what can be handled now.
  func parseRequest(_ bytes: Bytes) {
    do throws(HTTPFailure) {
      try self.deviceCodec.receive(bytes, &self.requestParts)
      self.processRequestParts()
    } catch {
      self.processRequestParts()
      self.requestIsBroken(error)
    }
  }

  /// Bounds what waits in the codec: an unfinished head has its time, pipelined requests their room.
  func noteWaitingRequest() {
    if self.multiplex != nil { return }
    guard self.requestedHosts.awaited == nil else { return }  // the leg is paused
    switch self.stage {
    case .awaitingRequest(let since):
      if since == nil, self.deviceCodec.isMidHead {
        self.stage = .awaitingRequest(since: self.now.instant)
      }
    case .relaying:
      if let exchange = self.exchange, case .raw = exchange.wire { return }
      if self.deviceHasEnded, let exchange = self.exchange, exchange.requestEndedAt == nil,
        !exchange.request.awaitsScan
      {
        // It was pipelined, and the device ended its side in the middle of it.
        self.finish(
          FlowFailure(.truncated, origin: .downstream, detail: "closed by the device")
        )
        return
      }
      let isMidHead = self.exchange == nil && self.deviceCodec.isMidHead
      self.headSince = isMidHead ? self.headSince ?? self.now.instant : nil
    case .authenticating, .resolving, .dialling, .awaitingHello, .resolvingServerName,
      .securingUpstream, .settlingUpstream, .securingClient, .sniffing, .tunnelling, .draining,
      .closed:
      return
    }
    if self.deviceCodec.bufferedCount > self.context.limits.headBytes {
      self.pause(.down, .waiting)
    } else {
      self.resume(.down, .waiting)
    }
  }

  /// Handles parsed parts in order, as far as the exchange they belong to can take them.
  func processRequestParts() {
    while !self.requestParts.isEmpty {
      switch self.stage {
      case .awaitingRequest:
        guard case .head(let head) = self.requestParts[0] else {
          self.requestParts.removeFirst()
          continue
        }
        self.beginProxyRequest(head)
      case .relaying:
        guard self.requestedHosts.awaited == nil else { return }
        let part = self.requestParts.removeFirst()
        self.relayRequest(part)
      case .authenticating, .resolving, .dialling: return
      case .awaitingHello, .resolvingServerName, .securingUpstream, .settlingUpstream,
        .securingClient, .sniffing,
        .tunnelling, .draining, .closed:
        self.requestParts.removeAll()
        return
      }
    }
  }

  /// A request head on the plain side; it is still the first of `requestParts`.
  private func beginProxyRequest(_ head: MessageHead) {
    if !head.method.equals("CONNECT") { self.openTap() }
    let target: RequestTarget
    do throws(HTTPFailure) {
      target = try RequestTarget.parse(method: head.method, target: head.target)
    } catch {
      self.refuseRequest(
        head,
        authority: nil,
        FlowFailure(.malformedTarget, origin: .downstream, detail: error.detail)
      )
      return
    }
    if self.isOwn {
      guard case .absolute = target else {
        self.refuseRequest(
          head,
          authority: nil,
          FlowFailure(.malformedTarget, origin: .internal, detail: "a fetch of no http URL")
        )
        return
      }
    }
    switch target {
    case .authority, .absolute: guard self.isAuthenticated(head) else { return }
    case .origin, .asterisk: break
    }
    switch target {
    case .authority(let authority):
      self.requestParts.removeFirst()
      self.beginWay(to: Destination(authority: authority, purpose: .tunnel(head)))
    case .absolute(let scheme, let authority, _):
      guard scheme == "http" else {
        self.refuseRequest(
          head,
          authority: authority,
          FlowFailure(
            .malformedTarget,
            origin: .downstream,
            detail: "an absolute \(scheme) URL; use CONNECT for anything but http"
          )
        )
        return
      }
      if let route = self.route, route.facts.authority == authority, !route.isSecure,
        self.up.isOpen
      {
        self.stage = .relaying
        return
      }
      self.beginWay(to: Destination(authority: authority, purpose: .forward))
    case .origin:
      self.beginOwnExchange(host: nil)
    case .asterisk:
      self.refuseRequest(
        head,
        authority: nil,
        FlowFailure(.malformedTarget, origin: .downstream, detail: "OPTIONS * to the proxy")
      )
    }
  }

  /// Routes the request at the front of `requestParts` to ourselves.
  func beginOwnExchange(host: Host?) {
    self.closeUpstream(.afterFlush)
    let unspecified = Authority(host: host ?? .address(.v4(0)), port: 80)
    self.route = Route(
      answerer: .site,
      facts: self.facts(
        authority: unspecified,
        serverName: nil,
        candidates: [],
        target: nil,
        treatment: .sinkhole,
        scheme: "http"
      ),
      names: [],
      leafHost: unspecified.host,
      isSecure: false,
      isTunnel: false
    )
    self.stage = .relaying
  }

  func facts(
    authority: Authority,
    serverName: Hostname?,
    candidates: [Candidate],
    target: PinnedTarget?,
    treatment: FlowTreatment,
    scheme: String
  ) -> ConnectionFacts {
    ConnectionFacts(
      connection: self.id,
      device: self.device,
      client: self.client,
      authority: authority,
      serverName: serverName,
      address: target?.address,
      region: target?.region ?? Self.region(of: candidates),
      candidates: candidates,
      treatment: treatment,
      scheme: scheme
    )
  }

  /// Where a name lies of which nothing was dialled: its first candidate that a source knows.
  static func region(of candidates: [Candidate]) -> Region {
    let known = candidates.first { !$0.region.sets.isEmpty || !$0.region.countries.isEmpty }
    return (known ?? candidates.first)?.region ?? .unknown
  }

  /// The request's bytes are no HTTP/1, or could be read in two ways.
  func requestIsBroken(_ error: HTTPFailure) {
    let failure = FlowFailure(error, origin: .downstream)
    if self.exchange != nil {
      self.failExchange(failure)
      return
    }
    switch self.stage {
    case .awaitingRequest, .authenticating, .resolving, .dialling, .relaying:
      self.answer(failure, authority: nil, rule: nil, fields: HeaderFields())
    case .draining, .closed: return  // said already, and to be heard
    case .awaitingHello, .resolvingServerName, .securingUpstream, .settlingUpstream,
      .securingClient, .sniffing,
      .tunnelling:
      self.finish(failure)
    }
  }

  /// Refuses the head at the front of `requestParts` before there is an exchange for it.
  private func refuseRequest(_ head: MessageHead, authority: Authority?, _ failure: FlowFailure) {
    self.requestParts.removeAll()
    self.answer(failure, authority: authority, rule: nil, to: head)
  }

  /// Answers for the proxy with a page that names the cause, then lets the connection end.
  func answer(
    _ failure: FlowFailure,
    authority: String?,
    rule: RuleID?,
    region: String? = nil,
    fields: HeaderFields,
    toHead: Bool = false
  ) {
    let page = self.page(failure, authority: authority, rule: rule, region: region, fields: fields)
    self.send(page, toHead: toHead, closing: true)
    self.drain(failure)
  }

  /// The page that names the cause.
  private func page(
    _ failure: FlowFailure,
    authority: String?,
    rule: RuleID?,
    region: String?,
    fields: HeaderFields
  ) -> LocalResponse {
    self.context.page(
      for: Notice(
        status: failure.status,
        failure: failure,
        rule: rule,
        ruleDescription: rule.flatMap { self.context.policy.description(of: $0) } ?? "",
        authority: authority ?? "",
        region: region,
        fields: fields
      )
    )
  }

  /// The page that names the cause, for a request on the way that is there.
  func page(_ failure: FlowFailure, rule: RuleID?, fields: HeaderFields) -> LocalResponse {
    let facts = self.route?.facts
    return self.page(
      failure,
      authority: facts?.authority.description,
      rule: rule,
      region: facts?.region.name,
      fields: fields
    )
  }

  func answer(
    _ failure: FlowFailure,
    authority: Authority?,
    rule: RuleID?,
    to head: MessageHead
  ) {
    self.answer(
      failure,
      authority: authority?.description,
      rule: rule,
      fields: head.fields,
      toHead: head.method == "HEAD"
    )
  }

  /// Queues a whole answer of ours for the device.
  func send(_ response: LocalResponse, toHead: Bool, closing: Bool) {
    var text = "HTTP/1.1 \(response.status) \(ReasonPhrase.of(response.status))\r\n"
    for (name, value) in response.fields { text += "\(name): \(value)\r\n" }
    if response.status != 204 { text += "Content-Length: \(response.body.count)\r\n" }
    if closing { text += "Connection: close\r\n" }
    self.down.output += Array((text + "\r\n").utf8)
    if !toHead, response.status != 204 { self.down.output += response.body.array }
  }

  /// Writes what is queued, ends our side, and throws away what the device still sends for a while:
  /// closing at once would reset the connection and could lose the answer on its way.
  func drain(_ failure: FlowFailure?) {
    guard !self.deviceHasEnded, !self.down.hasEndedWriting else {
      self.stage = .draining(since: self.now.instant)  // a way that was refused is recorded already
      self.finish(failure)
      return
    }
    self.closeUpstream(.abort)
    self.requestParts.removeAll()
    self.stage = .draining(since: self.now.instant)
    self.drainingFailure = failure
    self.down.closing = .writing
    self.resume(.down, .waiting)
  }
}
