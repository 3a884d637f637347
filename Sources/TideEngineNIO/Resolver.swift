import NIOCore
import NIOPosix
import Synchronization
import TideCore

/// Looks names up once per request: in the operator's list, then by our own stub resolver or the system's.
final class Resolver: Sendable {
  private enum Source: Sendable {
    /// The system's, on a few threads of its own.
    case system(NIOThreadPool)
    /// Our own, on a loop.
    case stub(NIOLoopBoundBox<StubResolver>)
  }

  private let hosts: [Hostname: [IPAddress]]
  private let source: Source
  /// Look-ups of the system's that wait or are under way.
  private let pending = Atomic(0)
  /// The most of them: names whose servers are dead hold a thread for long.
  private static let most = 1_024
  private static let threads = 8

  /// Prepares to look names up.
  ///
  /// - Parameters:
  ///   - hosts: names with addresses of the operator's.
  ///   - servers: who is asked for all others; the system's resolver if there are none.
  ///   - patience: how long our own resolver may take, in nanoseconds.
  ///   - eventLoop: where our own resolver runs.
  init(
    hosts: [Hostname: [IPAddress]],
    servers: [NameServer],
    patience: UInt64,
    on eventLoop: any EventLoop
  ) {
    self.hosts = hosts
    if servers.isEmpty {
      let pool = NIOThreadPool(numberOfThreads: Self.threads)
      pool.start()
      self.source = .system(pool)
    } else {
      let stub = StubResolver(servers, patience: patience, on: eventLoop)
      self.source = .stub(.makeBoxSendingValue(stub, eventLoop: eventLoop))
    }
  }

  /// Calls `body` on `loop` with the addresses; never before it returns.
  func resolve(
    _ name: Hostname,
    on loop: any EventLoop,
    _ body: @escaping @Sendable (Result<Resolution, FlowFailure>) -> Void
  ) {
    if let addresses = self.hosts[name] {
      loop.execute { body(.success(Resolution(addresses: addresses, source: "hosts"))) }
      return
    }
    switch self.source {
    case .stub(let stub):
      stub.eventLoop.execute {
        stub.value.resolve(name) { result in loop.execute { body(result) } }
      }
    case .system(let pool): self.askSystem(name, pool, on: loop, body)
    }
  }

  private func askSystem(
    _ name: Hostname,
    _ pool: NIOThreadPool,
    on loop: any EventLoop,
    _ body: @escaping @Sendable (Result<Resolution, FlowFailure>) -> Void
  ) {
    guard self.pending.wrappingAdd(1, ordering: .relaxed).oldValue < Self.most else {
      self.pending.wrappingSubtract(1, ordering: .relaxed)
      let failure = FlowFailure(
        .overLimit,
        origin: .internal,
        detail: "\(name): \(Self.most) look-ups are under way already"
      )
      loop.execute { body(.failure(failure)) }
      return
    }
    pool.submit { state in
      let result: Result<Resolution, FlowFailure>
      switch state {
      case .active: result = SystemResolver.lookUp(name)
      case .cancelled:
        result = .failure(
          FlowFailure(.shutdown, origin: .internal, detail: "the proxy is stopping")
        )
      }
      self.pending.wrappingSubtract(1, ordering: .relaxed)
      loop.execute { body(result) }
    }
  }

  func stop() {
    switch self.source {
    case .system(let pool): pool.shutdownGracefully { _ in }
    case .stub(let stub): stub.eventLoop.execute { stub.value.stop() }
    }
  }
}
