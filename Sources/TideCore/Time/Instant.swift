/// A point on the monotonic clock, in nanoseconds since an arbitrary start; never set back.
public struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the clock's start.
  public let nanoseconds: UInt64

  /// Makes an instant from the clock's own reading.
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Orders by time.
  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// The nanoseconds from `earlier` to this instant; 0 if it lies ahead.
  public func nanoseconds(since earlier: Instant) -> UInt64 {
    self.nanoseconds > earlier.nanoseconds ? self.nanoseconds - earlier.nanoseconds : 0
  }
}
