import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The request's way through an exchange: judged at its head, at each window, at its end.
extension ConnectionMachine {
  /// Handles the next part of the request under way.
  func relayRequest(_ part: MessagePart) {
    switch part {
    case .head(let head): self.beginExchange(head)
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
      for part in plaintext { self.parseRequest(part) }
      self.finish(FlowFailure(.truncated, origin: .downstream, detail: error.detail), mode: .abort)
      return
    }
    for part in plaintext { self.parseRequest(part) }
    self.noteDeviceClose()
  }

  /// A close_notify from the device ends its side as a FIN would.
  func noteDeviceClose() {
    if case .relaying = self.stage, self.down.tls?.peerHasClosed == true {
      self.downstreamClosed(.end)
    }
  }

  private func beginExchange(_ head: MessageHead) {
    guard let route = self.route else { return }
    self.headSince = nil
    self.deviceCodec.willAnswer(method: head.method)
    let destination: RequestDestination
    do throws(HTTPFailure) {
      destination = try RequestDestination(head, route: route)
    } catch {
      self.answer(
        FlowFailure(.malformedTarget, origin: .downstream, detail: error.detail),
        authority: route.facts.authority,
        rule: nil,
        to: head
      )
      return
    }
    let relay = MessageRelay(
      direction: .request,
      head: head,
      declaredSize: Self.size(self.deviceCodec.receivedFraming)
    )
    var hosts = route.names
    if let host = destination.named?.host, !hosts.contains(host) { hosts.append(host) }
    let exchange: Exchange
    switch route.answerer {
    case .site:
      self.exchange = Exchange(
        flow: FlowID(0),
        isRecorded: false,
        hosts: hosts,
        path: destination.path,
        request: relay,
        context: self.context,
        persists: head.isPersistent
      )
      self.answerExpectation(relay, route: route)
      return
    case .upstream, .sinkhole:
      exchange = Exchange(
        flow: self.context.numbering.flow(),
        isRecorded: true,
        hosts: hosts,
        path: destination.path,
        request: relay,
        context: self.context,
        persists: head.isPersistent
      )
    }
    self.exchange = exchange
    self.recordStart(exchange, route: route)
    if let failure = self.authorityFailure(destination, route: route) {
      self.failExchange(failure)
      return
    }
    guard self.judgeHead(relay, exchange) else { return }
    relay.rewrite = .request(destination, route)
    self.answerExpectation(relay, route: route)
    relay.outgoing = self.rewritten(relay, exchange)
    if relay.plan.holding != .body { self.forwardHead(relay, exchange) }
  }

  private func recordStart(_ exchange: Exchange, route: Route) {
    self.record(
      .flowStarted(
        FlowStart(
          flow: exchange.flow,
          facts: route.facts,
          time: self.now.wall,
          method: exchange.method.text,
          url: route.origin + exchange.path.text,
          protocolName: "http/1.1"
        )
      )
    )
    if self.context.keepsBodies {
      self.record(.head(exchange.flow, .request, .original, exchange.request.head.raw))
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
      guard destination.hasMalformedHost else { return nil }
      return FlowFailure(
        .malformedMessage,
        origin: .downstream,
        detail: "a Host field that is no host"
      )
    }
    guard route.isSecure, self.context.policy.settings.fronting == .refuse else { return nil }
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
  private func answerExpectation(_ relay: MessageRelay, route: Route) {
    guard relay.head.version == .http11,
      relay.head.fields.tokens("expect").contains("100-continue")
    else { return }
    var isOurs = relay.plan.holding == .body
    switch route.answerer {
    case .upstream: break
    case .sinkhole, .site: isOurs = true
    }
    guard isOurs else { return }
    relay.hasMetExpectation = true
    self.down.output += Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
  }
}
