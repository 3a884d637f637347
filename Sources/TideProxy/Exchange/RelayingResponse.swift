import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The response's way back, and over HTTP/1 the next exchange's beginning.
extension ConnectionMachine {
  func receivedResponse(_ bytes: Bytes) {
    guard let tls = self.up.tls else {
      self.takeServerBytes(bytes)
      return
    }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      for part in plaintext { self.takeServerBytes(part) }
      self.responseIsBroken(FlowFailure(.truncated, origin: .upstream, detail: error.detail))
      return
    }
    for part in plaintext { self.takeServerBytes(part) }
    if tls.peerHasClosed, self.upstream != nil { self.upstreamClosed(.end) }
  }

  /// Plain bytes from the server, read as its side of the connection is.
  func takeServerBytes(_ bytes: Bytes) {
    self.judgePlainStreamAgain()
    if case .closed = self.stage { return }
    if case .sniffing(let tunnel, let hello, _) = self.stage {
      self.serverSpeaksFirst(bytes, tunnel, hello)
    } else if case .securingClient = self.stage {
      // What a server says before the device's side is ready: one read at most.
      self.earlyServerBytes.append(bytes)
      self.pause(.up, .waiting)
    } else if self.multiplex != nil {
      self.receivedServerFrames(bytes)
    } else if let exchange = self.exchange, case .raw = exchange.wire {
      if let relay = exchange.response { self.relayBody(bytes, relay, exchange) }
    } else {
      self.parseResponse(bytes)
    }
  }

  private func parseResponse(_ bytes: Bytes) {
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
    // Taken out, since what one part leads to may be the next response; put back for its room.
    var parts: [MessagePart] = []
    swap(&parts, &self.responseParts)
    for part in parts {
      guard case .relaying = self.stage, let exchange = self.exchange else { break }
      self.relayResponse(part, exchange)
    }
    parts.removeAll(keepingCapacity: true)
    if self.responseParts.isEmpty { swap(&parts, &self.responseParts) }
  }

  private func relayResponse(_ part: MessagePart, _ exchange: Exchange) {
    switch part {
    case .head(let head):
      if head.status < 200 {
        self.relayInformational(head, exchange)
      } else {
        let framing = self.serverCodec.receivedFraming
        self.beginResponse(head, exchange, .response(framing), size: Self.size(framing))
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
  func relayInformational(_ head: MessageHead, _ exchange: Exchange) {
    if self.context.keepsBodies {
      self.record(.head(exchange.flow, .response, .original, head.raw))
    }
    if head.status == 101 {
      self.acceptSocket(head, exchange)
      return
    }
    guard exchange.request.head.version != .http10 else { return }
    // A hint is not worth an inspection of its own: it is left out where a response could be blocked.
    guard
      head.status == 100 || !self.context.isEnforcing || !exchange.policy.needsResponseInspection
    else { return }
    var outgoing = HeadRewrite.forwardable(head, direction: .response)
    outgoing.version = exchange.request.head.version
    if self.context.isEnforcing, exchange.policy.needsResponseInspection {
      outgoing.fields = HeaderFields()
    }
    self.forward(.head(outgoing), .response, exchange)
  }

  /// Begins the final response: judged at its head, then forwarded or held.
  func beginResponse(
    _ head: MessageHead,
    _ exchange: Exchange,
    _ rewrite: Rewrite,
    size: UInt64?,
    isLast: Bool = false
  ) {
    let relay = MessageRelay(direction: .response, head: head, declaredSize: size)
    relay.isHeadLast = isLast
    exchange.response = relay
    exchange.status = head.status
    if self.context.keepsBodies {
      self.record(.head(exchange.flow, .response, .original, head.raw))
    }
    if head.fields.first("alt-svc") != nil {
      self.cover(.alternativeService, exchange.flow, "an Alt-Svc field was left out")
    }
    guard self.judgeHead(relay, exchange) else { return }
    relay.rewrite = rewrite
    relay.outgoing = self.rewritten(relay, exchange)
    if !relay.holdsHead { self.forwardHead(relay, exchange) }
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

  func nextExchange(persists: Bool) {
    guard persists, !self.isStopping else {
      self.drain(nil)
      return
    }
    if self.route?.isTunnel != true { self.stage = .awaitingRequest(since: nil) }
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

  func answerForOurselves(_ exchange: Exchange, _ route: Route) {
    let isNamed = route.facts.authority.host.isName
    let head = exchange.request.head
    let host = (head.pseudo?.authority ?? head.fields.first("host"))?.text ?? ""
    let response = self.context.site.respond(
      to: LocalRequest(
        head: head,
        path: exchange.path,
        host: isNamed ? route.facts.authority.host.description : host,
        client: self.client,
        isThroughProxy: isNamed,
        isSecure: route.isSecure
      )
    )
    if case .http2(let stream) = exchange.wire {
      self.answerStream(stream, exchange, response)
      self.endExchange(exchange, nil)
      return
    }
    // Requests that came at once would all be answered at once: the first one's answer ends them.
    let persists =
      exchange.persists && !self.isStopping && self.deviceCodec.bufferedCount == 0
    self.endExchange(exchange, nil)
    self.send(response, toHead: exchange.answersHead, closing: !persists)
    self.nextExchange(persists: persists)
  }

  func responseIsBroken(_ failure: FlowFailure) {
    if self.multiplex != nil {
      self.serverIsGone(failure)
      return
    }
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
      .settlingUpstream,
      .securingClient, .sniffing, .tunnelling, .authenticating:
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
    if self.multiplex != nil {
      self.serverIsGone(
        FlowFailure(.truncated, origin: .upstream, detail: "the server closed before its end")
      )
      return
    }
    if let exchange = self.exchange, case .raw = exchange.wire {
      self.streamEnded(.response, isCut: isCut, exchange)
      return
    }
    guard let exchange = self.exchange else {
      self.closeUpstream(.afterFlush)
      self.upstreamIsGone()
      return
    }
    if self.outlivesServer(exchange) { return }
    if !isCut, !exchange.responseIsOver {
      do throws(HTTPFailure) {
        try self.serverCodec.receiveEnd(&self.responseParts)
        self.processResponseParts()
      } catch {
        self.responseIsBroken(FlowFailure(error, origin: .upstream))
        return
      }
    }
    guard let exchange = self.exchange, !self.outlivesServer(exchange) else { return }
    if exchange.responseIsOver {
      // The device has its answer; there is nobody for the rest of its request (RFC 9112 §9.5).
      self.endExchange(
        exchange,
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
}
