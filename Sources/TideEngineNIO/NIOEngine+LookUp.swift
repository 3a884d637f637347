import NIOCore
import NIOPosix
public import TideCore

extension NIOEngine {
  /// What a running proxy would find for a name; blocks.
  ///
  /// - Parameters:
  ///   - name: the name.
  ///   - hosts: the operator's own addresses of names.
  ///   - nameServers: who is asked for all others; the system's resolver if there are none.
  ///   - patience: how long the servers may take, in nanoseconds.
  /// - Returns: the answer, or why there is none.
  public static func resolve(
    _ name: Hostname,
    hosts: [Hostname: [IPAddress]],
    nameServers: [NameServer] = [],
    patience: UInt64 = Timeouts().dns
  ) -> Result<Resolution, FlowFailure> {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let resolver = Resolver(hosts: hosts, servers: nameServers, patience: patience, on: loop)
    let promise = loop.makePromise(of: Result<Resolution, FlowFailure>.self)
    resolver.resolve(name, on: loop) { promise.succeed($0) }
    let result: Result<Resolution, FlowFailure>
    do {
      result = try promise.futureResult.wait()
      resolver.stop()
      try group.syncShutdownGracefully()
    } catch {
      // Only a loop that has ended takes nothing.
      return .failure(FlowFailure(.internalError, origin: .internal, detail: "\(error)"))
    }
    return result
  }
}
