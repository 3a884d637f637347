import NIOCore
import NIOPosix
public import TideProxy

/// The scanners outside the process: ICAP services and child processes, on an event loop of their own.
///
/// What a device sends is shown to nobody whom the configuration does not name.
public final class ScannerService: Sendable {
  /// What is worth a line in the program's log.
  public enum Report: Sendable {
    /// An operator should know.
    case notice(String)
    /// A process's own words.
    case words(scanner: String, String)
  }

  /// The scanners, in the order of the configuration: ICAP services, then processes.
  public let scanners: [any Scanner]
  private let group: MultiThreadedEventLoopGroup
  private let eventLoop: any EventLoop
  private let pools: [NIOLoopBound<ICAPPool>]
  private let workers: [NIOLoopBound<ProcessWorker>]

  /// Makes the scanners; processes are started at once.
  ///
  /// - Parameters:
  ///   - icap: the services.
  ///   - processes: the processes.
  ///   - contentLimit: the most bytes of content that an answer may have.
  ///   - report: takes what is worth a line in the log, on any thread.
  /// - Throws: if the event loop cannot be made use of.
  public init(
    icap: [ICAPSettings],
    processes: [ProcessSettings],
    contentLimit: Int,
    report: @escaping @Sendable (Report) -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    self.group = group
    let eventLoop = group.next()
    self.eventLoop = eventLoop
    let (pools, workers) = try await eventLoop.submit {
      (
        icap.map { settings in
          NIOLoopBound(
            ICAPPool(settings, contentLimit: contentLimit, on: eventLoop),
            eventLoop: eventLoop
          )
        },
        processes.map { settings in
          let worker = ProcessWorker(settings, contentLimit: contentLimit, on: eventLoop, report)
          worker.start()
          return NIOLoopBound(worker, eventLoop: eventLoop)
        }
      )
    }.get()
    self.pools = pools
    self.workers = workers
    var scanners: [any Scanner] = []
    for (settings, pool) in zip(icap, pools) {
      scanners.append(ICAPScanner(settings, pool: pool, on: eventLoop))
    }
    for (settings, worker) in zip(processes, workers) {
      scanners.append(ProcessScanner(settings, worker: worker, on: eventLoop))
    }
    self.scanners = scanners
  }

  /// Ends all processes and connections; every question that is open has its answer when it returns.
  public func stop() async {
    let pools = self.pools
    let workers = self.workers
    let ends = try? await self.eventLoop.submit {
      for pool in pools { pool.value.stop() }
      return workers.map { $0.value.stop() }
    }.get()
    for end in ends ?? [] { try? await end.get() }
    try? await self.group.shutdownGracefully()
  }
}
