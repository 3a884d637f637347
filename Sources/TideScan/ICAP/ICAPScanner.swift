import NIOCore
import TideCore
import TideProxy

/// An ICAP service as a scanner: its own event loop's pool of connections does the work.
struct ICAPScanner: Scanner {
  let name: String
  let directions: Set<Direction>
  let onError: ScanErrorPolicy
  let timeout: UInt64
  private let eventLoop: any EventLoop
  private let pool: NIOLoopBound<ICAPPool>

  init(_ settings: ICAPSettings, pool: NIOLoopBound<ICAPPool>, on eventLoop: any EventLoop) {
    self.name = settings.name
    self.directions = [settings.direction]
    self.onError = settings.onError
    self.timeout = settings.timeout
    self.eventLoop = eventLoop
    self.pool = pool
  }

  func scan(
    _ request: ScanRequest,
    _ answer: @escaping @Sendable (Result<ScanAnswer, FlowFailure>) -> Void
  ) {
    let pool = self.pool
    self.eventLoop.execute { pool.value.scan(request, answer) }
  }
}
