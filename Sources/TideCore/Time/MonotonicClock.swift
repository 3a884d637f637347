/// Who knows the time; the core has no clock of its own.
public protocol MonotonicClock: Sendable {
  /// Nanoseconds since some fixed moment; never goes back.
  func now() -> UInt64
}
