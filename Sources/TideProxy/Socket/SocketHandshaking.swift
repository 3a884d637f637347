import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// From a request for a WebSocket to the WebSocket, over HTTP/1 and HTTP/2 (RFC 6455 §4, RFC 8441).
extension ConnectionMachine {
  /// Notes what a request for a WebSocket asks for, so that its upgrade goes on.
  func offerSocket(_ exchange: Exchange) {
    switch exchange.kind {
    case .websocket:
      exchange.socketOffer = WebSocketHandshake(request: exchange.request.head).map(
        SocketOffer.init
      )
      exchange.request.isSocketHandshake = exchange.socketOffer != nil
    case .http1:
      guard let upgrade = exchange.request.head.fields.first("upgrade") else { return }
      self.cover(
        .upgradeDropped,
        exchange.flow,
        "an upgrade to \(upgrade.slice(0..<min(upgrade.count, 32)).text) was not passed on"
      )
    case .http2, .grpc, .stream, .plainStream: return
    }
  }

  /// The server agrees: `101`, or 2xx to an extended CONNECT.
  func acceptSocket(_ head: MessageHead, _ exchange: Exchange) {
    let relay = MessageRelay(direction: .response, head: head, declaredSize: nil)
    relay.isSocketHandshake = true
    exchange.response = relay
    exchange.status = head.status
    if head.status != 101, self.context.keepsBodies {
      self.record(.head(exchange.flow, .response, .original, head.raw))
    }
    guard let offer = exchange.socketOffer,
      offer.handshake.accepts(head)
    else {
      self.fail(exchange, Self.badHandshake("an upgrade that does not answer the request"))
      return
    }
    let extensions: WebSocketExtensions
    do throws(WebSocketFailure) {
      extensions = try offer.handshake.extensions(agreedIn: head)
    } catch {
      self.fail(exchange, Self.badHandshake(error.detail))
      return
    }
    guard self.judgeHead(relay, exchange) else { return }
    let socket = SocketRelay(
      self.direction(.request, exchange, extensions),
      self.direction(.response, exchange, extensions)
    )
    guard self.canBeRead(socket, extensions, exchange) else { return }
    relay.rewrite = .upgrade
    relay.outgoing = self.rewritten(relay, exchange)
    if case .http1 = exchange.wire { self.deviceCodec.willUpgrade() }
    self.forwardHead(relay, exchange)
    if exchange.isEnded { return }
    self.beginSocket(socket, exchange)
  }

  private static func badHandshake(_ detail: String) -> FlowFailure {
    FlowFailure(.malformedMessage, origin: .upstream, detail: detail)
  }

  /// Whether the messages can be read, or need not be; else the request is answered in the server's place.
  private func canBeRead(
    _ socket: SocketRelay,
    _ extensions: WebSocketExtensions,
    _ exchange: Exchange
  ) -> Bool {
    guard case .unknown(let name) = extensions else { return true }
    self.cover(.unknownExtension, exchange.flow, "the WebSocket extension \(name)")
    for side in [socket.request, socket.response] where side.relay.holding != .none {
      guard self.cannotRedact(side.relay, exchange, "a WebSocket with an unknown extension")
      else { return false }
      side.relay.releaseFromNowOn()
    }
    return true
  }

  /// From here on both directions are the WebSocket's, what the device sent ahead of the answer too.
  private func beginSocket(_ socket: SocketRelay, _ exchange: Exchange) {
    exchange.socket = socket
    var early = exchange.request.takeHeld()
    socket.request.relay.owed = exchange.request.owed
    exchange.request.owed = 0
    if case .http1 = exchange.wire {
      exchange.wire = .raw
      early = self.deviceCodec.takeLeftover()
      // What waited in the codec may have been too much to be read on.
      self.resume(.down, .waiting)
    }
    if !early.isEmpty { self.relayBody(early, exchange.request, exchange) }
  }

  private func direction(
    _ direction: Direction,
    _ exchange: Exchange,
    _ extensions: WebSocketExtensions
  ) -> SocketDirection {
    let handshake = direction == .request ? exchange.request : exchange.response ?? exchange.request
    let relay = MessageRelay(direction: direction, head: handshake.head, declaredSize: nil)
    let plan = exchange.policy.bodyPlan(for: self.facts(relay, exchange))
    let isRedacted = handshake.verdict.applied == .redact
    relay.plan = BodyPlan(
      inspects: true,
      holding: isRedacted ? .unit : min(plan.holding, .unit),
      otherwise: max(plan.otherwise, isRedacted ? handshake.verdict.otherwise : .allow),
      otherwiseRule: plan.otherwiseRule ?? handshake.verdict.rule,
      mayRedact: plan.mayRedact || isRedacted
    )
    relay.holding = relay.plan.holding
    relay.isSocket = true
    return SocketDirection(
      relay,
      direction == .request ? .client : .server,
      extensions,
      // How much of it is inspected is the inspection's to say; all of it has to pass the window.
      limits: DecodingLimits(decodedBytes: .max, ratio: self.context.limits.decodedRatio)
    )
  }
}
