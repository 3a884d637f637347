internal import Dispatch
internal import Synchronization
internal import TideCore

/// Keeps a case that is being recorded within `case.max_size` and `case.max_age`: says what is to go, and when.
///
/// Confined to the writer's thread; reading the log for a plan happens on another one.
struct Retention {
  /// A case begins to give way at nine tenths of its size, and gives way to eight.
  private static let shares = (begin: UInt64(9), end: UInt64(8), of: UInt64(10))

  private let maxSize: UInt64?
  private let maxAge: UInt64?
  /// Up to where the case grows before a plan is made for its size.
  private var nextSize: UInt64
  /// Before when no plan is made for its size.
  private var nextSizeTime: WallTime
  private var nextTime: WallTime
  private var planner: RetentionPlanner
  private var task: PlanTask?
  /// Whether the plan that was begun last takes whatever may go at all.
  private var isLastResort = false
  /// Whether there may be more to go: if not, a full case is full.
  private(set) var mayFree: Bool

  init(root: String, keys: CaseKeys?, settings: RecorderSettings, now: WallTime) {
    self.planner = RetentionPlanner(root: root, keys: keys, isRecording: true)
    self.maxSize = settings.maxSize
    self.maxAge = settings.maxAge
    self.nextSize = settings.maxSize.map { $0 / Self.shares.of * Self.shares.begin } ?? .max
    self.nextSizeTime = now
    self.nextTime = now
    self.mayFree = settings.maxSize != nil
  }

  /// Begins to plan if it is time to.
  ///
  /// - Parameters:
  ///   - used: the size of the case.
  ///   - now: our time.
  /// - Returns: whether a plan was begun: contents that are named from now on must not go by it.
  mutating func begin(used: UInt64, now: WallTime) -> Bool {
    guard self.task == nil else { return false }
    if let maxSize = self.maxSize, used >= min(self.nextSize, maxSize), now >= self.nextSizeTime {
      let end = maxSize / Self.shares.of * Self.shares.end
      var selection = PurgeSelection(reason: "max_size")
      // Before traffic has to wait.
      selection.takesWireAtLast = used >= maxSize
      self.isLastResort = selection.takesWireAtLast
      self.task = PlanTask(self.planner, selection, goal: max(1, used - min(used, end)))
      return true
    }
    guard let maxAge = self.maxAge, now >= self.nextTime else { return false }
    // Often enough that nothing is kept for more than a tenth longer.
    let interval = min(max(maxAge / 10, 1_000_000_000), 3_600_000_000_000)
    self.nextTime = WallTime(nanoseconds: now.nanoseconds + Int64(clamping: interval))
    self.isLastResort = false
    self.task = PlanTask(
      self.planner,
      PurgeSelection(
        reason: "max_age",
        endedBefore: WallTime(nanoseconds: now.nanoseconds - Int64(clamping: maxAge))
      ),
      goal: nil
    )
    return true
  }

  /// The plan that is ready; of a case that is full, the plan is waited for.
  mutating func take(used: UInt64) -> [Removal]? {
    guard let task = self.task else { return nil }
    let isFull = self.maxSize.map { used >= $0 } ?? false
    guard let (planner, portions) = task.take(waiting: isFull) else { return nil }
    self.planner = planner
    self.task = nil
    return portions
  }

  /// Takes note of what a plan came to.
  mutating func end(used: UInt64, freed: PurgeSummary, now: WallTime) {
    guard let maxSize = self.maxSize else { return }
    let begin = maxSize / Self.shares.of * Self.shares.begin
    // Where little went, the log is not read again for every line that comes.
    self.nextSize = used < begin ? begin : used + maxSize / 100
    // One that was begun before the case was full left things that may go now.
    guard used >= maxSize, self.isLastResort || freed.bytes > 0 else { return }
    self.mayFree = freed.bytes > 0
    if !self.mayFree { self.nextSizeTime = now.advanced(bySeconds: 60) }
  }
}

/// One plan, made on a thread of its own.
private final class PlanTask: Sendable {
  private let result: Mutex<(RetentionPlanner, [Removal])?> = Mutex(nil)
  private let isDone = DispatchSemaphore(value: 0)

  init(_ planner: RetentionPlanner, _ selection: PurgeSelection, goal: UInt64?) {
    DispatchQueue(label: "tidewaiter.evidence.retention").async {
      var planner = planner
      // A log that cannot be read is met where it is written; nothing goes by half a plan.
      let portions = (try? planner.plan(selection, goal: goal)) ?? []
      self.result.withLock { $0 = (planner, portions) }
      self.isDone.signal()
    }
  }

  /// The plan, if it is ready.
  func take(waiting: Bool) -> (RetentionPlanner, [Removal])? {
    guard self.isDone.wait(timeout: waiting ? .distantFuture : .now()) == .success else {
      return nil
    }
    return self.result.withLock { $0 }
  }
}
