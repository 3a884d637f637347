import TideCore
import TideHTTP

/// Waits on an HTTP/2 connection: each stream has its own.
extension ConnectionMachine {
  func tickStreams(_ multiplex: Multiplex) {
    let limits = self.context.timeouts
    if let since = multiplex.headSince, self.hasPassed(limits.header, since: since) {
      let failure = FlowFailure(
        .idleTimeout,
        origin: .downstream,
        detail: "a request head took too long"
      )
      multiplex.device.goAway(.protocolError)
      self.endAllExchanges(failure)
      self.drain(failure)
      return
    }
    // Streams that end now have their answers to be taken first.
    let wasUnused = multiplex.exchanges.isEmpty
    for exchange in multiplex.inOrder where !exchange.isEnded {
      if let ended = exchange.requestEndedAt, exchange.response == nil,
        self.hasPassed(limits.response, since: ended)
      {
        self.fail(
          exchange,
          FlowFailure(.responseTimeout, origin: .upstream, detail: "no response in time")
        )
      } else if self.hasPassed(limits.idle, since: exchange.lastActivity) {
        self.fail(
          exchange,
          FlowFailure(.idleTimeout, origin: .upstream, detail: "nothing came for too long")
        )
      }
    }
    // What was answered but is not read, or never sent to its end, is not waited for longer.
    if wasUnused, self.hasPassed(limits.idle, since: self.lastActivity) {
      multiplex.device.goAway(.noError)
      self.drain(nil)
    }
  }
}
