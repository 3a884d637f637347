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
      aliases: Self.joined(self.route?.aliases ?? [], exchange.requestedHost?.aliases),
      port: connection?.authority.port ?? 0,
      address: connection?.address,
      candidates: Self.joined(connection?.candidates ?? [], exchange.requestedHost?.candidates),
      direction: relay.direction,
      method: exchange.method,
      path: path,
      fields: relay.head.fields,
      size: relay.size,
      protocols: exchange.kind.protocols
    )
  }

  /// The connection's, which nearly every message has to itself, and what a request's own host adds.
  private static func joined<Element>(_ common: [Element], _ own: [Element]?) -> [Element] {
    own.map { common + $0 } ?? common
  }

  /// Inspects and judges a head, and plans for its body; false if the message was stopped.
  func judgeHead(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let policy = exchange.policy
    let facts = self.facts(relay, exchange)
    let opening = policy.opening(for: facts)
    relay.plan = self.isSinkhole ? Self.sinkholePlan : opening.plan
    var found: [Finding] = []
    if relay.plan.inspects {
      found = exchange.inspection.inspect(head: relay.head, direction: relay.direction)
    }
    let limit = relay.plan.inspects ? exchange.inspection.limitMetInHead : nil
    relay.take(found)
    let verdict =
      relay.findings.isEmpty
      ? opening.verdict : policy.verdict(for: facts, findings: relay.findings)
    guard self.carryOut(verdict, found, relay, exchange) else { return false }
    if let limit {
      self.note(exchange, "not every layer of the head was opened: the limit on \(limit) was met")
      guard
        relay.plan.holding == .none || self.isSinkhole
          || self.cannotRedact(relay, exchange, "a head that cannot be inspected to its end")
      else { return false }
    }
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
    guard self.prepareContent(relay, exchange) else { return false }
    return true
  }

  /// Settles how the content will be inspected, scanned and held: by units if it has them, else as a
  /// whole; false if the message was stopped.
  private func prepareContent(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    relay.holding = relay.isSocketHandshake ? relay.holding : relay.plan.holding
    guard self.prepareScan(relay, exchange) else { return false }
    if relay.isSocketHandshake { return true }
    switch exchange.wire {
    case .http1, .http2:
      if relay.holding != .body, relay.plan.inspects,
        let framing = UnitFraming.of(relay.head.fields)
      {
        relay.units = UnitSplitter(framing)
        return true
      }
      if relay.holding == .unit { relay.holding = .body }
    // It has no end to wait for.
    case .raw: relay.holding = min(relay.holding, .window)
    }
    guard relay.plan.inspects || exchange.kind.isStream, relay.declaredSize != 0 else {
      return true
    }
    var isStream = false
    if case .raw = exchange.wire { isStream = true }
    relay.inspection = exchange.inspection.makeBodyInspection(
      head: relay.head,
      direction: relay.direction,
      isStream: isStream
    )
    return true
  }

  /// Takes new findings into the verdict and carries out a block; false if the message was stopped.
  ///
  /// `least` is what a scanner decided: the stricter of it and the rules' verdict holds.
  func judge(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ found: [Finding],
    atLeast least: Verdict = .pass
  ) -> Bool {
    relay.take(found)
    var verdict = exchange.policy.verdict(
      for: self.facts(relay, exchange),
      findings: relay.findings
    )
    if least.decided > verdict.decided || least.applied > verdict.applied { verdict = least }
    return self.carryOut(verdict, found, relay, exchange)
  }

  /// Makes a verdict the message's, with what was found since the last; false if the message was stopped.
  private func carryOut(
    _ verdict: Verdict,
    _ found: [Finding],
    _ relay: MessageRelay,
    _ exchange: Exchange
  ) -> Bool {
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
    guard self.maySend(redacted.isSignatureBroken, relay, exchange) else { return false }
    self.record(redacted.changes, relay, exchange)
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
      if self.context.isEnforcing,
        exchange.policy.needsResponseInspection || self.context.scansResponses
      {
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

  static let brokenSignature =
    "signature-broken: what was replaced is signed with a key that is not ours"

  /// Lets the rule decide about a change under a signature that only the sender can make; false if the
  /// message was stopped.
  ///
  /// With `otherwise: allow` it is the changed message that goes on, whatever its receiver makes of it.
  func maySend(_ breaksSignature: Bool, _ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard breaksSignature else { return true }
    self.note(exchange, Self.brokenSignature)
    guard relay.plan.otherwise == .block else { return true }
    return self.cannotRedact(relay, exchange, "what is signed")
  }

  /// Records what was replaced in what goes on.
  func record(_ changes: [RedactionRecord], _ relay: MessageRelay, _ exchange: Exchange) {
    guard exchange.isRecorded, !changes.isEmpty else { return }
    self.record(
      .redacted(
        exchange.flow,
        relay.direction,
        changes,
        relay.verdict.rule,
        time: self.now.wall
      )
    )
  }

  func note(_ exchange: Exchange, _ text: String) {
    guard exchange.isRecorded else { return }
    self.record(.note(exchange.flow, text, time: self.now.wall))
  }
}
