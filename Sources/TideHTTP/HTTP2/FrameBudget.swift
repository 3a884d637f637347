import TideCore

/// A bucket of permits: some at once, some more each second, and some for useful work.
struct FrameBudget {
  private let burst: Int
  private let perSecond: Int
  private var permits: Int
  private var filledAt: Instant?

  /// What useful work can save up, in bursts.
  ///
  /// A fast reader may answer megabytes that were already under way with a WINDOW_UPDATE a kilobyte.
  private static let savedBursts = 16

  init(burst: Int, perSecond: Int) {
    self.burst = max(1, burst)
    self.perSecond = max(0, perSecond)
    self.permits = self.burst
  }

  /// Adds what the time since the last call allows, up to a burst.
  mutating func refill(at now: Instant) {
    guard let filledAt = self.filledAt else {
      self.filledAt = now
      return
    }
    let step = UInt64(1_000_000_000) / UInt64(max(1, self.perSecond))
    let earned = now.nanoseconds(since: filledAt) / max(1, step)
    guard earned > 0, self.perSecond > 0 else { return }
    // By whole permits, so that many short steps are worth as much as a long one.
    self.filledAt = Instant(nanoseconds: filledAt.nanoseconds + earned * step)
    guard self.permits < self.burst else { return }
    self.permits += min(self.burst - self.permits, Int(clamping: earned))
  }

  /// Takes permits.
  ///
  /// - Returns: false if there are not as many.
  mutating func spend(_ count: Int = 1) -> Bool {
    guard self.permits >= count else { return false }
    self.permits -= count
    return true
  }

  /// Adds permits for work that moved something forward.
  mutating func earn(_ count: Int) {
    let most = self.burst.multipliedReportingOverflow(by: Self.savedBursts)
    self.permits = max(
      self.permits,
      min(most.overflow ? Int.max : most.partialValue, self.permits &+ count)
    )
  }
}
