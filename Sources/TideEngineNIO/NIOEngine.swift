import NIOCore
import NIOPosix
public import TideCore
public import TideProxy

/// SwiftNIO's event loops as the interpreter of the proxy's commands.
///
/// One loop per core, nothing shared between them on the path; each listens on its own socket
/// (`SO_REUSEPORT`), so that the kernel spreads the connections.
public final class NIOEngine: Sendable {
  private let settings: EngineSettings
  private let group: MultiThreadedEventLoopGroup
  private let resolver: Resolver
  private let runners: [NIOLoopBound<LoopRunner>]

  /// Makes the loops; `context` is called once for each, on that loop's thread.
  ///
  /// - Throws: what `context` throws.
  public init(
    _ settings: EngineSettings,
    sink: any FlowEventSink,
    context: @escaping @Sendable (Int) throws -> LoopContext
  ) async throws {
    self.settings = settings
    self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, settings.loops))
    self.resolver = Resolver(hosts: settings.hosts, threads: 4)
    var runners: [NIOLoopBound<LoopRunner>] = []
    let resolver = self.resolver
    var index = 0
    for eventLoop in self.group.makeIterator() {
      let number = index
      index += 1
      runners.append(
        try await eventLoop.submit {
          let runner = LoopRunner(
            eventLoop: eventLoop,
            context: try context(number),
            settings: settings,
            resolver: resolver,
            sink: sink
          )
          runner.start()
          return NIOLoopBound(runner, eventLoop: eventLoop)
        }.get()
      )
    }
    self.runners = runners
  }

  /// Begins to accept on every configured address, whose ports are not 0: see `claim`.
  ///
  /// - Throws: if an address cannot be bound.
  public func listen() async throws(EngineFailure) {
    for address in self.settings.listen {
      for runner in self.runners {
        do {
          let socket = try SocketAddress(
            ipAddress: address.address.description,
            port: Int(address.port)
          )
          _ = try await runner.eventLoop.flatSubmit { runner.value.listen(on: socket) }.get()
        } catch {
          throw EngineFailure("listen.proxy \(address): \(error)")
        }
      }
    }
  }

  /// Puts new rules in force on every loop.
  ///
  /// - Throws: if a loop could not set its inspectors up; that loop keeps the old ones.
  public func replace(_ ruling: Ruling) async throws {
    for runner in self.runners {
      try await runner.eventLoop.submit { try runner.value.replace(ruling) }.get()
    }
  }

  /// The number of open connections.
  public func connectionCount() async -> Int {
    var count = 0
    for runner in self.runners {
      // A loop that has stopped has no connections.
      count += (try? await runner.eventLoop.submit { runner.value.connectionCount }.get()) ?? 0
    }
    return count
  }

  /// Stops accepting, lets exchanges finish for at most `drain` seconds, then ends what is left.
  public func stop(drain: Int) async {
    await self.onEachLoop { $0.stopAccepting() }
    await self.onEachLoop { $0.shutDown() }
    for _ in 0..<max(1, drain * 10) {
      if await self.connectionCount() == 0 { break }
      try? await Task.sleep(for: .milliseconds(100))
    }
    await self.onEachLoop {
      $0.shutDown()
      $0.stopTicking()
    }
    self.resolver.stop()
    try? await self.group.shutdownGracefully()
  }

  private func onEachLoop(_ body: @escaping @Sendable (LoopRunner) -> Void) async {
    for runner in self.runners {
      // A loop that has stopped needs no more telling.
      try? await runner.eventLoop.submit { body(runner.value) }.get()
    }
  }
}
