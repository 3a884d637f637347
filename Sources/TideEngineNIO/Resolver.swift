import NIOCore
import NIOPosix
import Synchronization
import TideCore

/// Looks names up with the system's resolver, on a few threads of its own, once per request.
final class Resolver: Sendable {
  private let hosts: [Hostname: [IPAddress]]
  private let pool: NIOThreadPool
  /// Look-ups that wait or are under way.
  private let pending = Atomic(0)
  /// The most of them: names whose servers are dead hold a thread for long.
  private static let most = 1_024

  init(hosts: [Hostname: [IPAddress]], threads: Int) {
    self.hosts = hosts
    self.pool = NIOThreadPool(numberOfThreads: threads)
    self.pool.start()
  }

  /// Calls `body` on `loop` with the addresses; never before it returns.
  func resolve(
    _ name: Hostname,
    on loop: any EventLoop,
    _ body: @escaping @Sendable (Result<[IPAddress], FlowFailure>) -> Void
  ) {
    if let addresses = self.hosts[name] {
      loop.execute { body(.success(addresses)) }
      return
    }
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
    self.pool.submit { state in
      let result: Result<[IPAddress], FlowFailure>
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

  func stop() { self.pool.shutdownGracefully { _ in } }
}
