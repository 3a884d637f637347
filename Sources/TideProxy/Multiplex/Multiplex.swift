import TideCore
import TideHTTP
import TidePolicy

/// The two HTTP/2 sides of one connection and the streams between them; confined to its connection.
///
/// Each stream of the device is one exchange with a stream of its own on the server's side. Content is
/// acknowledged to its sender only when it has left on the other side, so that what waits here is at
/// most a window for each stream and `Limits.connectionWindow` for all of them; what is held for
/// redaction is beside that, up to `Limits.heldPerConnection` and a window for each stream that waits.
final class Multiplex {
  let device: HTTP2Codec
  /// Nil where we answer ourselves.
  let server: HTTP2Codec?
  /// The exchanges under way, by the device's stream.
  var exchanges: [StreamID: Exchange] = [:]
  /// The device's stream for each of the server's.
  var deviceStreams: [StreamID: StreamID] = [:]
  /// Streams that were answered before their request's end: reset once the answer is out, so that the
  /// device stops sending what nobody reads (RFC 9113 §8.1).
  var answered: Set<StreamID> = []
  /// Whether no further stream is begun.
  var isRefusing = false
  /// What was wrong with a message whose stream the codec resets next.
  var violation: HTTPFailure?
  /// Since when a header block of the device's has been unfinished.
  var headSince: Instant?
  /// Whether a sender was kept waiting because the streams hold too much together.
  var hasWaitingHolders = false
  var deviceEvents: [HTTP2Event] = []
  var serverEvents: [HTTP2Event] = []

  init(hasServer: Bool, limits: Limits) throws(HTTPFailure) {
    self.device = try HTTP2Codec(role: .server, limits: limits)
    self.server = hasServer ? try HTTP2Codec(role: .client, limits: limits) : nil
  }

  /// The exchanges in the order in which they began.
  var inOrder: [Exchange] {
    self.exchanges.sorted { $0.key < $1.key }.map(\.value)
  }

  func exchange(ofServer stream: StreamID) -> Exchange? {
    self.deviceStreams[stream].flatMap { self.exchanges[$0] }
  }

  /// Whether what an exchange holds for redaction may grow: together they have a limit, and beyond it
  /// the oldest goes on alone, so that it ends and makes room.
  func mayHoldMore(_ exchange: Exchange, limit: Int) -> Bool {
    var total = 0
    var oldest: StreamID?
    for (stream, other) in self.exchanges {
      let held =
        (other.carrier(.request)?.heldCount ?? 0) + (other.carrier(.response)?.heldCount ?? 0)
      guard held > 0 else { continue }
      total += held
      oldest = min(oldest ?? stream, stream)
    }
    guard total > limit, let oldest else { return true }
    return self.exchanges[oldest] === exchange
  }
}

// MARK: Credit

extension ConnectionMachine {
  /// Gives a message's sender credit for what has left, or is held here by intent.
  func settle(_ relay: MessageRelay, _ exchange: Exchange) {
    guard relay.owed > 0, let multiplex = self.multiplex, case .http2(let stream) = exchange.wire
    else { return }
    let queued: Int
    switch relay.direction {
    case .request: queued = exchange.serverStream.flatMap { multiplex.server?.queued(on: $0) } ?? 0
    case .response: queued = multiplex.device.queued(on: stream)
    }
    var kept = queued
    var keptOnStream = 0
    if relay.holding == .none {
      kept += relay.heldCount
    } else if relay.heldCount > 0,
      !multiplex.mayHoldMore(exchange, limit: self.context.limits.heldPerConnection)
    {
      // The stream waits. The connection's room is for the others: the oldest has to end.
      keptOnStream = relay.heldCount
      multiplex.hasWaitingHolders = true
    }
    self.credit(
      connection: relay.owed - relay.lent - kept,
      stream: relay.owed - kept - keptOnStream,
      relay,
      exchange,
      multiplex
    )
  }

  /// Lets those go on that had to wait until others let go of what they held.
  private func settleHolders(_ multiplex: Multiplex) {
    guard multiplex.hasWaitingHolders else { return }
    multiplex.hasWaitingHolders = false
    for exchange in multiplex.inOrder {
      for direction in Direction.allCases {
        guard let relay = exchange.carrier(direction), relay.holding >= .window else { continue }
        self.settle(relay, exchange)
      }
    }
  }

  /// Gives credit for all that a message's sender is owed: nothing of it is wanted any more.
  func settleAll(_ relay: MessageRelay, _ exchange: Exchange) {
    guard let multiplex = self.multiplex else { return }
    self.credit(
      connection: relay.owed - relay.lent,
      stream: relay.owed,
      relay,
      exchange,
      multiplex
    )
  }

  private func credit(
    connection: Int,
    stream count: Int,
    _ relay: MessageRelay,
    _ exchange: Exchange,
    _ multiplex: Multiplex
  ) {
    let connection = max(0, connection)
    let count = max(0, count)
    guard connection > 0 || count > 0, case .http2(let stream) = exchange.wire else { return }
    relay.owed -= count
    relay.lent += connection - count
    switch relay.direction {
    case .request: multiplex.device.consumed(connection: connection, stream: count, on: stream)
    case .response:
      if let serverStream = exchange.serverStream {
        multiplex.server?.consumed(connection: connection, stream: count, on: serverStream)
      }
    }
  }

  // MARK: Output

  /// Moves frames to the legs for as long as their queues take them.
  func flushFrames() {
    guard let multiplex = self.multiplex else { return }
    self.settleHolders(multiplex)
    var isMoving = true
    while isMoving {
      isMoving = self.pullServer(multiplex)
      if self.pullDevice(multiplex) { isMoving = true }
      if self.resetAnswered(multiplex) { isMoving = true }
    }
  }

  /// The most that one turn puts into a leg's queue: enough that the engine tells of it.
  private var turnLimit: Int { self.context.limits.outputHigh + 1 }

  /// Moves the server's frames; whether there were any.
  @discardableResult
  func pullServer(_ multiplex: Multiplex) -> Bool {
    guard let server = multiplex.server, self.up.isOpen else { return false }
    var moved = 0
    while !self.isServerCongested, server.hasOutput, self.turnOutput.up < self.turnLimit {
      let before = self.up.output.count
      do throws(HTTPFailure) {
        try server.takeOutput(&self.up.output, limit: 64 << 10, &multiplex.serverEvents)
      } catch {
        self.serverIsGone(FlowFailure(error, origin: .upstream))
        return false
      }
      let count = self.up.output.count - before
      guard count > 0 else { break }
      moved += count
      self.turnOutput.up += count
      self.flushUpstream()
    }
    self.noteSent(server: multiplex)
    return moved > 0
  }

  private func pullDevice(_ multiplex: Multiplex) -> Bool {
    guard self.down.isOpen, !self.down.hasEndedWriting else { return false }
    var moved = 0
    while !self.isDeviceCongested, multiplex.device.hasOutput, self.turnOutput.down < self.turnLimit
    {
      let before = self.down.output.count
      do throws(HTTPFailure) {
        try multiplex.device.takeOutput(
          &self.down.output,
          limit: 64 << 10,
          &multiplex.deviceEvents
        )
      } catch {
        self.finish(FlowFailure(error, origin: .downstream), mode: .abort)
        return false
      }
      let count = self.down.output.count - before
      guard count > 0 else { break }
      moved += count
      self.turnOutput.down += count
      self.sendDownstream()
    }
    self.noteSent(device: multiplex)
    return moved > 0
  }

  /// What left for the server is what the device gets credit for.
  private func noteSent(server multiplex: Multiplex) {
    let events = multiplex.serverEvents
    multiplex.serverEvents.removeAll(keepingCapacity: true)
    for case .sent(let stream, _) in events {
      guard let exchange = multiplex.exchange(ofServer: stream) else { continue }
      exchange.lastActivity = self.now.instant
      if let relay = exchange.carrier(.request) { self.settle(relay, exchange) }
      self.endIfOver(exchange)
    }
  }

  private func noteSent(device multiplex: Multiplex) {
    let events = multiplex.deviceEvents
    multiplex.deviceEvents.removeAll(keepingCapacity: true)
    for case .sent(let stream, _) in events {
      guard let exchange = multiplex.exchanges[stream] else { continue }
      exchange.lastActivity = self.now.instant
      if let relay = exchange.carrier(.response) { self.settle(relay, exchange) }
      self.endIfOver(exchange)
    }
  }

  /// Resets the streams whose answer is out while their request is not whole; whether there was one.
  private func resetAnswered(_ multiplex: Multiplex) -> Bool {
    let finished = multiplex.answered.filter { multiplex.device.queued(on: $0) == 0 }
    for stream in finished.sorted() { multiplex.device.reset(stream, .noError) }
    multiplex.answered.subtract(finished)
    return !finished.isEmpty
  }
}
