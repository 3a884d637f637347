import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// A WebSocket's messages on their way: read, inspected, recorded, passed on as they came unless redacted.
extension ConnectionMachine {
  /// Takes the next bytes of one direction.
  func relaySocket(_ bytes: Bytes, _ side: SocketDirection, _ exchange: Exchange) {
    let relay = side.relay
    relay.received += UInt64(bytes.count)
    exchange.lastActivity = self.now.instant
    if self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .original, bytes))
    }
    guard !side.isOpaque else {
      self.forwardSocket(bytes, side, exchange)
      return
    }
    var pieces: [WebSocketPiece] = []
    var failure: WebSocketFailure?
    do throws(WebSocketFailure) {
      try side.reader.receive(bytes, &pieces)
    } catch {
      failure = error
    }
    for piece in pieces {
      self.relayPiece(piece, side, exchange)
      if exchange.isEnded { return }
    }
    if let failure { self.socketIsBroken(exchange, side, failure) }
  }

  func relayPiece(
    _ piece: WebSocketPiece,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) {
    switch piece {
    case .frame(let frame, let raw):
      // A header goes on with the first of its payload, which may yet be refused.
      let message = side.message ?? self.beginMessage(frame, side, exchange)
      message.frames += 1
      self.pass(raw, side, exchange, isHeader: true, endsFrame: false)
    case .payload(let payload, let raw, let endsMessage, let endsFrame):
      guard let message = side.message else { return }
      guard self.inspect(payload, message, side, exchange) else { return }
      self.pass(raw, side, exchange, endsFrame: endsFrame)
      if endsMessage, !exchange.isEnded { self.endMessage(message, side, exchange) }
    case .control(let kind, let payload, let raw):
      self.relayControl(kind, payload, raw, side, exchange)
    }
  }

  func beginMessage(
    _ frame: WebSocketFrame,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> SocketMessageState {
    let message = SocketMessageState(
      frame,
      exchange.inspection.makeInspection(of: Self.content(side))
    )
    side.message = message
    return message
  }

  static func content(_ side: SocketDirection) -> Content {
    Content(location: .websocket, direction: side.relay.direction, fields: HeaderFields())
  }

  // MARK: Inspecting

  /// Inspects the next bytes of a message; false if the WebSocket was stopped.
  func inspect(
    _ payload: Bytes,
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bool {
    guard message.isCompressed else { return self.take(payload, message, side, exchange) }
    guard !message.isUnreadable else { return true }
    var pieces: [Bytes] = []
    do throws(CodingFailure) {
      try side.inflater?.inflate(payload, &pieces)
    } catch {
      return self.cannotInflate(error, message, side, exchange)
    }
    for piece in pieces {
      guard self.take(piece, message, side, exchange) else { return false }
    }
    return true
  }

  func take(
    _ content: Bytes,
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bool {
    message.keep(content, limit: self.keptBytes(side))
    var found: [Finding] = []
    message.inspection?.receive(content, &found)
    return self.judge(found, message, side, exchange)
  }

  /// Judges what was found; false if the WebSocket was stopped.
  func judge(
    _ found: [Finding],
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bool {
    message.findings += found
    if let notes = message.inspection?.notes, notes.count > message.reportedNotes {
      for note in notes[message.reportedNotes...] { self.note(exchange, note) }
      message.reportedNotes = notes.count
    }
    guard self.judgeAgain(side.relay, exchange, found) else { return false }
    guard message.inspection?.isIncomplete == true, side.relay.holding != .none,
      !side.relay.isExcused
    else { return true }
    return self.cannotRedact(
      side.relay,
      exchange,
      "a message that cannot be inspected to its end"
    )
  }

  /// How much of a message's payload is kept: what its record shows, and all that redaction needs.
  func keptBytes(_ side: SocketDirection) -> Int {
    let limits = self.context.limits
    let recorded = self.context.keepsBodies ? limits.messageBytes : 0
    return side.relay.holding == .unit ? max(recorded, limits.holdBytes) : recorded
  }

  /// What cannot be decompressed is not seen, and passes where nothing is enforced; false if stopped.
  ///
  /// Nor is any compressed message after it, which may refer to it; frames are still read.
  func cannotInflate(
    _ failure: CodingFailure,
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bool {
    if !side.hasLostContext {
      self.note(exchange, "compressed messages are not inspected any more: \(failure.detail)")
    }
    side.hasLostContext = true
    message.isUnreadable = true
    guard side.relay.holding != .none else { return true }
    guard
      side.relay.isExcused
        || self.cannotRedact(side.relay, exchange, "a message that cannot be decompressed")
    else { return false }
    return self.canPassAsItCame(message, side, exchange)
  }

  /// Whether a message may go on as it came; false if the WebSocket was stopped.
  ///
  /// It may not if it is compressed, and its receiver's window is no longer what its sender thinks it is.
  func canPassAsItCame(
    _ message: SocketMessageState,
    _ side: SocketDirection,
    _ exchange: Exchange
  ) -> Bool {
    guard message.isCompressed, side.recompresses else { return true }
    self.stopSocket(
      exchange,
      FlowFailure(
        .notRedactable,
        origin: .internal,
        detail: "a message after a redacted one that cannot be compressed anew"
      )
    )
    return false
  }

  // MARK: Passing on

  /// Passes raw bytes on, or holds them, as the plan says.
  func pass(
    _ raw: Bytes,
    _ side: SocketDirection,
    _ exchange: Exchange,
    isHeader: Bool = false,
    endsFrame: Bool
  ) {
    let relay = side.relay
    switch relay.holding {
    case .none:
      guard !isHeader else {
        side.header = raw
        return
      }
      if !side.header.isEmpty { self.forwardSocket(side.header, side, exchange) }
      side.header = Bytes()
      self.forwardSocket(raw, side, exchange)
      side.isMidFrame = !endsFrame
      return
    case .window, .unit, .body:
      relay.hold(raw)
      side.marks.append((raw.count, Int(clamping: side.message?.size ?? 0), endsFrame))
    }
    let limits = self.context.limits
    let what: String
    if relay.holding == .window {
      // What is inside a layer is seen when the message is whole (decision 8).
      guard relay.heldCount > limits.holdBytes || side.marks.count > limits.heldFrames else {
        return
      }
      self.releaseSettled(side, exchange)
      // No match is as long: frames that hold nothing would be held without end.
      guard
        relay.heldCount > limits.holdBytes + 2 * limits.windowBytes
          || side.marks.count > limits.heldFrames
      else { return }
      what = "frames that hold nothing"
    } else {
      guard relay.heldCount > limits.holdBytes else { return }
      what = "a message over the hold limit"
    }
    guard self.cannotRedact(relay, exchange, what) else { return }
    if let message = side.message, !self.canPassAsItCame(message, side, exchange) { return }
    relay.releaseFromNowOn()
    self.releaseAll(side, exchange)
    side.isMidFrame = !endsFrame
  }

  /// Releases what surely belongs to no match that is still open: whole frames while they fit into the
  /// window, so that a Close can follow them.
  func releaseSettled(_ side: SocketDirection, _ exchange: Exchange) {
    let settled = side.message?.inspection.map { Int(clamping: $0.releasable) } ?? .max
    var free = side.marks.prefix { $0.content <= settled }
    if side.relay.heldCount <= self.context.limits.windowBytes {
      free = free.prefix((free.lastIndex(where: \.endsFrame) ?? -1) + 1)
    }
    guard let last = free.last else { return }
    let count = free.reduce(0) { $0 + $1.raw }
    side.marks.removeFirst(free.count)
    for part in side.relay.takeHeld(upTo: side.relay.released + UInt64(count)) {
      self.forwardSocket(part, side, exchange)
    }
    side.isMidFrame = !last.endsFrame
  }

  func releaseAll(_ side: SocketDirection, _ exchange: Exchange) {
    side.marks.removeAll()
    for part in side.relay.takeHeld(upTo: .max) { self.forwardSocket(part, side, exchange) }
  }

  func forwardSocket(_ bytes: Bytes, _ side: SocketDirection, _ exchange: Exchange) {
    if exchange.isEnded { return }
    let relay = side.relay
    relay.released += UInt64(bytes.count)
    if relay.direction == .response { exchange.responseBytes += UInt64(bytes.count) }
    if relay.plan.mayRedact, self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .sent, bytes))
    }
    self.forward(.body(bytes), relay.direction, exchange)
  }
}
