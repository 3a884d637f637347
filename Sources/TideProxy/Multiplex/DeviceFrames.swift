import TideCore
import TideHTTP
import TidePolicy

/// The device's side of an HTTP/2 connection: each stream it opens becomes an exchange.
extension ConnectionMachine {
  /// Begins to speak HTTP/2 with the device, and with the server if there is one.
  func beginMultiplex(_ route: Route) {
    let hasServer =
      switch route.answerer {
      case .upstream: true
      case .sinkhole, .site: false
      }
    do throws(HTTPFailure) {
      self.multiplex = try Multiplex(hasServer: hasServer, limits: self.context.limits)
    } catch {
      self.finish(FlowFailure(.internalError, origin: .internal, detail: error.detail))
    }
  }

  func receivedDeviceFrames(_ bytes: Bytes) {
    guard let multiplex = self.multiplex else { return }
    guard self.requestedHosts.awaited == nil else {
      self.requestedHosts.bytes.append(bytes)
      return
    }
    var events: [HTTP2Event] = []
    var failure: HTTPFailure?
    do throws(HTTPFailure) {
      try multiplex.device.receive(bytes, at: self.now.instant, &events)
    } catch {
      failure = error
    }
    self.handleDevice(events, multiplex)
    if let failure {
      self.deviceIsBroken(failure, multiplex)
      return
    }
    multiplex.headSince =
      multiplex.device.isMidHead ? multiplex.headSince ?? self.now.instant : nil
  }

  /// Handles what came in order, up to a request whose host has to be looked up first.
  func handleDevice(_ events: [HTTP2Event], _ multiplex: Multiplex) {
    for (index, event) in events.enumerated() {
      if case .head(_, let head, _) = event, self.awaitsHost(of: head) {
        self.requestedHosts.frames = Array(events[index...])
        return
      }
      self.handleDevice(event, multiplex)
    }
  }

  private func handleDevice(_ event: HTTP2Event, _ multiplex: Multiplex) {
    guard case .relaying = self.stage else { return }
    switch event {
    case .head(let stream, let head, let isLast): self.beginStream(stream, head, isLast: isLast)
    case .refusedHead(let stream, let failure):
      self.refuseStream(stream, FlowFailure(failure, origin: .downstream), fields: HeaderFields())
    case .body(let stream, let bytes):
      guard let exchange = multiplex.exchanges[stream], let relay = exchange.carrier(.request)
      else {
        multiplex.device.consumed(bytes.count, on: stream)
        return
      }
      relay.owed += bytes.count
      self.relayBody(bytes, relay, exchange)
      self.settle(relay, exchange)
    case .trailers(let stream, let fields):
      guard let exchange = multiplex.exchanges[stream] else { return }
      self.relayTrailers(fields, exchange.request, exchange)
    case .end(let stream):
      guard let exchange = multiplex.exchanges[stream] else {
        multiplex.answered.remove(stream)
        return
      }
      self.endMessage(exchange.request, exchange)
      if let relay = exchange.carrier(.request) { self.settle(relay, exchange) }
    case .reset(let stream, let code, let isFromPeer):
      multiplex.answered.remove(stream)
      guard let exchange = multiplex.exchanges[stream] else {
        multiplex.violation = nil
        return
      }
      self.deviceReset(exchange, code, isFromPeer: isFromPeer, multiplex)
    case .violation(_, let failure): multiplex.violation = failure
    case .goAway:
      multiplex.isRefusing = true
    case .sent, .extendedConnectAllowed, .alternativeService: break
    }
  }

  private func beginStream(_ stream: StreamID, _ head: MessageHead, isLast: Bool) {
    guard let multiplex = self.multiplex else { return }
    guard !multiplex.isRefusing, !self.isStopping else {
      multiplex.device.reset(stream, .refusedStream)
      return
    }
    guard let kind = Self.kind(ofHTTP2: head) else {
      self.cover(.upgradeDropped, nil, "an extended CONNECT to something other than WebSocket")
      self.refuseStream(
        stream,
        FlowFailure(
          .malformedMessage,
          origin: .downstream,
          detail: "an extended CONNECT to something other than WebSocket"
        ),
        fields: head.fields
      )
      return
    }
    self.lastActivity = self.now.instant
    self.beginExchange(
      head,
      .http2(stream),
      kind,
      size: isLast ? 0 : Self.declaredSize(head),
      isLast: isLast
    )
  }

  /// What a request over HTTP/2 is; nil for an extended CONNECT that we do not know, or whose frames
  /// nobody here could read.
  private static func kind(ofHTTP2 head: MessageHead) -> ExchangeKind? {
    if head.pseudo?.protocolName != nil {
      return WebSocketHandshake(request: head) == nil ? nil : .websocket(overHTTP2: true)
    }
    let type = head.fields.first("content-type") ?? Bytes()
    return UnitFraming.of(head.fields) == .grpc && !type.isEmpty ? .grpc : .http2
  }

  /// The size that Content-Length declares; the codec has checked that it is one number.
  ///
  /// Nil for none at all too: a head that is not the last can still be followed by trailers, or a reset.
  static func declaredSize(_ head: MessageHead) -> UInt64? {
    let size = head.fields.first("content-length").flatMap { UInt64($0.text) }
    return size == 0 ? nil : size
  }

  /// The device gave a stream up: the server learns it, and an unfinished request never becomes whole.
  private func deviceReset(
    _ exchange: Exchange,
    _ code: HTTP2ErrorCode,
    isFromPeer: Bool,
    _ multiplex: Multiplex
  ) {
    if let stream = exchange.serverStream {
      multiplex.server?.reset(stream, isFromPeer ? code : .cancel)
    }
    let violation = multiplex.violation.map { FlowFailure($0, origin: .downstream) }
    multiplex.violation = nil
    self.endExchange(
      exchange,
      violation
        ?? FlowFailure(
          .truncated,
          origin: .downstream,
          detail: "the device reset the stream: \(code)"
        )
    )
  }

  /// The device broke the protocol: the connection ends with the code that the codec has queued.
  private func deviceIsBroken(_ error: HTTPFailure, _ multiplex: Multiplex) {
    let failure = FlowFailure(error, origin: .downstream)
    self.endAllExchanges(failure)
    self.drain(failure)
  }

  /// Ends a connection on which nothing is under way and nothing more may begin.
  func drainIfOver(_ multiplex: Multiplex) {
    guard case .relaying = self.stage, multiplex.isRefusing || self.isStopping,
      multiplex.exchanges.isEmpty, multiplex.device.openStreams == 0
    else { return }
    multiplex.device.goAway(.noError)
    self.drain(nil)
  }

  // MARK: Answers of ours

  /// Answers a stream that has no exchange.
  func refuseStream(_ stream: StreamID, _ failure: FlowFailure, fields: HeaderFields) {
    guard let multiplex = self.multiplex, let route = self.route else { return }
    self.recordRefusal(
      authority: route.facts.authority,
      candidates: route.facts.candidates,
      target: nil,
      serverName: route.facts.serverName,
      method: "",
      url: route.origin,
      status: failure.status,
      verdict: .pass,
      failure: failure,
      protocolName: "h2"
    )
    multiplex.answered.insert(stream)
    self.sendAnswer(self.page(failure, rule: nil, fields: fields), on: stream, toHead: false)
  }

  /// Answers an exchange in the server's place; a request that is not whole is not read on.
  func answerStream(
    _ stream: StreamID,
    _ exchange: Exchange,
    _ failure: FlowFailure,
    rule: RuleID?
  ) {
    switch exchange.kind {
    case .grpc:
      exchange.status = 200
      self.sendHead(GRPCAnswer.head(failure, to: exchange.request.head), on: stream, isLast: true)
      if exchange.requestEndedAt == nil { self.multiplex?.answered.insert(stream) }
    case .http1, .http2, .websocket, .stream, .plainStream:
      self.answerStream(
        stream,
        exchange,
        self.page(failure, rule: rule, fields: exchange.request.head.fields)
      )
    }
    self.endExchange(exchange, failure)
  }

  func answerStream(_ stream: StreamID, _ exchange: Exchange, _ response: LocalResponse) {
    if exchange.requestEndedAt == nil { self.multiplex?.answered.insert(stream) }
    self.sendAnswer(response, on: stream, toHead: exchange.answersHead)
  }

  private func sendAnswer(_ response: LocalResponse, on stream: StreamID, toHead: Bool) {
    var fields = HeaderFields()
    for (name, value) in response.fields {
      fields.append(name: Bytes(name.lowercased()), value: Bytes(value))
    }
    if response.status != 204 {
      fields.append(name: "content-length", value: Bytes(String(response.body.count)))
    }
    let head = MessageHead(
      start: .response(status: response.status, reason: Bytes()),
      version: .http2,
      fields: fields
    )
    let isLast = toHead || response.body.isEmpty || response.status == 204
    self.sendHead(head, on: stream, isLast: isLast)
    if isLast { return }
    do throws(HTTPFailure) {
      try self.multiplex?.device.sendBody(response.body, on: stream)
      try self.multiplex?.device.sendEnd(on: stream)
    } catch {
      self.multiplex?.device.reset(stream, .internalError)
    }
  }

  private func sendHead(_ head: MessageHead, on stream: StreamID, isLast: Bool) {
    do throws(HTTPFailure) {
      try self.multiplex?.device.sendHead(head, on: stream, isLast: isLast)
    } catch {
      self.multiplex?.device.reset(stream, .internalError)
    }
  }
}
