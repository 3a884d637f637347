public import TideCore

/// A reading of both clocks, taken by the engine once per event.
public struct Moment: Sendable {
  /// For waits.
  public let instant: Instant
  /// For records and certificates.
  public let wall: WallTime

  /// Joins two readings.
  public init(instant: Instant, wall: WallTime) {
    self.instant = instant
    self.wall = wall
  }
}

/// How a peer's side of a connection ended.
public enum CloseKind: Hashable, Sendable {
  /// It said that it sends no more (FIN).
  case end
  /// The connection is gone (RST, an I/O error).
  case reset
}

/// What the engine tells a connection.
public enum Event: Sendable {
  /// Bytes came.
  case received(Leg, Bytes)
  /// More than `Limits.outputHigh` bytes wait to be written to the leg.
  case congested(Leg)
  /// Less than `Limits.outputLow` bytes wait again.
  case drained(Leg)
  /// The peer ended its side, or the connection is gone.
  case closed(Leg, CloseKind)
  /// What looking a name up brought, or why it brought nothing.
  case resolved(Hostname, Result<Resolution, FlowFailure>)
  /// A dial ended: the address of the peer that the socket really has, or why there is none.
  case opened(UpstreamID, Result<IPAddress, FlowFailure>)
  /// The user that credentials belong to; nil if they are nobody's.
  case authenticated(ProxyCredentials, user: String?)
  /// A fetch ended: the HTTP/1.1 response as it came, head and body, or why there is none.
  case fetched(FetchID, Result<Bytes, FlowFailure>)
  /// A scanner answered, or why it did not.
  case scanned(ScanID, Result<ScanAnswer, FlowFailure>)
  /// The recorder has room again after a `Command.awaitRoom`.
  case roomAvailable
  /// Whoever waits for the answer to a request of the proxy's own gave up, and why.
  case abandoned(FlowFailure)
  /// Time passed. Comes a few times a second; every wait of the machine is judged against it.
  case tick
  /// The proxy is stopping: finish what is under way, begin nothing.
  case shutdown
}
