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

/// The monotonic clock of timers, and civil time by the process's anchor, read together.
enum Clock {
  static func now() -> Moment {
    var monotonic = timespec()
    var sinceBoot = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &monotonic)
    // Runs while the machine sleeps, so that civil time needs no new anchor after it.
    unsafe clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
    return Moment(
      instant: Instant(nanoseconds: UInt64(Self.nanoseconds(monotonic))),
      wall: ClockAnchor.shared.time(at: Self.nanoseconds(sinceBoot), system: Self.system())
    )
  }

  private static func system() -> WallTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(nanoseconds: Self.nanoseconds(time))
  }

  private static func nanoseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
