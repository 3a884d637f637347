internal import Glibc
internal import TideCore

/// What a recorder tells the time by: our time, which comes from an anchor, and what the system says.
final class CaseClock: Sendable {
  /// The process's anchor and the system's clocks.
  static let system = CaseClock(anchor: .shared) {
    Reading(
      monotonic: CaseClock.read(CLOCK_BOOTTIME),
      system: CaseClock.read(CLOCK_REALTIME)
    )
  }

  /// Both clocks at one moment, in nanoseconds.
  struct Reading: Equatable, Sendable {
    /// Of a clock that is never set and runs while the machine sleeps.
    let monotonic: Int64
    /// Since 1970, as the system says.
    let system: Int64
  }

  /// How far the system's clock may depart from ours before that is recorded, in nanoseconds.
  static let tolerance: Int64 = 100_000_000

  private let anchor: ClockAnchor
  private let clocks: @Sendable () -> Reading

  init(anchor: ClockAnchor, clocks: @escaping @Sendable () -> Reading) {
    self.anchor = anchor
    self.clocks = clocks
  }

  /// Our time.
  var now: WallTime {
    let reading = self.clocks()
    return self.anchor.time(
      at: reading.monotonic,
      system: WallTime(nanoseconds: reading.system)
    )
  }

  /// Both clocks, and our time by the anchor.
  func read() -> (reading: Reading, ours: WallTime) {
    let reading = self.clocks()
    let ours = self.anchor.time(
      at: reading.monotonic,
      system: WallTime(nanoseconds: reading.system)
    )
    return (reading, ours)
  }

  /// Follows the system's clock from a reading on.
  func move(to reading: Reading) {
    self.anchor.move(to: WallTime(nanoseconds: reading.system), at: reading.monotonic)
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// Watches for the system's clock being set; of one recorder.
struct ClockWatch {
  /// What a `clock` line says.
  struct Line: Equatable {
    /// Our time by the anchor that was in force until then.
    let time: WallTime
    let reading: CaseClock.Reading
    /// How far ahead the system's clock is.
    let step: Int64

    /// Writes its members.
    func write(into json: inout JSONWriter) {
      json.member("monotonic", Int(self.reading.monotonic))
      json.member("system", Int(self.reading.system))
      json.member("step", Int(self.step))
    }
  }

  private let clock: CaseClock
  /// Our time less the monotonic clock, as the last line said; of its own, because others in the process may
  /// have moved the anchor already.
  private var offset: Int64

  /// - Returns: the watch, and the line that a session begins with.
  static func start(_ clock: CaseClock) -> (ClockWatch, Line) {
    let (reading, ours) = clock.read()
    var watch = ClockWatch(clock: clock, offset: ours.nanoseconds &- reading.monotonic)
    let line = Line(time: ours, reading: reading, step: reading.system &- ours.nanoseconds)
    if line.step.magnitude > CaseClock.tolerance.magnitude { watch.follow(reading) }
    return (watch, line)
  }

  /// Follows the system's clock if it was set; nil if it was not.
  mutating func check() -> Line? {
    let reading = self.clock.read().reading
    let ours = reading.monotonic &+ self.offset
    let step = reading.system &- ours
    guard step.magnitude > CaseClock.tolerance.magnitude else { return nil }
    self.follow(reading)
    return Line(time: WallTime(nanoseconds: ours), reading: reading, step: step)
  }

  private mutating func follow(_ reading: CaseClock.Reading) {
    self.clock.move(to: reading)
    self.offset = reading.system &- reading.monotonic
  }
}
