import TideCore
import TideHTTP
import TidePolicy

/// The server's side of an HTTP/2 connection, and what leaves on streams.
extension ConnectionMachine {
  func receivedServerFrames(_ bytes: Bytes) {
    guard let multiplex = self.multiplex, let server = multiplex.server else { return }
    var events: [HTTP2Event] = []
    var failure: HTTPFailure?
    do throws(HTTPFailure) {
      try server.receive(bytes, at: self.now.instant, &events)
    } catch {
      failure = error
    }
    for event in events { self.handleServer(event, multiplex, server) }
    if let failure { self.serverIsGone(FlowFailure(failure, origin: .upstream)) }
  }

  private func handleServer(_ event: HTTP2Event, _ multiplex: Multiplex, _ server: HTTP2Codec) {
    guard case .relaying = self.stage else { return }
    switch event {
    case .head(let stream, let head, let isLast):
      guard let exchange = multiplex.exchange(ofServer: stream) else { return }
      self.beginResponse(head, exchange, isLast: isLast)
    case .body(let stream, let bytes):
      guard let exchange = multiplex.exchange(ofServer: stream),
        let relay = exchange.carrier(.response)
      else {
        server.consumed(bytes.count, on: stream)
        return
      }
      relay.owed += bytes.count
      self.relayBody(bytes, relay, exchange)
      self.settle(relay, exchange)
    case .trailers(let stream, let fields):
      guard let exchange = multiplex.exchange(ofServer: stream), let relay = exchange.response
      else { return }
      self.relayTrailers(fields, relay, exchange)
    case .end(let stream):
      guard let exchange = multiplex.exchange(ofServer: stream), let relay = exchange.response
      else { return }
      self.endMessage(relay, exchange)
      if let relay = exchange.carrier(.response) { self.settle(relay, exchange) }
    case .reset(let stream, let code, _):
      guard let exchange = multiplex.exchange(ofServer: stream) else {
        multiplex.violation = nil
        return
      }
      self.serverReset(exchange, code, multiplex)
    case .violation(_, let failure): multiplex.violation = failure
    case .goAway:
      // The device is told in its turn; what it still opens is refused, and safe to try elsewhere.
      multiplex.isRefusing = true
      multiplex.device.goAway(.noError)
    case .extendedConnectAllowed: multiplex.device.allowExtendedConnect()
    case .alternativeService:
      self.cover(.alternativeService, nil, "an ALTSVC frame was not passed on")
    case .refusedHead, .sent: break
    }
  }

  private func beginResponse(_ head: MessageHead, _ exchange: Exchange, isLast: Bool) {
    exchange.lastActivity = self.now.instant
    if head.status < 200 {
      self.relayInformational(head, exchange)
      return
    }
    if exchange.socketOffer != nil, (200..<300).contains(head.status) {
      self.acceptSocket(head, exchange)
      return
    }
    if exchange.socketOffer != nil {
      exchange.request.dropHeld()
      self.settle(exchange.request, exchange)
    }
    self.beginResponse(
      head,
      exchange,
      .multiplexedResponse,
      size: isLast ? 0 : Self.declaredSize(head),
      isLast: isLast
    )
  }

  /// The server gave a stream up.
  private func serverReset(
    _ exchange: Exchange,
    _ code: HTTP2ErrorCode,
    _ multiplex: Multiplex
  ) {
    guard case .http2(let stream) = exchange.wire else { return }
    let violation = multiplex.violation.map { FlowFailure($0, origin: .upstream) }
    multiplex.violation = nil
    let failure =
      violation
      ?? FlowFailure(
        .truncated,
        origin: .upstream,
        detail: "the server reset the stream: \(code)"
      )
    if violation != nil, !exchange.hasAnswered {
      self.fail(exchange, failure)
      return
    }
    if self.outlivesServerStream(exchange, multiplex) { return }
    if exchange.responseIsOver {
      // The whole answer is here; only the rest of the request is not wanted.
      if multiplex.device.queued(on: stream) > 0 || code == .noError {
        multiplex.answered.insert(stream)
      } else {
        multiplex.device.reset(stream, code)
      }
      self.endExchange(exchange, exchange.requestEndedAt == nil ? failure : nil)
      return
    }
    multiplex.device.reset(stream, code)
    self.endExchange(exchange, failure)
  }

  /// The server's connection is gone or broken: each exchange that waits for it fails by itself.
  func serverIsGone(_ failure: FlowFailure) {
    guard let multiplex = self.multiplex, self.upstream != nil else { return }
    self.pullServer(multiplex)  // the GOAWAY, if it is the server that broke the protocol
    self.closeUpstream(.afterFlush)
    guard case .relaying = self.stage else { return }
    multiplex.isRefusing = true
    multiplex.device.goAway(.noError)
    for exchange in multiplex.inOrder where !exchange.isEnded {
      if exchange.responseIsOver {
        if case .http2(let stream) = exchange.wire { multiplex.answered.insert(stream) }
        self.endExchange(exchange, exchange.requestEndedAt == nil ? failure : nil)
      } else if !self.outlivesServerStream(exchange, multiplex) {
        self.fail(exchange, failure)
      }
    }
  }

  // MARK: Forwarding

  /// Sends a head on its stream; a request opens it.
  func forwardMultiplexed(_ head: MessageHead, _ relay: MessageRelay, _ exchange: Exchange) {
    guard let multiplex = self.multiplex, case .http2(let stream) = exchange.wire else { return }
    let isLast = relay.isHeadLast
    do throws(HTTPFailure) {
      switch relay.direction {
      case .request:
        guard self.up.isOpen, let server = multiplex.server else { return }
        let serverStream = try server.open(head, isLast: isLast)
        exchange.serverStream = serverStream
        multiplex.deviceStreams[serverStream] = stream
      case .response: try multiplex.device.sendHead(head, on: stream, isLast: isLast)
      }
      relay.hasSentEnd = isLast
    } catch {
      self.cannotForward(exchange, stream, error)
    }
  }

  func forwardMultiplexed(
    _ part: MessagePart,
    _ direction: Direction,
    _ exchange: Exchange,
    _ stream: StreamID
  ) {
    guard let multiplex = self.multiplex else { return }
    let relay: MessageRelay? = direction == .request ? exchange.request : exchange.response
    do throws(HTTPFailure) {
      switch direction {
      case .request:
        guard let server = multiplex.server, let serverStream = exchange.serverStream else {
          return
        }
        try Self.send(part, relay, server, serverStream)
      case .response: try Self.send(part, relay, multiplex.device, stream)
      }
    } catch {
      self.cannotForward(exchange, stream, error)
    }
  }

  private static func send(
    _ part: MessagePart,
    _ relay: MessageRelay?,
    _ codec: HTTP2Codec,
    _ stream: StreamID
  ) throws(HTTPFailure) {
    switch part {
    case .head(let head): try codec.sendHead(head, on: stream, isLast: false)
    case .body(let bytes): try codec.sendBody(bytes, on: stream)
    case .trailers(let fields):
      try codec.sendTrailers(fields, on: stream)
      relay?.hasSentEnd = true
    case .end:
      guard relay?.hasSentEnd != true else { return }
      try codec.sendEnd(on: stream)
      relay?.hasSentEnd = true
    }
  }

  /// A stream that cannot be opened or written: over the server's limits it may be tried again.
  private func cannotForward(_ exchange: Exchange, _ stream: StreamID, _ error: HTTPFailure) {
    if error.code == .unsupported, !exchange.hasAnswered {
      self.multiplex?.device.reset(stream, .refusedStream)
      self.endExchange(
        exchange,
        FlowFailure(.overLimit, origin: .upstream, detail: error.detail)
      )
      return
    }
    self.fail(exchange, FlowFailure(.internalError, origin: .internal, detail: error.detail))
  }

  // MARK: Ending

  /// Stops an exchange: its stream is answered if nothing was, else cut; the connection lives.
  func stopStream(
    _ stream: StreamID,
    _ exchange: Exchange,
    _ failure: FlowFailure,
    rule: RuleID?
  ) {
    guard let multiplex = self.multiplex else { return }
    if let serverStream = exchange.serverStream {
      multiplex.server?.reset(serverStream, .cancel)
    }
    guard exchange.hasAnswered else {
      self.answerExchange(exchange, failure, rule: rule)
      return
    }
    switch exchange.kind {
    case .grpc where !exchange.responseIsOver:
      do throws(HTTPFailure) {
        try multiplex.device.sendTrailers(GRPCAnswer.trailers(failure), on: stream)
        if exchange.requestEndedAt == nil { multiplex.answered.insert(stream) }
      } catch {
        multiplex.device.reset(stream, .internalError)
      }
    case .grpc, .http1, .http2, .websocket, .stream, .plainStream:
      multiplex.device.reset(stream, .internalError)
    }
    self.endExchange(exchange, failure)
  }

  /// Ends an exchange once both messages have left; until then their bytes count as its own.
  func endStreamIfSent(_ exchange: Exchange) {
    guard let multiplex = self.multiplex, case .http2(let stream) = exchange.wire else { return }
    guard multiplex.device.queued(on: stream) == 0 else { return }
    if let serverStream = exchange.serverStream {
      guard multiplex.server?.queued(on: serverStream) ?? 0 == 0 else { return }
    }
    self.endExchange(exchange, nil)
  }

  /// Drops an exchange from the tables and gives back the credit that it held.
  func forgetStream(_ stream: StreamID, _ exchange: Exchange) {
    guard let multiplex = self.multiplex else { return }
    for direction in Direction.allCases {
      if let relay = exchange.carrier(direction) { self.settleAll(relay, exchange) }
    }
    multiplex.exchanges[stream] = nil
    if let serverStream = exchange.serverStream { multiplex.deviceStreams[serverStream] = nil }
  }
}
