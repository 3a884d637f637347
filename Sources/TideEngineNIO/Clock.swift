import Glibc
public import TideCore
import TideProxy

/// The time that a thread has worked, for limits on work inside one step.
///
/// Not the time that passed: a busy machine would have bodies refused that are quickly read.
public struct WorkClock: MonotonicClock {
  /// Reads the calling thread's own clock.
  public init() {}

  /// Nanoseconds of processor time since the thread began.
  public func now() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// Both of the system's clocks, read together.
enum Clock {
  static func now() -> Moment {
    var monotonic = timespec()
    var wall = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &monotonic)
    unsafe clock_gettime(CLOCK_REALTIME, &wall)
    return Moment(
      instant: Instant(
        nanoseconds: UInt64(monotonic.tv_sec) * 1_000_000_000 + UInt64(monotonic.tv_nsec)
      ),
      wall: WallTime(nanoseconds: Int64(wall.tv_sec) * 1_000_000_000 + Int64(wall.tv_nsec))
    )
  }
}
