import Glibc
import NIOCore
import NIOPosix
import TideCore
import TideProxy

/// Keeps one child process running and asks it about one message after the other; confined to its loop.
///
/// ```
///  start ─► idle ◄──────► asked ── crash, garbage, stall ──► killed ─► backing off ─► start
///            └── crash, words that nobody asked for ──────────►┘
/// ```
///
/// A process that fails takes one message with it: those that wait go to its successor, unless that is long
/// in coming, or cannot be started at all; then they fail at once.
final class ProcessWorker {
  /// The most messages that wait; one more fails.
  static let mostWaiting = 256
  /// The most bytes of an answer.
  static let lineLimit = 1 << 20
  private static let shortestPause: Int64 = 100
  private static let longestPause: Int64 = 30_000
  /// The longest pause that messages wait for.
  private static let patience: Int64 = 1_000
  /// How long a process has to end by itself after SIGTERM, and after it closed its output.
  private static let grace = TimeAmount.milliseconds(1_000)

  private enum State {
    /// It runs; the message that it was asked about, if any.
    case running(ProcessPipes, job: ProcessJob?)
    /// It ended, and why; it is started again after a pause, which messages wait for or not.
    case pausing(String, isShort: Bool)
    case stopped
  }

  private let settings: ProcessSettings
  private let contentLimit: Int
  private let eventLoop: any EventLoop
  private let report: @Sendable (ScannerService.Report) -> Void
  private var state = State.pausing("not started", isShort: true)
  private var waiting: [ProcessJob] = []
  /// The next pause before a start, in milliseconds; an answer makes it short again.
  private var pause = ProcessWorker.shortestPause
  private var hasFailed = false
  /// The processes that were told to end and are not reaped yet.
  private var ending: [pid_t: EventLoopPromise<Void>] = [:]

  init(
    _ settings: ProcessSettings,
    contentLimit: Int,
    on eventLoop: any EventLoop,
    _ report: @escaping @Sendable (ScannerService.Report) -> Void
  ) {
    self.settings = settings
    self.contentLimit = contentLimit
    self.eventLoop = eventLoop
    self.report = report
  }

  // MARK: Its life

  /// Starts the process, or tries again after a pause.
  func start() {
    guard case .pausing = self.state else { return }
    do throws(ScanFailure) {
      let child = try ChildProcess.start(self.settings.command, in: self.settings.directory)
      let pipes = ProcessPipes(child, worker: self, on: self.eventLoop)
      self.state = .running(pipes, job: nil)
      pipes.open()
      if self.hasFailed { self.report(.notice("scanner \(self.settings.name): started again")) }
      self.serve()
    } catch {
      self.restartLater(error.detail, isStartable: false)
    }
  }

  private func restartLater(_ why: String, isStartable: Bool = true) {
    self.hasFailed = true
    let pause = self.pause
    let isShort = isStartable && pause <= Self.patience
    self.state = .pausing(why, isShort: isShort)
    self.report(.notice("scanner \(self.settings.name): \(why); starts again in \(pause) ms"))
    self.pause = min(pause * 2, Self.longestPause)
    if !isShort {
      let failure = ScanFailure(.unavailable, why)
      let jobs = self.waiting
      self.waiting = []
      for job in jobs { job.finish(.failure(failure)) }
    }
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    self.eventLoop.scheduleTask(in: .milliseconds(pause)) { bound.value.start() }
  }

  /// Ends the process because of what it did, or did not do.
  private func kill(_ why: String, _ code: ScanFailure.Code, isReaped: Bool = false) {
    guard case .running(let pipes, let job) = self.state else { return }
    // First: pipes that are closed report their end.
    self.state = .pausing(why, isShort: true)
    pipes.close()
    if !isReaped {
      ChildProcess.signal(pipes.pid, SIGKILL)
      _ = self.reap(pipes.pid, deadline: .now())
    }
    self.restartLater(why)
    job?.finish(.failure(ScanFailure(code, why)))
  }

  /// Waits for a process to be gone; kills it after `deadline`.
  private func reap(_ pid: pid_t, deadline: NIODeadline) -> EventLoopFuture<Void> {
    let promise = self.ending[pid] ?? self.eventLoop.makePromise(of: Void.self)
    self.ending[pid] = promise
    self.pollEnd(pid, deadline)
    return promise.futureResult
  }

  private func pollEnd(_ pid: pid_t, _ deadline: NIODeadline) {
    if ChildProcess.reap(pid) != nil {
      self.ending.removeValue(forKey: pid)?.succeed(())
      return
    }
    if deadline <= .now() { ChildProcess.signal(pid, SIGKILL) }
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    self.eventLoop.scheduleTask(in: .milliseconds(10)) { bound.value.pollEnd(pid, deadline) }
  }

  /// Ends it for good: by SIGTERM, and if that does not help by SIGKILL.
  func stop() -> EventLoopFuture<Void> {
    let failure = ScanFailure(.stopping, "the proxy is stopping")
    let state = self.state
    self.state = .stopped
    if case .running(let pipes, let job) = state {
      ChildProcess.signal(pipes.pid, SIGTERM)
      pipes.close()
      _ = self.reap(pipes.pid, deadline: .now() + Self.grace)
      job?.finish(.failure(failure))
    }
    for job in self.waiting { job.finish(.failure(failure)) }
    self.waiting = []
    let ends = self.ending.values.map(\.futureResult)
    return EventLoopFuture.andAllComplete(ends, on: self.eventLoop)
  }

  // MARK: Messages

  /// Takes a message in; `answer` may be called before it returns.
  func scan(
    _ request: ScanRequest,
    _ answer: @escaping (Result<ScanAnswer, FlowFailure>) -> Void
  ) {
    let job = ProcessJob(request, answer)
    switch self.state {
    case .running, .pausing(_, isShort: true): break
    case .pausing(let why, isShort: false):
      job.finish(.failure(ScanFailure(.unavailable, why)))
      return
    case .stopped:
      job.finish(.failure(ScanFailure(.stopping, "the proxy is stopping")))
      return
    }
    guard self.waiting.count < Self.mostWaiting else {
      job.finish(.failure(ScanFailure(.overLimit, "\(Self.mostWaiting) messages wait already")))
      return
    }
    let bound = NIOLoopBound((self, job), eventLoop: self.eventLoop)
    let wait = TimeAmount.nanoseconds(Int64(clamping: self.settings.timeout))
    job.timer = self.eventLoop.scheduleTask(in: wait) {
      let (worker, job) = bound.value
      worker.expired(job)
    }
    self.waiting.append(job)
    self.serve()
  }

  private func expired(_ job: ProcessJob) {
    self.waiting.removeAll { $0 === job }
    if case .running(_, let asked) = self.state, asked === job {
      self.kill("no answer in time", .timeout)
    } else {
      job.finish(.failure(ScanFailure(.timeout, "no answer in time")))
    }
  }

  private func serve() {
    guard case .running(let pipes, nil) = self.state, !self.waiting.isEmpty else { return }
    let job = self.waiting.removeFirst()
    let question = ProcessQuestion(job.request, contentLimit: self.contentLimit)
    do throws(ScanFailure) {
      let line = try question.line()
      job.content = question.content
      self.state = .running(pipes, job: job)
      pipes.write(line)
    } catch {
      job.finish(.failure(error))
      self.serve()
    }
  }

  // MARK: What the pipes report

  /// A line of the process's, without its end.
  func received(_ line: some Collection<UInt8>, _ pipes: ProcessPipes) {
    guard case .running(let current, let job) = self.state, current === pipes else { return }
    guard let job else {
      self.kill("it spoke without being asked", .malformed)
      return
    }
    self.state = .running(pipes, job: nil)
    do throws(ScanFailure) {
      job.finish(.success(try ProcessReply.answer(line, about: job.content)))
      self.pause = Self.shortestPause
    } catch {
      job.finish(.failure(error))
    }
    self.serve()
  }

  /// The line under way is longer than any answer.
  func overflowed(_ pipes: ProcessPipes) {
    guard case .running(let current, _) = self.state, current === pipes else { return }
    self.kill("an answer of more than \(Self.lineLimit) bytes", .overLimit)
  }

  /// Its output has ended.
  func ended(_ pipes: ProcessPipes) {
    guard case .running(let current, _) = self.state, current === pipes else { return }
    let how = ChildProcess.reap(pipes.pid)
    self.kill("the process \(how ?? "closed its output")", .unavailable, isReaped: how != nil)
  }

  /// A line of its standard error.
  func said(_ text: String) {
    self.report(.words(scanner: self.settings.name, text))
  }
}
