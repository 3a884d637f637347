import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// How parts leave: framed for the leg they go to, by the wire that their exchange uses.
extension ConnectionMachine {
  func releaseHeld(_ relay: MessageRelay, _ exchange: Exchange) {
    self.forwardHead(relay, exchange)
    for part in relay.takeHeld(upTo: .max) { self.forwardBody(part, relay, exchange) }
  }

  /// Sends the head on, if it is still here.
  func forwardHead(_ relay: MessageRelay, _ exchange: Exchange) {
    guard let head = relay.outgoing else { return }
    relay.outgoing = nil
    if relay.verdict.applied == .redact, self.context.keepsBodies, exchange.isRecorded,
      !self.isSinkhole
    {
      do throws(HTTPFailure) {
        let sent = try HeadRewrite.serialised(head)
        self.record(.head(exchange.flow, relay.direction, .sent, sent))
      } catch {
        self.fail(
          exchange,
          FlowFailure(.internalError, origin: .internal, detail: error.detail)
        )
        return
      }
    }
    switch relay.direction {
    case .request: break
    case .response: exchange.hasAnswered = true
    }
    switch exchange.wire {
    case .http1:
      if relay.direction == .request {
        self.serverCodec.expectResponse(
          toMethod: head.method,
          mayUpgrade: exchange.socketOffer != nil
        )
      }
      self.forward(.head(head), relay.direction, exchange)
    case .http2: self.forwardMultiplexed(head, relay, exchange)
    case .raw: return  // there is none
    }
  }

  func forwardBody(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    if exchange.isEnded || self.waitsForScan(bytes, relay) { return }
    relay.released += UInt64(bytes.count)
    if relay.direction == .response { exchange.responseBytes += UInt64(bytes.count) }
    if relay.units != nil, relay.plan.mayRedact, self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .sent, bytes))
    }
    self.forward(.body(bytes), relay.direction, exchange)
  }

  /// Frames a part for the leg it goes to; where no server was dialled, requests go nowhere.
  func forward(_ part: MessagePart, _ direction: Direction, _ exchange: Exchange) {
    switch exchange.wire {
    case .http1: self.forwardHTTP1(part, direction, exchange)
    case .http2(let stream): self.forwardMultiplexed(part, direction, exchange, stream)
    case .raw: self.forwardRaw(part, direction)
    }
  }

  private func forwardHTTP1(_ part: MessagePart, _ direction: Direction, _ exchange: Exchange) {
    do throws(HTTPFailure) {
      let large = Self.largeBody(part)
      switch direction {
      case .request:
        guard self.up.isOpen else { return }
        if let large, try Self.sendInPlace(large, &self.serverCodec, self.up) { return }
        try self.serverCodec.send(part, &self.up.output)
      case .response:
        if let large, try Self.sendInPlace(large, &self.deviceCodec, self.down) { return }
        try self.deviceCodec.send(part, &self.down.output)
      }
    } catch {
      self.fail(exchange, FlowFailure(.internalError, origin: .internal, detail: error.detail))
    }
  }

  private func forwardRaw(_ part: MessagePart, _ direction: Direction) {
    switch part {
    case .body(let bytes):
      switch direction {
      case .request: if self.up.isOpen { Self.append(bytes, self.up) }
      case .response: Self.append(bytes, self.down)
      }
    case .end:
      switch direction {
      case .request:
        self.flushUpstream()
        if let leg = self.leg, self.up.isOpen {
          // A device that only cut its side has not said that it is through.
          if self.down.tls?.peerHasClosed != false { self.up.tls?.close() }
          self.flushUpstream()
          self.up.hasEndedWriting = true
          self.commands.append(.close(leg, .writing))
        }
      case .response: self.down.closing = .writing
      }
    case .head, .trailers: return
    }
  }

  /// So many bytes are worth encrypting where they lie.
  private static let large = 4_096

  /// Queues plain bytes; large ones are encrypted where they lie.
  private static func append(_ bytes: Bytes, _ side: Side) {
    guard bytes.count >= self.large, let tls = side.tls else {
      side.output += bytes.array
      return
    }
    self.encrypt(bytes, side, tls)
  }

  /// A part's bytes, if they are worth encrypting where they lie.
  private static func largeBody(_ part: MessagePart) -> Bytes? {
    guard case .body(let bytes) = part, bytes.count >= self.large else { return nil }
    return bytes
  }

  /// Encrypts a large piece of a body where it lies, if its framing adds nothing to it.
  private static func sendInPlace(
    _ bytes: Bytes,
    _ codec: inout HTTP1Codec,
    _ side: Side
  ) throws(HTTPFailure) -> Bool {
    guard let tls = side.tls, try codec.passBody(bytes.count) else { return false }
    self.encrypt(bytes, side, tls)
    return true
  }

  /// Encrypts what is queued, then `bytes` where they lie.
  private static func encrypt(_ bytes: Bytes, _ side: Side, _ tls: TLSSession) {
    self.encrypt(side, tls)
    do throws(TLSFailure) { try tls.send(bytes) } catch { side.closing = .abort }
  }
}
