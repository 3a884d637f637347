import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// A protocol that is not HTTP: its bytes are relayed both ways, recorded, and inspected as they pass.
extension ConnectionMachine {
  /// Begins a stream of bytes inside a tunnel, with what the device has sent so far.
  ///
  /// Without TLS, where nobody can tell what the bytes mean, a rule that enforces anything about this
  /// destination's content refuses it.
  func beginStream(_ tunnel: Tunnel, _ hello: HelloFacts?) {
    let first = self.sniffed
    self.sniffed = Bytes()
    if case .site = tunnel.answerer {
      self.finish(FlowFailure(.badHello, origin: .downstream, detail: "no HTTP"))
      return
    }
    if hello == nil, case .upstream = tunnel.answerer,
      let rule = self.undecryptedRule(tunnel, serverName: nil)
    {
      self.refuseTunnel(tunnel, Self.opaqueFailure(rule), serverName: nil, rule: rule)
      return
    }
    let exchange = self.beginStreamExchange(tunnel, hello)
    let what = hello?.applicationProtocols.first.map { " (\($0))" } ?? ""
    self.cover(
      .byteStream,
      exchange.flow,
      "a protocol that is not HTTP to \(tunnel.authority)\(what)"
    )
    guard self.judgeHead(exchange.request, exchange), let response = exchange.response,
      self.judgeHead(response, exchange)
    else { return }
    if !first.isEmpty { self.relayBody(first, exchange.request, exchange) }
    guard !exchange.isEnded, case .sinkhole(let rule) = tunnel.answerer else { return }
    let failure = FlowFailure(
      .blockedByRule,
      origin: .internal,
      detail: "blocked by rule \(rule)"
    )
    exchange.exposure = 0
    self.endExchange(exchange, failure)
    self.finish(failure)
  }

  private func beginStreamExchange(_ tunnel: Tunnel, _ hello: HelloFacts?) -> Exchange {
    let kind: ExchangeKind = hello == nil ? .plainStream : .stream
    let route = self.makeRoute(tunnel, hello, scheme: hello == nil ? "tcp" : "tls")
    self.route = route
    self.stage = .relaying
    let nothing = MessageHead(
      start: .request(method: Bytes(), target: Bytes()),
      fields: HeaderFields()
    )
    let exchange = Exchange(
      flow: self.context.numbering.flow(),
      isRecorded: true,
      kind: kind,
      wire: .raw,
      hosts: route.names,
      path: Bytes(),
      request: MessageRelay(direction: .request, head: nothing, declaredSize: nil),
      context: self.context,
      persists: false,
      at: self.now.instant
    )
    exchange.response = MessageRelay(direction: .response, head: nothing, declaredSize: nil)
    exchange.status = 200
    exchange.verdict = tunnel.decision?.verdict ?? .pass
    self.exchange = exchange
    self.plainTunnel = hello == nil ? PlainTunnel(tunnel: tunnel, policy: self.context.policy) : nil
    self.record(
      .flowStarted(
        FlowStart(
          flow: exchange.flow,
          facts: route.facts,
          time: self.now.wall,
          method: "CONNECT",
          url: tunnel.authority.description,
          protocolName: kind.name
        )
      )
    )
    return exchange
  }

  /// One side of a stream, or of a WebSocket over HTTP/1, ended; the other may go on.
  func streamEnded(_ direction: Direction, isCut: Bool, _ exchange: Exchange) {
    // Some libraries end TLS without a word once both have said Close: nothing is missing.
    let isOver = exchange.socket.map { $0.request.reader.hasClosed && $0.response.reader.hasClosed }
    guard !isCut || isOver == true else {
      let origin: FlowFailure.Origin = direction == .request ? .downstream : .upstream
      let failure = FlowFailure(.truncated, origin: origin, detail: "cut in the middle")
      self.endExchange(exchange, failure)
      self.finish(failure, mode: .abort)
      return
    }
    if exchange.socket != nil {
      if direction == .request { self.deviceHasEnded = true }
      self.socketEnded(direction, exchange)
      return
    }
    switch direction {
    case .request:
      guard exchange.requestEndedAt == nil else { return }
      self.deviceHasEnded = true
      self.endMessage(exchange.request, exchange)
    case .response:
      guard !exchange.responseIsOver, let relay = exchange.response else { return }
      self.endMessage(relay, exchange)
    }
  }

  /// Lets what a window holds go once content of unknown length is quiet: whoever sent it may be waiting for
  /// the answer to just these bytes.
  ///
  /// What went stays in the inspection's context, so that a match that was begun is still found, and its
  /// rest does not leave.
  func releaseQuietContent() {
    let exchanges =
      self.multiplex.map { Array($0.exchanges.values) } ?? [self.exchange].compactMap(\.self)
    for exchange in exchanges
    where !exchange.isEnded && exchange.socket == nil
      && self.now.instant.nanoseconds(since: exchange.lastActivity) >= Self.quietTime
    {
      self.releaseQuiet(exchange.request, exchange)
      if !exchange.isEnded, let response = exchange.response {
        self.releaseQuiet(response, exchange)
      }
    }
  }

  private func releaseQuiet(_ relay: MessageRelay, _ exchange: Exchange) {
    guard relay.holding == .window, relay.heldCount > 0, relay.declaredSize == nil,
      !relay.isSocketHandshake
    else { return }
    // What would be found if nothing followed: only a verdict that stops it is carried out, since the rest
    // may follow after all, and be found then.
    let found = relay.inspection?.findingsIfOver ?? []
    let verdict = exchange.policy.verdict(
      for: self.facts(relay, exchange),
      findings: relay.findings + found
    )
    if verdict.applied >= .redact, !self.isSinkhole, !relay.isExcused {
      guard self.judge(relay, exchange, found), self.isRedactableStream(relay, exchange) else {
        return
      }
    }
    for part in relay.takeHeld(upTo: .max) { self.forwardBody(part, relay, exchange) }
    self.settle(relay, exchange)
  }

  /// How long content has to be quiet for that; ticks come four times a second.
  private static let quietTime: UInt64 = 250_000_000

  /// Asks rules that were reloaded about bytes without TLS; ends them where one forbids it now.
  func judgePlainStreamAgain() {
    guard var plain = self.plainTunnel, let exchange = self.exchange,
      plain.policy !== self.context.policy
    else { return }
    plain.policy = self.context.policy
    plain.tunnel.judgeAgain(by: self.context.policy)
    self.plainTunnel = plain
    guard let rule = self.undecryptedRule(plain.tunnel, serverName: nil) else { return }
    exchange.merge(Verdict(decided: .block, applied: .block, rule: rule))
    let failure = Self.opaqueFailure(rule)
    self.endExchange(exchange, failure)
    self.finish(failure, mode: .abort)
  }
}

/// A stream of bytes without TLS, and the rules that let it through last.
struct PlainTunnel {
  var tunnel: Tunnel
  var policy: PolicySnapshot
}
