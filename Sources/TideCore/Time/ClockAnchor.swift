internal import Synchronization

/// Ties a clock that is never set to civil time: all times of a process come from one anchor, so that
/// setting the system's clock puts none of them out of order.
///
/// It reads no clock itself. Reading is one atomic load; the anchor moves only when whoever records says so,
/// who also records that it moved.
public final class ClockAnchor: Sendable {
  /// The process's own.
  public static let shared = ClockAnchor()

  private static let unset = Int64.min
  /// Civil time less monotonic time, in nanoseconds.
  private let offset = Atomic(ClockAnchor.unset)

  /// Makes an anchor that is set at its first use.
  public init() {}

  /// The civil time at a reading of the monotonic clock.
  ///
  /// - Parameters:
  ///   - monotonic: nanoseconds of a clock that is never set and runs while the machine sleeps.
  ///   - system: the system's civil time, read only if there is no anchor yet.
  /// - Returns: our time, which follows the monotonic clock from the anchor on.
  public func time(at monotonic: Int64, system: @autoclosure () -> WallTime) -> WallTime {
    let offset = self.offset.load(ordering: .relaxed)
    if offset != Self.unset { return WallTime(nanoseconds: monotonic &+ offset) }
    let (_, original) = self.offset.compareExchange(
      expected: Self.unset,
      desired: system().nanoseconds &- monotonic,
      ordering: .relaxed
    )
    guard original == Self.unset else { return WallTime(nanoseconds: monotonic &+ original) }
    return WallTime(nanoseconds: monotonic &+ self.offset.load(ordering: .relaxed))
  }

  /// Ties both clocks anew: from here on times follow what the system's clock says now.
  public func move(to system: WallTime, at monotonic: Int64) {
    self.offset.store(system.nanoseconds &- monotonic, ordering: .relaxed)
  }
}
