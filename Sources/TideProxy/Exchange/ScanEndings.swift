import TideCore
import TideHTTP

/// What a scan that is under way means for its exchange's end, and the other way round.
extension ConnectionMachine {
  /// What a scanner is given beyond its own time-out before it is not waited for.
  private static let patience: UInt64 = 1_000_000_000

  /// Forgets what was kept for scanners.
  func endScanning(_ relay: MessageRelay) {
    guard let scanning = relay.scanning else { return }
    self.scanCopies -= scanning.copyCount
    if let pending = scanning.pending { self.scans[pending.id] = nil }
    relay.scanning = nil
  }

  /// The exchange ends: nobody waits for its scans any more.
  func abandonScans(_ exchange: Exchange) {
    if self.context.scanners.isEmpty { return }
    for relay in [exchange.request, exchange.response].compactMap(\.self) {
      if relay.awaitsScan, let index = relay.scanning?.remaining.first {
        let name = self.context.scanners[index].name
        self.note(
          exchange,
          "scanner \(name): the \(relay.direction)'s exchange ended before its answer"
        )
      }
      self.endScanning(relay)
    }
  }

  /// Goes on without the answers that are late: a scanner keeps its own time, but may fail to.
  func tickScans() {
    if self.scans.isEmpty { return }
    for (id, scan) in self.scans.sorted(by: { $0.key.number < $1.key.number }) {
      guard let scanning = scan.1.scanning, let pending = scanning.pending,
        let index = scanning.remaining.first
      else { continue }
      let wait = self.context.scanners[index].timeout &+ Self.patience
      guard self.hasPassed(wait, since: pending.since) else { continue }
      let failure = FlowFailure(.responseTimeout, origin: .internal, detail: "no answer in time")
      self.scanned(id, .failure(failure))
    }
  }

  /// Over HTTP/1 the server ended its side: whether all that it had to say is here, and only a scanner's
  /// answer is awaited.
  func outlivesServer(_ exchange: Exchange) -> Bool {
    guard
      exchange.response?.awaitsScan == true
        || exchange.responseIsOver && exchange.request.awaitsScan
    else { return false }
    exchange.persists = false
    self.closeUpstream(.afterFlush)
    return true
  }

  /// The same over HTTP/2, where the server ended a stream or the connection.
  func outlivesServerStream(_ exchange: Exchange, _ multiplex: Multiplex) -> Bool {
    guard exchange.response?.awaitsScan == true, let stream = exchange.serverStream else {
      return false
    }
    if let relay = exchange.response { self.settleAll(relay, exchange) }
    multiplex.deviceStreams[stream] = nil
    exchange.serverStream = nil
    exchange.hasLostServer = true
    return true
  }

  /// Ends an exchange that has its response, and for the rest of whose request there is nobody.
  func endIfDeserted(_ exchange: Exchange) {
    guard !exchange.isEnded, exchange.responseIsOver, exchange.requestEndedAt == nil,
      !exchange.request.awaitsScan
    else { return }
    let failure = FlowFailure(
      .truncated,
      origin: .upstream,
      detail: "the server answered and closed before the request's end"
    )
    switch exchange.wire {
    case .http1 where self.upstream == nil:
      self.endExchange(exchange, failure)
      self.drain(nil)
    case .http2(let stream) where exchange.hasLostServer:
      self.multiplex?.answered.insert(stream)
      self.endExchange(exchange, failure)
    case .http1, .http2, .raw: return
    }
  }
}
