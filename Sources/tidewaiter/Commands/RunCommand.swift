import ArgumentParser
import Foundation
import Synchronization
import TideConfig
import TideControl
import TideCore
import TideEngineNIO
import TideEvidence
import TideProxy
import UnixSignals

/// `tidewaiter run`: the proxy.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs the proxy until it is told to stop, then seals the case."
  )

  @OptionGroup var options: ConfigurationOptions
  @Option(help: "observe, record, redact or block.") var mode: String?
  @Option(help: "Where devices connect: ADDR:PORT; port 0 lets the kernel choose.")
  var listen: String?
  @Option(help: "Where the dashboard listens: ADDR:PORT. There is no dashboard yet.")
  var ui: String?
  @Option(name: .customLong("case"), help: "The case's name; one that is not sealed is continued.")
  var caseName: String?
  @Option(help: "A rule file, in place of the configuration's; may be given several times.")
  var rules: [String] = []

  func run() async throws {
    let configuration = try self.configuration()
    let log = Log(configuration.log)
    // Trapped before anything can be lost: a signal that comes early waits its turn.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    let server = try await ProxyServer(configuration, ruleFiles: self.rules, log: log)
    let stopping = AsyncStream<Void>.makeStream()
    let port = RunningProxy(server: server, stop: { stopping.continuation.yield() }, log: log)
    let control: ControlServer
    do {
      control = try ControlServer(
        socketPath: configuration.caseFolder.directory + "/control.sock",
        port: port
      )
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
    // If the start fails, nobody has been told of the socket yet.
    defer { control.stop() }
    try await server.start()
    Terminal.print(Banner(server).text)
    Terminal.print("ready")
    server.settle()
    try await Self.wait(for: stopping.stream, signals, server: server, log: log)
    Terminal.error("stopping: draining connections, then sealing \(server.caseFolder.path)")
    // Before the loops end: a reload that is under way waits for them.
    await Blocking.leave { control.stop() }
    try await server.stop()
    Terminal.print("sealed \(server.caseFolder.path)")
    let path = server.caseFolder.path
    await Blocking.leave {
      for line in CaseTimestamps.sealed(path, configuration) { Terminal.print(line) }
    }
  }

  /// The configuration with the flags over it.
  private func configuration() throws -> Configuration {
    var configuration = try self.options.load()
    if let mode = self.mode {
      guard let value = Mode(rawValue: mode) else {
        throw CommandFailure(
          .usage,
          "--mode \(mode): there are \(Mode.allCases.map(\.rawValue).joined(separator: ", "))"
        )
      }
      configuration.mode = value
    }
    if let listen = self.listen {
      configuration.listen.proxy = [try Self.address(listen, "--listen")]
    }
    if let ui = self.ui { configuration.ui.listen = try Self.address(ui, "--ui") }
    if let caseName = self.caseName { configuration.caseFolder.name = caseName }
    return configuration
  }

  private static func address(_ text: String, _ flag: String) throws -> ListenAddress {
    guard let address = ListenAddress(text) else {
      throw CommandFailure(.usage, "\(flag) \(text): not ADDR:PORT, such as 0.0.0.0:8080")
    }
    return address
  }

  /// Handles signals until one of them, or the control socket, ends the run.
  private static func wait(
    for stop: AsyncStream<Void>,
    _ signals: UnixSignalsSequence,
    server: ProxyServer,
    log: Log
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await signal in signals {
          guard signal == .sighup else { return }
          do throws(CommandFailure) {
            log.notice("reloaded: \(try await server.reload())")
          } catch {
            log.error("reload refused, the old rules stay in force: \(error.message)")
          }
        }
      }
      group.addTask { for await _ in stop { return } }
      try await group.next()
      group.cancelAll()
    }
  }
}

/// What the control socket steers.
final class RunningProxy: ControlPort {
  private let server: ProxyServer
  private let onStop: @Sendable () -> Void
  private let log: Log

  init(server: ProxyServer, stop: @escaping @Sendable () -> Void, log: Log) {
    self.server = server
    self.onStop = stop
    self.log = log
  }

  func mark(_ text: String) throws(ControlFailure) { self.server.recorder.mark(text) }

  func reload() throws(ControlFailure) -> String {
    let server = self.server
    let result = Blocking.wait { () async -> Result<String, CommandFailure> in
      do throws(CommandFailure) {
        return .success(try await server.reload())
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let message):
      self.log.notice("reloaded: \(message)")
      return message
    case .failure(let failure): throw ControlFailure(refusing: failure.message)
    }
  }

  func stop() { self.onStop() }

  func passthroughs() -> [ControlPassthrough] {
    self.server.trust.learned(at: CAStore.now()).map {
      ControlPassthrough(device: $0.device, host: $0.host, until: $0.until)
    }
  }

  func revoke(host: TideCore.Host, device: String?) throws(ControlFailure) -> String {
    let count = self.server.trust.revoke(host, device: device, at: CAStore.now())
    let whose = device.map { " for \($0)" } ?? ""
    guard count > 0 else {
      throw ControlFailure(refusing: "\(host) is not relayed\(whose): there is nothing to revoke")
    }
    let message = "\(host) is intercepted again\(whose), from its next connection on"
    self.server.recorder.note(type: "passthrough-revoked", fields: ["detail": message])
    self.log.notice(message)
    return message
  }

  func status() -> [String: ControlValue] {
    let server = self.server
    return Blocking.wait { await server.status() }
  }
}

/// Lets a thread that runs no task, the main one or the control socket's, wait for one.
enum Blocking {
  private final class Box<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
  }

  /// Runs what blocks on a thread where no task waits for its turn: on a machine with one core, the
  /// task that it waits for would never get one.
  static func leave(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { done in
      DispatchQueue.global().async {
        body()
        done.resume()
      }
    }
  }

  static func wait<Value: Sendable>(_ body: sending @escaping () async -> Value) -> Value {
    let box = Box<Value>()
    let done = DispatchSemaphore(value: 0)
    Task {
      let value = await body()
      box.value.withLock { $0 = value }
      done.signal()
    }
    done.wait()
    guard let value = box.value.withLock({ $0 }) else {
      preconditionFailure("signalled only after a value was there")
    }
    return value
  }
}
