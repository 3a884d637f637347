/// How far a verification has come, told to whoever shows it, a few times a second.
///
/// Confined to the thread that verifies.
public final class VerificationProgress {
  /// One moment of a verification.
  public struct State: Sendable {
    /// What is being read: `log` (with the contents that it names) or `files` (those of the manifest).
    public let step: String
    /// Lines of the log, or files, that were checked.
    public let count: UInt64
    /// How much of the log, or of all files, is done, in bytes.
    public let done: UInt64
    /// How much there is.
    public let total: UInt64
    /// All that was read since the beginning, contents included, in bytes.
    public let bytesRead: UInt64
    /// How long it takes already.
    public let elapsed: Duration
  }

  private let show: (State) -> Void
  private let clock = ContinuousClock()
  private let began: ContinuousClock.Instant
  private var next: ContinuousClock.Instant
  private var bytesBefore: UInt64 = 0

  /// Makes a progress that `show` shows.
  public init(_ show: @escaping (State) -> Void) {
    self.show = show
    self.began = self.clock.now
    self.next = self.began.advanced(by: .milliseconds(200))
  }

  /// Takes the bytes of a step that is over.
  func end(bytesRead: UInt64) { self.bytesBefore += bytesRead }

  func advance(_ step: String, count: UInt64, done: UInt64, of total: UInt64, bytesRead: UInt64) {
    let now = self.clock.now
    guard now >= self.next else { return }
    self.next = now.advanced(by: .milliseconds(200))
    self.show(
      State(
        step: step,
        count: count,
        done: done,
        total: total,
        bytesRead: self.bytesBefore + bytesRead,
        elapsed: self.began.duration(to: now)
      )
    )
  }
}
