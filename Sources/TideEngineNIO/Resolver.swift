import NIOCore
import NIOPosix
import TideCore

/// Looks names up with the system's resolver, on a few threads of its own, once per request.
final class Resolver: Sendable {
  private let hosts: [Hostname: [IPAddress]]
  private let pool: NIOThreadPool

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
    self.pool.submit { state in
      let result: Result<[IPAddress], FlowFailure>
      switch state {
      case .active: result = SystemResolver.lookUp(name)
      case .cancelled:
        result = .failure(
          FlowFailure(.shutdown, origin: .internal, detail: "the proxy is stopping")
        )
      }
      loop.execute { body(result) }
    }
  }

  func stop() { self.pool.shutdownGracefully { _ in } }
}
