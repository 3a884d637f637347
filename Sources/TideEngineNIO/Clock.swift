import Glibc
import TideCore
import TideProxy

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
