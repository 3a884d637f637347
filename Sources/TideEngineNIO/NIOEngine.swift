import NIOCore
import NIOPosix
import Synchronization
public import TideCore
public import TideProxy

/// Event loops as the interpreter of the proxy's commands: for its connections of our own, for everything
/// else SwiftNIO's.
///
/// One loop per core, nothing shared between them on the path; each listens on its own socket
/// (`SO_REUSEPORT`), so that the kernel spreads the connections.
public final class NIOEngine: Sendable {
  private let settings: EngineSettings
  private let reactors: [Reactor]
  /// Where our own resolver runs; nil if the system's is asked.
  private let resolverGroup: MultiThreadedEventLoopGroup?
  private let resolver: Resolver
  private let authentication: Authentication
  private let runners: [NIOLoopBound<LoopRunner>]
  /// A loop that has shut down never answers, so that nothing may be asked of one.
  private let isStopping = Atomic(false)

  /// Makes the loops; `context` is called once for each, on that loop's thread.
  ///
  /// - Parameters:
  ///   - settings: what holds for as long as it runs.
  ///   - sink: takes what is recorded.
  ///   - authenticator: knows the proxy's users; nil if the proxy asks nobody who they are.
  ///   - onStranger: is told of a client that is not allowed, once per address, on any thread.
  ///   - context: makes a loop's context.
  /// - Throws: what `context` throws, or that the system has no randomness.
  public init(
    _ settings: EngineSettings,
    sink: any FlowEventSink,
    authenticator: (any Authenticator)? = nil,
    onStranger: @escaping @Sendable (IPAddress) -> Void,
    context: @escaping @Sendable (Int) throws -> LoopContext
  ) async throws {
    self.settings = settings
    let authentication = try Authentication(authenticator)
    self.authentication = authentication
    self.reactors = try (0..<max(1, settings.loops)).map { (number) throws(TCP.Failure) in
      try Reactor(number: number)
    }
    self.resolverGroup =
      settings.nameServers.isEmpty ? nil : MultiThreadedEventLoopGroup(numberOfThreads: 1)
    self.resolver = Resolver(
      hosts: settings.hosts,
      servers: settings.nameServers,
      patience: settings.timeouts.dns,
      on: self.resolverGroup?.next() ?? self.reactors[0]
    )
    var runners: [NIOLoopBound<LoopRunner>] = []
    let resolver = self.resolver
    let strangers = Strangers(onStranger)
    for (number, eventLoop) in self.reactors.enumerated() {
      runners.append(
        try await eventLoop.submit {
          let runner = LoopRunner(
            eventLoop: eventLoop,
            context: try context(number),
            settings: settings,
            resolver: resolver,
            authentication: authentication,
            strangers: strangers,
            sink: sink
          )
          runner.start()
          return NIOLoopBound(runner, eventLoop: eventLoop)
        }.get()
      )
    }
    self.runners = runners
  }

  /// Begins to accept on every configured address, whose ports are not 0: see `PortClaim`.
  ///
  /// - Throws: if an address cannot be bound.
  public func listen() async throws(EngineFailure) {
    for address in self.settings.listen {
      for runner in self.runners {
        do {
          try await runner.eventLoop.submit { try runner.value.listen(on: address) }.get()
        } catch {
          throw EngineFailure("listen.proxy \(address): \(error)")
        }
      }
    }
  }

  /// Puts new rules in force on every loop.
  ///
  /// - Throws: if a loop could not set its inspectors up; that loop keeps the old ones. An
  ///   `EngineFailure` once the engine is stopping.
  public func replace(_ ruling: Ruling) async throws {
    guard !self.isStopping.load(ordering: .acquiring) else {
      throw EngineFailure("the proxy is stopping")
    }
    for runner in self.runners {
      try await runner.eventLoop.submit { try runner.value.replace(ruling) }.get()
    }
  }

  /// Puts other users in force and forgets who was accepted; connections that were stay so.
  public func replace(_ authenticator: any Authenticator) {
    self.authentication.replace(authenticator)
  }

  /// The number of open connections; 0 once the engine is stopping.
  public func connectionCount() async -> Int {
    self.isStopping.load(ordering: .acquiring) ? 0 : await self.openConnections()
  }

  private func openConnections() async -> Int {
    var count = 0
    for runner in self.runners {
      // A loop that has stopped has no connections.
      count += (try? await runner.eventLoop.submit { runner.value.connectionCount }.get()) ?? 0
    }
    return count
  }

  /// Stops accepting, lets exchanges finish for at most `drain` seconds, then ends what is left.
  ///
  /// Whoever steers the engine from elsewhere is to have stopped before: a question that is under way
  /// when the loops end has no answer.
  ///
  /// - Parameters:
  ///   - drain: how many seconds exchanges are given.
  ///   - stopHelpers: stops who still answers to the loops, such as scanners, once nobody waits for them.
  public func stop(drain: Int, _ stopHelpers: () async -> Void = {}) async {
    self.isStopping.store(true, ordering: .releasing)
    await self.onEachLoop { $0.stopAccepting() }
    await self.onEachLoop { $0.shutDown() }
    for _ in 0..<max(1, drain * 10) {
      if await self.openConnections() == 0 { break }
      try? await Task.sleep(for: .milliseconds(100))
    }
    await self.onEachLoop {
      $0.shutDown()
      $0.end()
    }
    await stopHelpers()
    self.resolver.stop()
    self.authentication.stop()
    for reactor in self.reactors { await reactor.stop() }
    try? await self.resolverGroup?.shutdownGracefully()
  }

  private func onEachLoop(_ body: @escaping @Sendable (LoopRunner) -> Void) async {
    for runner in self.runners {
      // A loop that has stopped needs no more telling.
      try? await runner.eventLoop.submit { body(runner.value) }.get()
    }
  }
}
