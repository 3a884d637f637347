public import TideCore
public import TidePolicy

/// How a leg is closed.
public enum CloseMode: Hashable, Sendable {
  /// Write what is queued, then say that no more is sent; go on reading.
  case writing
  /// Write what is queued, then close.
  case afterFlush
  /// Close at once and tell the peer that the rest is missing (RST).
  case abort
}

/// What a connection asks of the engine, carried out in order.
public enum Command: Sendable {
  /// Write these bytes to the leg, after what was sent before.
  case send(Leg, Bytes)
  /// Stop reading, so that the peer's window closes.
  case pauseReading(Leg)
  /// Read again.
  case resumeReading(Leg)
  /// Close.
  case close(Leg, CloseMode)
  /// Look the name up once; answered by `Event.resolved`.
  case resolve(Hostname)
  /// Connect to the decided address; answered by `Event.opened`.
  case open(UpstreamID, PinnedTarget)
  /// Check who the device says it is; answered by `Event.authenticated`.
  case authenticate(ProxyCredentials)
  /// Tell when the recorder has room; answered by `Event.roomAvailable`.
  case awaitRoom
  /// Fetch over plain HTTP what a revocation check needs; answered by `Event.fetched`.
  ///
  /// `request` is a whole absolute-form HTTP/1.1 request that says `Connection: close`. It takes the way
  /// that a device's request takes: looked up once, judged by the policy, dialled pinned, recorded as a
  /// flow of the proxy's own; rules judge it as the device `onBehalf` of which it is made. An answer of more than `limit` bytes, head included, is a failure.
  case fetch(FetchID, request: Bytes, limit: Int, onBehalf: String)
  /// Show a message to one of `LoopContext.scanners`; answered by `Event.scanned`.
  case scan(ScanID, ScanRequest)
  /// Nothing follows: forget the connection once its legs are closed.
  case finished
}
