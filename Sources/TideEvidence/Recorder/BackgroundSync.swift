internal import Dispatch
internal import Synchronization

/// One sync at a time on a thread of its own: a slow disk must not hold the writer up.
final class BackgroundSync: Sendable {
  private static let idle: UInt8 = 0
  private static let busy: UInt8 = 1
  private static let succeeded: UInt8 = 2
  private static let failed: UInt8 = 3

  private let queue = DispatchQueue(label: "tidewaiter.evidence.sync")
  private let state = Atomic(BackgroundSync.idle)

  /// Whether one was begun and not yet taken.
  var isUnderWay: Bool { self.state.load(ordering: .acquiring) != Self.idle }

  /// Begins to sync; false if the one before was not yet taken.
  func begin(_ sync: @escaping @Sendable () -> Bool) -> Bool {
    let (isIdle, _) = self.state.compareExchange(
      expected: Self.idle,
      desired: Self.busy,
      ordering: .acquiringAndReleasing
    )
    guard isIdle else { return false }
    self.queue.async {
      self.state.store(sync() ? Self.succeeded : Self.failed, ordering: .releasing)
    }
    return true
  }

  /// Whether the sync that has ended succeeded, once; nil if none has ended.
  func take() -> Bool? {
    let state = self.state.load(ordering: .acquiring)
    guard state == Self.succeeded || state == Self.failed else { return nil }
    self.state.store(Self.idle, ordering: .releasing)
    return state == Self.succeeded
  }
}
