import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The response's way back.
extension ConnectionMachine {
  func receivedResponse(_ bytes: Bytes) {
    guard let tls = self.up.tls else {
      self.parseResponse(bytes)
      return
    }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      for part in plaintext { self.parseResponse(part) }
      self.responseIsBroken(FlowFailure(.truncated, origin: .upstream, detail: error.detail))
      return
    }
    for part in plaintext { self.parseResponse(part) }
    if tls.peerHasClosed, self.upstream != nil { self.upstreamClosed(.end) }
  }

  func parseResponse(_ bytes: Bytes) {
    do throws(HTTPFailure) {
      try self.serverCodec.receive(bytes, &self.responseParts)
      self.processResponseParts()
    } catch {
      self.processResponseParts()
      self.responseIsBroken(FlowFailure(error, origin: .upstream))
    }
    // A whole response and more, while its request is still under way: read no further.
    if self.serverCodec.bufferedCount > self.context.limits.headBytes {
      self.pause(.up, .waiting)
    }
  }

  private func processResponseParts() {
    let parts = self.responseParts
    self.responseParts = []
    for part in parts {
      guard case .relaying = self.stage, let exchange = self.exchange else { return }
      self.relayResponse(part, exchange)
    }
  }

  private func relayResponse(_ part: MessagePart, _ exchange: Exchange) {
    switch part {
    case .head(let head):
      if head.status < 200 {
        self.relayInformational(head, exchange)
      } else {
        self.beginResponse(head, exchange)
      }
    case .body(let bytes):
      if let relay = exchange.response { self.relayBody(bytes, relay, exchange) }
    case .trailers(let fields):
      if let relay = exchange.response { self.relayTrailers(fields, relay, exchange) }
    case .end:
      if let relay = exchange.response { self.endMessage(relay, exchange) }
    }
  }

  /// 100, 103 and the like go through at once to a client that knows them (RFC 9110 §15.2).
  private func relayInformational(_ head: MessageHead, _ exchange: Exchange) {
    if self.context.keepsBodies {
      self.record(.head(exchange.flow, .response, .original, head.raw))
    }
    guard exchange.request.head.version == .http11 else { return }
    // A hint is not worth an inspection of its own: it is left out where a response could be blocked.
    guard
      head.status == 100 || !self.context.isEnforcing || !exchange.policy.needsResponseInspection
    else { return }
    var outgoing = HeadRewrite.forwardable(head, direction: .response)
    outgoing.version = .http11
    self.forward(.head(outgoing), .response)
  }

  private func beginResponse(_ head: MessageHead, _ exchange: Exchange) {
    let framing = self.serverCodec.receivedFraming
    let relay = MessageRelay(
      direction: .response,
      head: head,
      declaredSize: Self.size(framing)
    )
    exchange.response = relay
    exchange.status = head.status
    if self.context.keepsBodies {
      self.record(.head(exchange.flow, .response, .original, head.raw))
    }
    guard self.judgeHead(relay, exchange) else { return }
    relay.rewrite = .response(framing)
    relay.outgoing = self.rewritten(relay, exchange)
    if relay.plan.holding != .body { self.forwardHead(relay, exchange) }
  }

  /// The response's head as the device gets it: our own framing and persistence, the rest as sent.
  func outgoing(
    _ head: MessageHead,
    framing: BodyFraming,
    _ exchange: Exchange
  ) -> MessageHead {
    var outgoing = HeadRewrite.forwardable(head, direction: .response)
    outgoing.version = .http11
    let isOldClient = exchange.request.head.version == .http10
    var isUntilClose = framing == .untilClose
    if isOldClient, framing == .chunked {
      // HTTP/1.0 knows no chunks: the close ends the body (RFC 9112 §6.1).
      outgoing.fields.removeAll("transfer-encoding")
      outgoing.fields.removeAll("trailer")
      exchange.dropsTrailers = true
      isUntilClose = true
    }
    exchange.persists =
      exchange.persists && head.isPersistent && !isUntilClose && !self.isStopping
    if !exchange.persists {
      outgoing.fields.append(name: "Connection", value: "close")
    } else if isOldClient {
      outgoing.fields.append(name: "Connection", value: "keep-alive")
    }
    return outgoing
  }

  // MARK: The end of an exchange

  /// The request went on whole; where we answer, it is time to.
  func requestIsComplete(_ exchange: Exchange) {
    exchange.requestEndedAt = self.now.instant
    guard let route = self.route else { return }
    switch route.answerer {
    case .upstream: self.endIfOver(exchange)
    case .sinkhole(let rule):
      let failure = FlowFailure(
        .blockedByRule,
        origin: .internal,
        detail: "blocked by rule \(rule)"
      )
      exchange.exposure = 0
      self.answerExchange(exchange, failure, rule: rule)
    case .site: self.answerForOurselves(exchange, route)
    }
  }

  func responseIsComplete(_ exchange: Exchange) {
    exchange.responseIsOver = true
    self.endIfOver(exchange)
  }

  private func endIfOver(_ exchange: Exchange) {
    guard exchange.responseIsOver, exchange.requestEndedAt != nil else { return }
    self.endExchange(nil)
    self.nextExchange(persists: exchange.persists)
  }

  private func nextExchange(persists: Bool) {
    guard persists, !self.isStopping else {
      self.drain(nil)
      return
    }
    if self.down.tls == nil { self.stage = .awaitingRequest(since: nil) }
    do throws(HTTPFailure) {
      try self.serverCodec.next(&self.responseParts)
    } catch {
      // More than one response to one request: what follows cannot be trusted to be an answer.
      self.finish(FlowFailure(error, origin: .upstream))
      return
    }
    do throws(HTTPFailure) {
      try self.deviceCodec.next(&self.requestParts)
    } catch {
      self.requestIsBroken(error)
      return
    }
    if self.deviceHasEnded, self.requestParts.isEmpty { self.finish(nil) }
  }

  private func answerForOurselves(_ exchange: Exchange, _ route: Route) {
    let isNamed = route.facts.authority.host.isName
    let host = exchange.request.head.fields.first("host")?.text ?? ""
    let response = self.context.site.respond(
      to: LocalRequest(
        head: exchange.request.head,
        path: exchange.path,
        host: isNamed ? route.facts.authority.host.description : host,
        client: self.client,
        isThroughProxy: isNamed,
        isSecure: route.isSecure
      )
    )
    // Requests that came at once would all be answered at once: the first one's answer ends them.
    let persists =
      exchange.persists && !self.isStopping && self.deviceCodec.bufferedCount == 0
    self.exchange = nil
    self.send(response, toHead: exchange.answersHead, closing: !persists)
    self.nextExchange(persists: persists)
  }

  /// Answers an exchange that will get no response from a server, and lets the connection end.
  func answerExchange(_ exchange: Exchange, _ failure: FlowFailure, rule: RuleID?) {
    exchange.status = failure.status
    let fields = exchange.request.head.fields
    let toHead = exchange.answersHead
    let facts = self.route?.facts
    self.endExchange(failure)
    self.answer(
      failure,
      authority: facts?.authority.description,
      rule: rule,
      region: facts?.region.name,
      fields: fields,
      toHead: toHead
    )
  }

  /// Carries out a block: nothing more of the message leaves.
  func block(_ relay: MessageRelay, _ exchange: Exchange, _ verdict: Verdict) {
    exchange.exposure = relay.released
    let name = verdict.rule?.text ?? "none"
    self.stop(
      relay,
      exchange,
      FlowFailure(.blockedByRule, origin: .internal, detail: "blocked by rule \(name)"),
      rule: verdict.rule
    )
  }

  func stop(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ failure: FlowFailure,
    rule: RuleID?
  ) {
    relay.held.removeAll()
    relay.heldCount = 0
    self.closeUpstream(.abort)
    if exchange.hasAnswered {
      // Half an answer is out: the cut is the only honest end.
      self.finish(failure, mode: .abort)
    } else {
      self.answerExchange(exchange, failure, rule: rule)
    }
  }

  /// Ends the exchange because of a failure, with a page if nothing was answered yet.
  func failExchange(_ failure: FlowFailure) {
    guard let exchange = self.exchange else {
      self.finish(failure)
      return
    }
    self.stop(exchange.request, exchange, failure, rule: nil)
  }

  func responseIsBroken(_ failure: FlowFailure) {
    guard self.exchange == nil else {
      self.failExchange(failure)
      return
    }
    switch self.stage {
    case .awaitingRequest, .relaying:
      // Often the `408` of a server that is tired of waiting: nothing is cut, only this leg is over.
      self.closeUpstream(.abort)
      self.upstreamIsGone()
    case .draining, .closed: return  // an answer may be on its way
    case .resolving, .dialling, .awaitingHello, .resolvingServerName, .securingUpstream,
      .securingClient, .tunnelling:
      self.finish(failure, mode: .abort)
    }
  }

  /// Between exchanges: where the way was made for this server, the device's side ends as well, since
  /// its next request would find nobody.
  private func upstreamIsGone() {
    if case .awaitingRequest = self.stage { self.route = nil } else { self.drain(nil) }
  }

  /// The server ended its side.
  func responseEnded(_ kind: CloseKind) {
    let isCut = kind == .reset || self.up.tls.map { !$0.peerHasClosed } ?? false
    guard let exchange = self.exchange else {
      self.closeUpstream(.afterFlush)
      self.upstreamIsGone()
      return
    }
    if !isCut, !exchange.responseIsOver {
      do throws(HTTPFailure) {
        try self.serverCodec.receiveEnd(&self.responseParts)
        self.processResponseParts()
      } catch {
        self.responseIsBroken(FlowFailure(error, origin: .upstream))
        return
      }
    }
    guard let exchange = self.exchange else { return }
    if exchange.responseIsOver {
      // The device has its answer; there is nobody for the rest of its request (RFC 9112 §9.5).
      self.endExchange(
        FlowFailure(
          .truncated,
          origin: .upstream,
          detail: "the server answered and closed before the request's end"
        )
      )
      self.drain(nil)
      return
    }
    self.responseIsBroken(
      FlowFailure(.truncated, origin: .upstream, detail: "the server closed before its end")
    )
  }

  func endExchange(_ failure: FlowFailure?) {
    guard let exchange = self.exchange else { return }
    self.exchange = nil
    guard exchange.isRecorded else { return }
    self.record(
      .flowEnded(
        FlowEnd(
          flow: exchange.flow,
          time: self.now.wall,
          status: exchange.status,
          requestBytes: exchange.request.received,
          responseBytes: exchange.responseBytes,
          findings: exchange.findings,
          verdict: exchange.verdict,
          exposure: exchange.exposure,
          failure: failure
        )
      )
    )
  }
}
