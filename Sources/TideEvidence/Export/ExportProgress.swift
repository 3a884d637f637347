/// How far an export has come, told to whoever shows it, a few times a second.
///
/// Confined to the thread that exports.
public final class ExportProgress {
  /// One moment of an export.
  public struct State: Sendable {
    /// What is being done, such as `reading findings`.
    public let step: String
    /// Flows written so far.
    public let flows: Int
    /// Bytes written so far.
    public let bytes: UInt64
    /// How much of the log is done, from 0 to 1.
    public let fraction: Double
    /// How long this step takes already.
    public let elapsed: Duration
  }

  private let show: (State) -> Void
  private let clock = ContinuousClock()
  private var began: ContinuousClock.Instant
  private var next: ContinuousClock.Instant
  private var step = ""
  private var flows = 0
  private var bytes: UInt64 = 0
  private var fraction = 0.0

  /// Makes a progress that `show` shows.
  public init(_ show: @escaping (State) -> Void) {
    self.show = show
    self.began = self.clock.now
    self.next = self.began
  }

  func begin(_ step: String) {
    (self.step, self.flows, self.bytes, self.fraction) = (step, 0, 0, 0)
    self.began = self.clock.now
    self.next = self.began
  }

  func advance(flows: Int, fraction: Double) {
    (self.flows, self.fraction) = (flows, fraction)
    self.tell()
  }

  func advance(bytes: UInt64) {
    self.bytes = bytes
    self.tell()
  }

  private func tell() {
    let now = self.clock.now
    guard now >= self.next else { return }
    self.next = now.advanced(by: .milliseconds(200))
    self.show(
      State(
        step: self.step,
        flows: self.flows,
        bytes: self.bytes,
        fraction: self.fraction,
        elapsed: self.began.duration(to: now)
      )
    )
  }
}
