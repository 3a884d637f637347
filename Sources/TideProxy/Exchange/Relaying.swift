import TideCore
import TideHTTP
import TideInspect
import TidePolicy
import TideTLS

/// What both directions share: inspect a head, judge, redact a head, and what `otherwise` does.
extension ConnectionMachine {
  // MARK: Judging

  func facts(_ relay: MessageRelay, _ exchange: Exchange) -> MessageFacts {
    let connection = self.route?.facts
    let path =
      exchange.path.firstIndex(of: 0x3F).map { exchange.path.slice(0..<$0) } ?? exchange.path
    return MessageFacts(
      device: self.judgedDevice,
      hosts: exchange.hosts,
      port: connection?.authority.port ?? 0,
      address: connection?.address,
      candidates: connection?.candidates ?? [],
      direction: relay.direction,
      method: exchange.method,
      path: path,
      fields: relay.head.fields,
      size: relay.size,
      protocols: exchange.kind.protocols
    )
  }

  /// Inspects and judges a head, and plans for its body; false if the message was stopped.
  func judgeHead(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let policy = exchange.policy
    let facts = self.facts(relay, exchange)
    relay.plan = self.isSinkhole ? Self.sinkholePlan : policy.bodyPlan(for: facts)
    var found: [Finding] = []
    if relay.plan.inspects {
      found = exchange.inspection.inspect(head: relay.head, direction: relay.direction)
    }
    guard self.judge(relay, exchange, found, facts: facts) else { return false }
    if relay.verdict.applied == .redact, relay.plan.holding < .unit, !self.isSinkhole {
      relay.plan = BodyPlan(
        inspects: true,
        holding: .unit,
        otherwise: relay.verdict.otherwise,
        otherwiseRule: relay.verdict.rule,
        mayRedact: true
      )
    }
    if relay.verdict.applied == .redact, !self.redactHead(relay, exchange) { return false }
    self.prepareContent(relay, exchange)
    return true
  }

  /// Settles how the content will be inspected and held: by units if it has them, else as a whole.
  private func prepareContent(_ relay: MessageRelay, _ exchange: Exchange) {
    if relay.isSocketHandshake { return }
    relay.holding = relay.plan.holding
    switch exchange.wire {
    case .http1, .http2:
      if relay.holding != .body, relay.plan.inspects,
        let framing = UnitFraming.of(relay.head.fields)
      {
        relay.units = UnitSplitter(framing)
        return
      }
      if relay.holding == .unit { relay.holding = .body }
    // It has no end to wait for.
    case .raw: relay.holding = min(relay.holding, .window)
    }
    guard relay.plan.inspects || exchange.kind.isStream, relay.declaredSize != 0 else { return }
    relay.inspection = exchange.inspection.makeBodyInspection(
      head: relay.head,
      direction: relay.direction
    )
  }

  /// Takes new findings into the verdict and carries out a block; false if the message was stopped.
  func judge(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ found: [Finding],
    facts: MessageFacts? = nil
  ) -> Bool {
    relay.findings += found
    if relay.units != nil { relay.unitFindings += found }
    let verdict = exchange.policy.verdict(
      for: facts ?? self.facts(relay, exchange),
      findings: relay.findings
    )
    relay.verdict = verdict
    exchange.merge(verdict)
    if !found.isEmpty {
      exchange.findings += found.count
      self.record(.findings(exchange.flow, found, verdict, time: self.now.wall))
    }
    // Nothing leaves a sinkhole: what the device wanted to send is read to its end.
    guard verdict.applied == .block, !self.isSinkhole else { return true }
    self.block(relay, exchange, verdict)
    return false
  }

  /// Judges a body under way where there is something new: a finding, or a size that was not declared.
  func judgeAgain(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ found: [Finding]
  ) -> Bool {
    guard !found.isEmpty || relay.declaredSize == nil && exchange.policy.asksSize else {
      return true
    }
    return self.judge(relay, exchange, found)
  }

  private static let sinkholePlan = BodyPlan(
    inspects: true,
    holding: .none,
    otherwise: .allow,
    mayRedact: false
  )

  var isSinkhole: Bool {
    switch self.route?.answerer {
    case .sinkhole: true
    case .upstream, .site, nil: false
    }
  }

  /// Replaces what was found in the head; false if that cannot be done and the message was stopped.
  private func redactHead(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let found = relay.findings.filter { $0.location != .body && $0.location != .trailer }
    guard !found.isEmpty else { return true }
    guard
      let redacted = exchange.inspection.redact(
        head: relay.head,
        direction: relay.direction,
        findings: found
      )
    else { return self.cannotRedact(relay, exchange, "the head") }
    relay.effective = redacted.head
    relay.isHeadRedacted = true
    return true
  }

  /// Redacts a head that was held while the verdict turned to redaction; false if it was stopped.
  func redactHeldHead(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard relay.outgoing != nil, !relay.isHeadRedacted else { return true }
    guard self.redactHead(relay, exchange) else { return false }
    relay.outgoing = self.rewritten(relay, exchange)
    return true
  }

  /// The head that goes on, made of the head as it came or as redaction left it.
  func rewritten(_ relay: MessageRelay, _ exchange: Exchange) -> MessageHead? {
    switch relay.rewrite {
    case .request(let destination, let route):
      var head = destination.outgoing(
        relay.effective,
        route: route,
        keepsUpgrade: relay.isSocketHandshake
      )
      if self.context.isEnforcing, exchange.policy.needsResponseInspection {
        head = HeadRewrite.acceptingReadable(head)
      }
      if relay.hasMetExpectation { head.fields.removeAll("expect") }
      return head
    case .response(let framing):
      return self.outgoing(relay.effective, framing: framing, exchange)
    case .multiplexedResponse:
      return HeadRewrite.forwardable(relay.effective, direction: .response)
    case .upgrade:
      return HeadRewrite.forwardable(relay.effective, direction: .response, keepsUpgrade: true)
    case nil: return nil
    }
  }

  /// Follows the rule's `otherwise`; false if the message was stopped.
  func cannotRedact(_ relay: MessageRelay, _ exchange: Exchange, _ what: String) -> Bool {
    self.note(exchange, "\(what) cannot be redacted soundly; otherwise: \(relay.plan.otherwise)")
    guard relay.plan.otherwise == .block else {
      relay.isExcused = true
      return true
    }
    exchange.exposure = relay.released
    let verdict = Verdict(
      decided: max(relay.verdict.decided, .redact),
      applied: .block,
      rule: relay.verdict.rule ?? relay.plan.otherwiseRule
    )
    exchange.merge(verdict)
    self.stop(
      relay,
      exchange,
      FlowFailure(.notRedactable, origin: .internal, detail: "\(what) cannot be redacted"),
      rule: verdict.rule
    )
    return false
  }

  func note(_ exchange: Exchange, _ text: String) {
    guard exchange.isRecorded else { return }
    self.record(.note(exchange.flow, text, time: self.now.wall))
  }
}
