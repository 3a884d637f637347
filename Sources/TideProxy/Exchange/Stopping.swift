import TideCore
import TideHTTP
import TidePolicy

/// How exchanges end: by themselves, by a verdict, by a failure.
extension ConnectionMachine {
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

  /// Ends an exchange of which both messages are through.
  func endIfOver(_ exchange: Exchange) {
    guard !exchange.isEnded, exchange.responseIsOver, exchange.requestEndedAt != nil else { return }
    switch exchange.wire {
    case .http1:
      self.endExchange(exchange, nil)
      self.nextExchange(persists: exchange.persists)
    case .http2: self.endStreamIfSent(exchange)
    case .raw:
      self.endExchange(exchange, nil)
      self.finish(nil)
    }
  }

  /// Answers an exchange that will get no response from a server, and lets its connection or stream end.
  func answerExchange(_ exchange: Exchange, _ failure: FlowFailure, rule: RuleID?) {
    exchange.status = failure.status
    switch exchange.wire {
    case .http1:
      let fields = exchange.request.head.fields
      let toHead = exchange.answersHead
      let facts = self.route?.facts
      self.endExchange(exchange, failure)
      self.answer(
        failure,
        authority: facts?.authority.description,
        rule: rule,
        region: facts?.region.name,
        fields: fields,
        toHead: toHead
      )
    case .http2(let stream): self.answerStream(stream, exchange, failure, rule: rule)
    case .raw:
      self.endExchange(exchange, failure)
      self.finish(failure, mode: .abort)
    }
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
    relay.dropHeld()
    if exchange.socket != nil {
      self.stopSocket(exchange, failure)
      return
    }
    switch exchange.wire {
    case .http1, .raw:
      self.closeUpstream(.abort)
      if exchange.hasAnswered {
        // Half an answer is out: the cut is the only honest end.
        self.finish(failure, mode: .abort)
      } else {
        self.answerExchange(exchange, failure, rule: rule)
      }
    case .http2(let stream): self.stopStream(stream, exchange, failure, rule: rule)
    }
  }

  /// Ends an exchange because of a failure, with a page if nothing was answered yet.
  func fail(_ exchange: Exchange, _ failure: FlowFailure) {
    if exchange.isEnded { return }
    self.stop(exchange.request, exchange, failure, rule: nil)
  }

  /// Ends the one exchange of an HTTP/1 connection because of a failure, or the connection if there is none.
  func failExchange(_ failure: FlowFailure) {
    if let exchange = self.exchange {
      self.fail(exchange, failure)
    } else {
      self.finish(failure)
    }
  }

  /// Ends an exchange's flow; nothing that comes for it afterwards means anything.
  func endExchange(_ exchange: Exchange, _ failure: FlowFailure?) {
    guard !exchange.isEnded else { return }
    self.abandonScans(exchange)
    exchange.isEnded = true
    switch exchange.wire {
    case .http1, .raw: self.exchange = nil
    case .http2(let stream): self.forgetStream(stream, exchange)
    }
    guard exchange.isRecorded else { return }
    self.record(
      .flowEnded(
        FlowEnd(
          flow: exchange.flow,
          time: self.now.wall,
          status: exchange.status,
          requestBytes: exchange.requestBytes,
          responseBytes: exchange.responseBytes,
          findings: exchange.findings,
          verdict: exchange.verdict,
          exposure: exchange.exposure,
          failure: failure
        )
      )
    )
  }

  /// Ends every exchange of the connection.
  func endAllExchanges(_ failure: FlowFailure?) {
    if let exchange = self.exchange { self.endExchange(exchange, failure) }
    for exchange in self.multiplex?.inOrder ?? [] { self.endExchange(exchange, failure) }
  }

  /// Notes once a connection, for each kind, what was not seen or kept from getting out of sight.
  func cover(_ kind: Coverage, _ flow: FlowID?, _ detail: String) {
    guard self.covered.insert(kind).inserted else { return }
    self.record(.coverage(self.id, flow, kind, detail: detail, time: self.now.wall))
  }
}
