import TideCore
import TideHTTP
import TideInspect
import TidePolicy
import TideTLS

/// What both directions share: inspect, judge, hold or forward, and what a verdict does.
extension ConnectionMachine {
  // MARK: Judging

  func facts(_ relay: MessageRelay, _ exchange: Exchange) -> MessageFacts {
    let connection = self.route?.facts
    let path =
      exchange.path.firstIndex(of: 0x3F).map { exchange.path.slice(0..<$0) } ?? exchange.path
    return MessageFacts(
      device: self.device,
      hosts: exchange.hosts,
      port: connection?.authority.port ?? 0,
      address: connection?.address,
      candidates: connection?.candidates ?? [],
      direction: relay.direction,
      method: exchange.method,
      path: path,
      fields: relay.head.fields,
      size: relay.size,
      protocolName: "http/1.1"
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
    if relay.verdict.applied == .redact, relay.plan.holding != .body, !self.isSinkhole {
      relay.plan = BodyPlan(
        inspects: true,
        holding: .body,
        otherwise: relay.verdict.otherwise,
        mayRedact: true
      )
    }
    if relay.verdict.applied == .redact, !self.redactHead(relay, exchange) { return false }
    if relay.plan.inspects, relay.declaredSize != 0 {
      relay.inspection = exchange.inspection.makeBodyInspection(
        head: relay.head,
        direction: relay.direction
      )
    }
    return true
  }

  /// Takes new findings into the verdict and carries out a block; false if the message was stopped.
  func judge(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ found: [Finding],
    facts: MessageFacts? = nil
  ) -> Bool {
    relay.findings += found
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
  private func judgeAgain(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ found: [Finding]
  ) -> Bool {
    guard !found.isEmpty || relay.declaredSize == nil else { return true }
    return self.judge(relay, exchange, found)
  }

  private static let sinkholePlan = BodyPlan(
    inspects: true,
    holding: .none,
    otherwise: .allow,
    mayRedact: false
  )

  private var isSinkhole: Bool {
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
  private func redactHeldHead(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard relay.outgoing != nil, !relay.isHeadRedacted else { return true }
    guard self.redactHead(relay, exchange) else { return false }
    relay.outgoing = self.rewritten(relay, exchange)
    return true
  }

  /// The head that goes on, made of the head as it came or as redaction left it.
  func rewritten(_ relay: MessageRelay, _ exchange: Exchange) -> MessageHead? {
    switch relay.rewrite {
    case .request(let destination, let route):
      var head = destination.outgoing(relay.effective, route: route)
      if relay.hasMetExpectation { head.fields.removeAll("expect") }
      return head
    case .response(let framing):
      return self.outgoing(relay.effective, framing: framing, exchange)
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
      rule: relay.verdict.rule
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

  // MARK: Bodies

  func relayBody(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    relay.received += UInt64(bytes.count)
    guard exchange.isRecorded else { return }
    if self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .original, bytes))
    }
    var found: [Finding] = []
    relay.inspection?.receive(bytes, &found)
    self.reportNotes(relay, exchange)
    guard self.judgeAgain(relay, exchange, found), self.isInspectable(relay, exchange) else {
      return
    }
    switch relay.plan.holding {
    case .none: self.forwardBody(bytes, relay, exchange)
    case .window:
      relay.hold(bytes)
      let limit = relay.inspection?.releasable ?? relay.received
      for part in relay.takeHeld(upTo: limit) { self.forwardBody(part, relay, exchange) }
    case .body:
      relay.hold(bytes)
      guard relay.heldCount > self.context.limits.holdBytes else { return }
      guard self.cannotRedact(relay, exchange, "a body over the hold limit") else { return }
      relay.plan = BodyPlan(
        inspects: true,
        holding: .none,
        otherwise: relay.plan.otherwise,
        mayRedact: false
      )
      self.releaseHeld(relay, exchange)
    }
  }

  /// What the inspection has to say that an operator should know, once each.
  private func reportNotes(_ relay: MessageRelay, _ exchange: Exchange) {
    guard let notes = relay.inspection?.notes, notes.count > relay.reportedNotes else { return }
    for note in notes[relay.reportedNotes...] { self.note(exchange, note) }
    relay.reportedNotes = notes.count
  }

  /// Enforcing modes do not let pass what could not be inspected to its end; false if stopped.
  private func isInspectable(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard relay.inspection?.isIncomplete == true, relay.plan.holding != .none, !relay.isExcused
    else { return true }
    return self.cannotRedact(relay, exchange, "a body that cannot be inspected to its end")
  }

  func relayTrailers(_ fields: HeaderFields, _ relay: MessageRelay, _ exchange: Exchange) {
    relay.trailers = fields
    guard exchange.isRecorded else { return }
    if self.context.keepsBodies {
      self.record(.trailers(exchange.flow, relay.direction, .original, Self.serialised(fields)))
    }
    guard relay.plan.inspects else { return }
    let found = exchange.inspection.inspect(trailers: fields, direction: relay.direction)
    guard self.judge(relay, exchange, found), relay.verdict.applied == .redact, !found.isEmpty
    else { return }
    // A trailer that holds an identifier is left out: nothing depends on trailers by default.
    relay.trailers = nil
    self.note(exchange, "a trailer section with findings was left out")
  }

  private static func serialised(_ fields: HeaderFields) -> Bytes {
    var text: [UInt8] = []
    for index in 0..<fields.count {
      text += fields.name(at: index).array
      text += [0x3A, 0x20]
      text += fields.value(at: index).array
      text += [0x0D, 0x0A]
    }
    return Bytes(text)
  }

  /// The message is whole: the last verdict, then what was held goes on.
  func endMessage(_ relay: MessageRelay, _ exchange: Exchange) {
    if exchange.isRecorded {
      var found: [Finding] = []
      relay.inspection?.finish(&found)
      relay.isWhole = true
      self.reportNotes(relay, exchange)
      guard self.judgeAgain(relay, exchange, found), self.isInspectable(relay, exchange) else {
        return
      }
    }
    if relay.plan.holding == .body, relay.verdict.applied == .redact {
      guard self.redactHeldHead(relay, exchange), self.redactHeld(relay, exchange) else { return }
    }
    self.forwardHead(relay, exchange)
    self.releaseHeld(relay, exchange)
    if let trailers = relay.trailers, relay.direction == .request || !exchange.dropsTrailers {
      self.forward(.trailers(trailers), relay.direction)
    }
    if self.exchange === exchange { self.forward(.end, relay.direction) }
    guard self.exchange === exchange else { return }  // what could not be framed has ended it
    switch relay.direction {
    case .request: self.requestIsComplete(exchange)
    case .response: self.responseIsComplete(exchange)
    }
  }

  /// Replaces what was found in the held body; false if the message was stopped.
  private func redactHeld(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let found = relay.findings.filter { $0.location == .body }
    guard !found.isEmpty else { return true }
    let body = relay.takeHeld()
    guard
      let redacted = exchange.inspection.redact(
        body: body,
        head: relay.head,
        direction: relay.direction,
        findings: found
      )
    else {
      guard self.cannotRedact(relay, exchange, "the body") else { return false }
      relay.hold(body)
      return true
    }
    relay.hold(redacted.body)
    if redacted.body.count != body.count, relay.declaredSize != nil,
      let index = relay.outgoing?.fields.firstIndex(named: "content-length")
    {
      relay.outgoing?.fields.replaceValue(at: index, with: Bytes(String(redacted.body.count)))
    }
    if self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .sent, redacted.body))
    }
    return true
  }

  // MARK: Forwarding

  private func releaseHeld(_ relay: MessageRelay, _ exchange: Exchange) {
    self.forwardHead(relay, exchange)
    for part in relay.takeHeld(upTo: .max) { self.forwardBody(part, relay, exchange) }
  }

  /// Sends the head on, if it is still here.
  func forwardHead(_ relay: MessageRelay, _ exchange: Exchange) {
    guard let head = relay.outgoing else { return }
    relay.outgoing = nil
    if relay.verdict.applied == .redact, self.context.keepsBodies, exchange.isRecorded {
      do throws(HTTPFailure) {
        let sent = try HeadRewrite.serialised(head)
        self.record(.head(exchange.flow, relay.direction, .sent, sent))
      } catch {
        self.failExchange(FlowFailure(.internalError, origin: .internal, detail: error.detail))
        return
      }
    }
    switch relay.direction {
    case .request: self.serverCodec.expectResponse(toMethod: head.method)
    case .response: exchange.hasAnswered = true
    }
    self.forward(.head(head), relay.direction)
  }

  private func forwardBody(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    relay.released += UInt64(bytes.count)
    if relay.direction == .response { exchange.responseBytes += UInt64(bytes.count) }
    self.forward(.body(bytes), relay.direction)
  }

  /// Encrypts a large piece of a body where it lies, if its framing adds nothing to it.
  private static func sendInPlace(
    _ part: MessagePart,
    _ codec: inout HTTP1Codec,
    _ side: inout Side
  ) throws(HTTPFailure) -> Bool {
    guard case .body(let bytes) = part, bytes.count >= 4_096, let tls = side.tls,
      try codec.passBody(bytes.count)
    else { return false }
    Self.encrypt(&side, tls)
    do throws(TLSFailure) { try tls.send(bytes) } catch { side.closing = .abort }
    return true
  }

  /// Frames a part for the leg it goes to; where no server was dialled, requests go nowhere.
  func forward(_ part: MessagePart, _ direction: Direction) {
    do throws(HTTPFailure) {
      switch direction {
      case .request:
        guard self.up.isOpen else { return }
        if try Self.sendInPlace(part, &self.serverCodec, &self.up) { return }
        try self.serverCodec.send(part, &self.up.output)
      case .response:
        if try Self.sendInPlace(part, &self.deviceCodec, &self.down) { return }
        try self.deviceCodec.send(part, &self.down.output)
      }
    } catch {
      self.failExchange(FlowFailure(.internalError, origin: .internal, detail: error.detail))
    }
  }
}
