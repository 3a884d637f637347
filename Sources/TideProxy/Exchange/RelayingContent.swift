import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// A message's content: inspected as it comes, held as its plan says, forwarded, redacted where it is whole.
extension ConnectionMachine {
  /// Takes the next bytes of a message's content.
  func relayBody(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    if let socket = exchange.socket {
      self.relaySocket(bytes, socket[relay.direction], exchange)
      return
    }
    if relay.isSocketHandshake {
      // Frames ahead of the server's answer: nobody knows yet how they are to be read. After one that
      // makes no WebSocket nobody wants them.
      if exchange.response == nil { relay.hold(bytes) }
      return
    }
    relay.received += UInt64(bytes.count)
    exchange.lastActivity = self.now.instant
    guard exchange.isRecorded else { return }
    if self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .original, bytes))
    }
    self.copyForScan(bytes, relay, exchange)
    guard relay.units != nil else {
      self.relayContent(bytes, relay, exchange)
      return
    }
    var pieces: [UnitPiece] = []
    let wasBroken = relay.units?.isBroken
    relay.units?.receive(bytes, &pieces)
    if wasBroken == false, relay.units?.isBroken == true {
      self.note(exchange, "no gRPC messages, contrary to its type: inspected as one unit")
    }
    for piece in pieces {
      self.relayPiece(piece, relay, exchange)
      if exchange.isEnded { return }
    }
    // As it came: not in a chunk or a frame for each unit.
    if relay.passesWhole { self.forwardBody(bytes, relay, exchange) }
  }

  private func relayContent(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    var found: [Finding] = []
    relay.inspection?.receive(bytes, &found)
    self.reportNotes(relay, exchange)
    guard self.judgeAgain(relay, exchange, found), self.isRedactableStream(relay, exchange),
      self.isInspectable(relay, exchange)
    else { return }
    switch relay.holding {
    case .none: if !relay.passesWhole { self.forwardBody(bytes, relay, exchange) }
    case .window:
      relay.hold(bytes)
      // What is inside a layer is seen when the layer is whole: as much is held as may be. A stream of
      // bytes has no end to wait for.
      var most = self.context.limits.holdBytes
      if case .raw = exchange.wire { most = 0 }
      guard relay.heldCount > most else { return }
      let settled = relay.inspection.map { relay.unitStart + $0.releasable } ?? relay.received
      let limit = min(settled, relay.released + UInt64(relay.heldCount - most))
      for part in relay.takeHeld(upTo: limit) { self.forwardBody(part, relay, exchange) }
      // No match is as long: bytes that decode to nothing would be held without end.
      guard relay.heldCount > most + 2 * self.context.limits.windowBytes else { return }
      guard self.cannotRedact(relay, exchange, "content that decodes to nothing") else { return }
      relay.releaseFromNowOn()
      self.releaseHeld(relay, exchange)
    case .unit, .body:
      relay.hold(bytes)
      guard relay.heldCount > self.context.limits.holdBytes else { return }
      guard self.skipScan(relay, exchange, "content over the hold limit") else { return }
      if relay.holding < .unit {
        self.releaseUnscanned(relay, exchange)
        return
      }
      let what = relay.units == nil ? "a body" : "a unit"
      guard self.cannotRedact(relay, exchange, "\(what) over the hold limit") else { return }
      relay.releaseFromNowOn()
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
    guard relay.inspection?.isIncomplete == true, relay.holding != .none, !relay.isExcused
    else { return true }
    return self.cannotRedact(relay, exchange, "a body that cannot be inspected to its end")
  }

  /// What is to be redacted in bytes of which nobody knows where they may be changed; false if stopped.
  func isRedactableStream(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard case .raw = exchange.wire, relay.verdict.applied == .redact, !relay.isExcused,
      !relay.findings.isEmpty
    else { return true }
    return self.cannotRedact(relay, exchange, "a stream of bytes")
  }

  // MARK: Units

  private func relayPiece(_ piece: UnitPiece, _ relay: MessageRelay, _ exchange: Exchange) {
    relay.cut += UInt64(piece.bytes.count)
    switch piece.kind {
    case .prefix(let prefix):
      relay.unitPrefix = piece.bytes
      relay.isUnitTrailers = prefix.isTrailers
      relay.isUnitCompressed = piece.isCompressed
      relay.unitStart = relay.cut
      if relay.holding != .none {
        relay.hold(piece.bytes)
      } else if !relay.passesWhole {
        self.forwardBody(piece.bytes, relay, exchange)
      }
    case .content where !piece.bytes.isEmpty:
      if relay.inspection == nil {
        if relay.unitPrefix.isEmpty { relay.unitStart = relay.cut - UInt64(piece.bytes.count) }
        relay.inspection = exchange.inspection.makeInspection(of: Self.unit(relay))
      }
      self.relayContent(piece.bytes, relay, exchange)
    case .content: break
    }
    if piece.endsUnit, !exchange.isEnded { self.endUnit(relay, exchange) }
  }

  /// What the unit under way is.
  private static func unit(_ relay: MessageRelay) -> Content {
    var fields = HeaderFields()
    if let type = relay.head.fields.first("content-type") {
      fields.append(name: "content-type", value: type)
    }
    if relay.isUnitCompressed {
      // Compressed by what is not named, or by more than one name: nobody here can read it.
      let codings = relay.head.fields.tokens("grpc-encoding")
      let isNamed = codings.count == 1 && codings[0] != "identity"
      fields.append(name: "content-encoding", value: Bytes(isNamed ? codings[0] : "unnamed"))
    }
    return Content(
      direction: relay.direction,
      fields: fields,
      offset: Int(clamping: relay.unitStart)
    )
  }

  /// The unit is whole: the last verdict on it, then it goes on.
  private func endUnit(_ relay: MessageRelay, _ exchange: Exchange) {
    var found: [Finding] = []
    relay.inspection?.finish(&found)
    self.reportNotes(relay, exchange)
    guard self.judgeAgain(relay, exchange, found), self.isInspectable(relay, exchange) else {
      return
    }
    if relay.holding == .unit, relay.verdict.applied == .redact {
      guard self.redactUnit(relay, exchange) else { return }
    }
    relay.inspection = nil
    relay.reportedNotes = 0
    relay.unitPrefix = Bytes()
    relay.unitFindings = []
    relay.findings = Self.kinds(relay.findings)
    self.releaseHeld(relay, exchange)
    relay.beginUnit()
  }

  /// One finding of each kind and certainty, which is all that rules ask: a stream may last for days.
  static func kinds(_ findings: [Finding]) -> [Finding] {
    var kept: [Finding] = []
    for finding in findings
    where !kept.contains(where: { $0.kind == finding.kind && $0.certainty == finding.certainty }) {
      kept.append(finding)
    }
    return kept
  }

  /// Replaces what was found in the held unit; false if the message was stopped.
  private func redactUnit(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let found = relay.unitFindings.filter { $0.location == .body }
    guard !found.isEmpty else { return true }
    let whole = relay.takeHeld()
    let body = whole.dropping(first: relay.unitPrefix.count)
    let redacted = exchange.inspection.redact(body, Self.unit(relay), findings: found)
    guard let redacted, redacted.body.count == body.count || relay.declaredSize == nil else {
      guard self.cannotRedact(relay, exchange, "a unit") else { return false }
      relay.hold(whole)
      return true
    }
    guard self.maySend(redacted.isSignatureBroken, relay, exchange) else { return false }
    self.record(redacted.changes, relay, exchange)
    if !relay.unitPrefix.isEmpty {
      relay.hold(
        GRPCPrefix(
          isCompressed: relay.isUnitCompressed,
          isTrailers: relay.isUnitTrailers,
          length: UInt32(clamping: redacted.body.count)
        ).bytes
      )
    }
    relay.hold(redacted.body)
    return true
  }

  // MARK: The end

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
    let redacted = exchange.inspection.redact(
      trailers: fields,
      direction: relay.direction,
      findings: found
    )
    relay.trailers = redacted?.fields
    self.record(redacted?.changes ?? [], relay, exchange)
    // Nothing depends on trailers by default.
    if relay.trailers == nil { self.note(exchange, "a trailer section with findings was left out") }
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
    exchange.lastActivity = self.now.instant
    if exchange.socket != nil {
      self.socketEnded(relay.direction, exchange)
      return
    }
    if relay.isSocketHandshake {
      relay.dropHeld()
      if case .http2 = exchange.wire, exchange.response == nil {
        self.fail(
          exchange,
          FlowFailure(
            .malformedMessage,
            origin: .downstream,
            detail: "a WebSocket that ended before it began"
          )
        )
        return
      }
    }
    if exchange.isRecorded {
      relay.isWhole = true
      if relay.units != nil {
        var pieces: [UnitPiece] = []
        relay.units?.finish(&pieces)
        for piece in pieces {
          self.relayPiece(piece, relay, exchange)
          if exchange.isEnded { return }
        }
        self.endUnit(relay, exchange)
        if exchange.isEnded { return }
      } else {
        var found: [Finding] = []
        relay.inspection?.finish(&found)
        self.reportNotes(relay, exchange)
        guard self.judgeAgain(relay, exchange, found), self.isRedactableStream(relay, exchange),
          self.isInspectable(relay, exchange)
        else { return }
      }
    }
    if self.asksScanner(relay, exchange) { return }
    self.sendEnd(relay, exchange)
  }

  /// The last of a message goes on, redacted if need be.
  func sendEnd(_ relay: MessageRelay, _ exchange: Exchange) {
    if relay.holding == .body, relay.verdict.applied == .redact, !relay.isReplaced {
      guard self.redactHeldHead(relay, exchange), self.maskScanned(relay, exchange),
        self.redactHeld(relay, exchange)
      else { return }
    }
    self.releaseHeld(relay, exchange)
    if let trailers = relay.trailers, relay.direction == .request || !exchange.dropsTrailers {
      self.forward(.trailers(trailers), relay.direction, exchange)
    }
    if !exchange.isEnded { self.forward(.end, relay.direction, exchange) }
    guard !exchange.isEnded else { return }  // what could not be framed has ended it
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
    // The head has not gone yet: sums of the body in it become sums of what is sent.
    let fitted = relay.outgoing.map { BodyDigests.fit($0, to: redacted.alterations) }
    let isBroken = redacted.isSignatureBroken || fitted?.isSignatureBroken ?? false
    guard self.maySend(isBroken, relay, exchange) else { return false }
    if let head = fitted?.head { relay.outgoing = head }
    self.record(redacted.changes, relay, exchange)
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
}
