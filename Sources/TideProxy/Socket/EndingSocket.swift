import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// How a WebSocket ends: by its own Close, by a verdict or a failure, or without a word.
extension ConnectionMachine {
  /// A frame breaks the protocol: both ends are told, as they would tell each other.
  func socketIsBroken(
    _ exchange: Exchange,
    _ side: SocketDirection,
    _ failure: WebSocketFailure
  ) {
    let origin: FlowFailure.Origin = side.relay.direction == .request ? .downstream : .upstream
    self.closeSocket(
      exchange,
      code: failure.closeCode,
      FlowFailure(.malformedMessage, origin: origin, detail: failure.detail)
    )
  }

  /// Stops a WebSocket because of a verdict or a failure.
  func stopSocket(_ exchange: Exchange, _ failure: FlowFailure) {
    let code: UInt16 =
      switch failure.code {
      case .blockedByRule, .refusedByRule, .notRedactable, .opaque: 1008
      case .overLimit: 1009
      case .idleTimeout, .shutdown: 1001
      default: 1011
      }
    self.closeSocket(exchange, code: code, failure)
  }

  /// Says Close to both ends, where no frame is half out, and ends both legs or the stream.
  func closeSocket(_ exchange: Exchange, code: UInt16, _ failure: FlowFailure) {
    // What cannot be written on the way would come back here.
    guard let socket = exchange.socket, !socket.isClosing else { return }
    socket.isClosing = true
    for side in [socket.request, socket.response] {
      side.relay.dropHeld()
      side.marks.removeAll()
      if let message = side.message { self.recordMessage(message, .original, side, exchange) }
      guard !side.isMidFrame, !side.isOpaque, !side.hasEnded, !side.reader.hasClosed else {
        continue
      }
      let mask: UInt32? = side.sender == .client ? .random(in: 0 ... .max) : nil
      let reason = failure.code == .blockedByRule ? "blocked by a rule" : ""
      self.forwardSocket(
        WebSocketWriter.close(code, reason: reason, mask: mask),
        side,
        exchange
      )
    }
    switch exchange.wire {
    case .http2(let stream):
      self.endSocketStream(stream, socket, exchange)
      self.endExchange(exchange, failure)
    case .http1, .raw:
      self.endExchange(exchange, failure)
      // Where half a frame is out, the end itself says that the rest is missing; what came before it
      // still arrives.
      self.closeUpstream(.afterFlush)
      self.drain(failure)
    }
  }

  /// Ends both streams of a WebSocket; one on which half a frame is out is cut.
  func endSocketStream(_ stream: StreamID, _ socket: SocketRelay, _ exchange: Exchange) {
    guard let multiplex = self.multiplex else { return }
    if socket.response.isMidFrame {
      multiplex.device.reset(stream, .cancel)
    } else {
      do throws(HTTPFailure) {
        if !socket.response.hasEnded { try multiplex.device.sendEnd(on: stream) }
        if !socket.request.hasEnded { multiplex.answered.insert(stream) }
      } catch {
        multiplex.device.reset(stream, .cancel)
      }
    }
    guard let server = multiplex.server, let serverStream = exchange.serverStream else { return }
    if socket.request.isMidFrame {
      server.reset(serverStream, .cancel)
    } else if !socket.request.hasEnded {
      do throws(HTTPFailure) { try server.sendEnd(on: serverStream) } catch {
        server.reset(serverStream, .cancel)
      }
    }
  }

  /// One side ended its direction.
  ///
  /// What is held of a message that never ends is not passed on.
  func socketEnded(_ direction: Direction, _ exchange: Exchange) {
    guard let socket = exchange.socket else { return }
    let side = socket[direction]
    guard !side.hasEnded else { return }
    side.hasEnded = true
    side.relay.dropHeld()
    side.marks.removeAll()
    self.forward(.end, direction, exchange)
    // Once both have said Close, the first end is the end (RFC 6455 §7.1.1).
    let isOver = socket.request.reader.hasClosed && socket.response.reader.hasClosed
    guard isOver || socket.request.hasEnded && socket.response.hasEnded, !exchange.isEnded else {
      return
    }
    let isClean = socket.request.reader.hasClosed || socket.response.reader.hasClosed
    let failure =
      isClean || socket.request.isOpaque
      ? nil
      : FlowFailure(
        .truncated,
        origin: direction == .request ? .downstream : .upstream,
        detail: "closed without a close frame"
      )
    switch exchange.wire {
    case .http2: self.endExchange(exchange, failure)
    case .http1, .raw:
      self.endExchange(exchange, failure)
      self.finish(nil)
    }
  }
}
