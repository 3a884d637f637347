import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// What becomes of a WebSocket's whole messages and of its control frames.
extension ConnectionMachine {
  func endMessage(
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) {
    if message.isCompressed, !message.isUnreadable {
      var pieces: [Bytes] = []
      do throws(CodingFailure) {
        try side.inflater?.finishMessage(&pieces)
      } catch {
        guard self.cannotInflate(error, message, side, exchange) else { return }
      }
      for piece in pieces {
        guard self.take(piece, message, side, exchange) else { return }
      }
    }
    var found: [Finding] = []
    message.inspection?.finish(&found)
    guard self.judge(found, message, side, exchange) else { return }
    self.recordMessage(message, .original, side, exchange)
    side.message = nil
    side.relay.findings = Self.kinds(side.relay.findings)
    defer {
      side.isMidFrame = false
      side.relay.beginUnit()
    }
    guard side.relay.holding == .unit, !message.isUnreadable else {
      self.releaseAll(side, exchange)
      return
    }
    let isRedacted = side.relay.verdict.applied == .redact && !message.findings.isEmpty
    guard isRedacted || message.isCompressed && side.recompresses else {
      self.releaseAll(side, exchange)
      return
    }
    self.replace(message, isRedacted: isRedacted, side, exchange)
  }

  /// Makes a held message anew, redacted if it has to be.
  func replace(
    _ message: SocketMessageState,
    isRedacted: Bool,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) {
    let payload = self.payload(message, isRedacted: isRedacted, side, exchange)
    guard let payload else {
      if self.cannotRedact(side.relay, exchange, "a message"),
        self.canPassAsItCame(message, side, exchange)
      {
        self.releaseAll(side, exchange)
      }
      return
    }
    side.marks.removeAll()
    _ = side.relay.takeHeld()
    self.forwardSocket(side.frame(message, payload), side, exchange)
    guard isRedacted else { return }
    message.payload = payload.array
    self.recordMessage(message, .sent, side, exchange)
  }

  /// What goes on in the place of a held message's payload; nil if that cannot be said.
  func payload(
    _ message: SocketMessageState,
    isRedacted: Bool,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bytes? {
    guard message.isWhole else { return nil }
    let payload = Bytes(message.payload)
    guard isRedacted else { return payload }
    let redacted = exchange.inspection.redact(
      payload,
      Self.content(side),
      findings: message.findings
    )
    guard let redacted else { return nil }
    if redacted.isSignatureBroken {
      self.note(exchange, Self.brokenSignature)
      if side.relay.plan.otherwise == .block { return nil }
    }
    self.record(redacted.changes, side.relay, exchange)
    return redacted.body
  }

  func recordMessage(
    _ message: SocketMessageState,
    _ stage: BodyStage,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) {
    guard self.context.keepsBodies else { return }
    self.record(
      .message(
        exchange.flow,
        side.relay.direction,
        stage,
        message.record(limit: self.context.limits.messageBytes),
        time: self.now.wall
      )
    )
  }

  /// Control frames pass between the frames of a message; what they say is inspected as well.
  func relayControl(
    _ kind: SocketMessage.Kind,
    _ payload: Bytes,
    _ raw: Bytes,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) {
    if self.context.keepsBodies {
      let message = SocketMessage(
        kind: kind,
        payload: payload,
        size: UInt64(payload.count),
        frames: 1,
        isCompressed: false
      )
      self.record(
        .message(exchange.flow, side.relay.direction, .original, message, time: self.now.wall)
      )
    }
    var found: [Finding] = []
    let inspection = exchange.inspection.makeInspection(of: Self.content(side))
    inspection?.receive(payload, &found)
    inspection?.finish(&found)
    if !found.isEmpty {
      guard self.judgeAgain(side.relay, exchange, found) else { return }
      if side.relay.verdict.applied == .redact, !side.relay.isExcused {
        guard self.cannotRedact(side.relay, exchange, "a control frame") else { return }
      }
      side.relay.findings = Self.kinds(side.relay.findings)
    }
    if kind == .close {
      guard self.giveUpMessage(side, exchange) else { return }
    } else if side.isMidFrame, side.relay.heldCount > 0 {
      // It waits behind the rest of the frame that has begun to go on.
      side.relay.hold(raw)
      side.marks.append((raw.count, Int(clamping: side.message?.size ?? 0), true))
      return
    }
    self.forwardSocket(raw, side, exchange)
  }

  /// A message that a Close cuts short: what is held of it goes on only if nothing is found in it.
  func giveUpMessage(_ side: SocketDirection, _ exchange: Exchange) -> Bool {
    guard let message = side.message else { return true }
    var found: [Finding] = []
    message.inspection?.finish(&found)
    guard self.judge(found, message, side, exchange) else { return false }
    self.recordMessage(message, .original, side, exchange)
    side.message = nil
    if side.relay.holding == .window {
      self.releaseAll(side, exchange)
    } else {
      side.marks.removeAll()
      _ = side.relay.takeHeld()
    }
    side.isMidFrame = false
    return true
  }
}
