import NIOCore
import TideCore
import TideProxy

/// A child process as a scanner: its worker, on an event loop of its own, does the work.
struct ProcessScanner: Scanner {
  let name: String
  let directions: Set<Direction>
  let onError: ScanErrorPolicy
  let timeout: UInt64
  private let eventLoop: any EventLoop
  private let worker: NIOLoopBound<ProcessWorker>

  init(
    _ settings: ProcessSettings,
    worker: NIOLoopBound<ProcessWorker>,
    on eventLoop: any EventLoop
  ) {
    self.name = settings.name
    self.directions = settings.directions
    self.onError = settings.onError
    self.timeout = settings.timeout
    self.eventLoop = eventLoop
    self.worker = worker
  }

  func scan(
    _ request: ScanRequest,
    _ answer: @escaping @Sendable (Result<ScanAnswer, FlowFailure>) -> Void
  ) {
    let worker = self.worker
    self.eventLoop.execute { worker.value.scan(request, answer) }
  }
}

/// One message on its way through a worker; confined to its loop.
final class ProcessJob {
  let request: ScanRequest
  var timer: Scheduled<Void>?
  /// What the question was about, once it was asked.
  var content = Bytes()
  private var answer: ((Result<ScanAnswer, FlowFailure>) -> Void)?

  init(_ request: ScanRequest, _ answer: @escaping (Result<ScanAnswer, FlowFailure>) -> Void) {
    self.request = request
    self.answer = answer
  }

  /// Answers; all but the first time is nothing.
  func finish(_ result: Result<ScanAnswer, ScanFailure>) {
    self.timer?.cancel()
    guard let answer = self.answer else { return }
    self.answer = nil
    answer(result.mapError(\.flowFailure))
  }
}
