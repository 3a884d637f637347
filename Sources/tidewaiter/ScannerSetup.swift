import TideConfig
import TideCore
import TideProxy
import TideScan

/// Makes the scanners that a configuration names.
enum ScannerSetup {
  /// The scanners, running; nil if there are none.
  ///
  /// - Throws: if they cannot be set up; a server or a program that is not there is no such thing, since it
  ///   may come later: `on_error` says what becomes of messages until then.
  static func open(
    _ configuration: Configuration,
    log: Log
  ) async throws(CommandFailure) -> ScannerService? {
    let inspect = configuration.inspect
    guard !inspect.icap.isEmpty || !inspect.processes.isEmpty else { return nil }
    let mode = configuration.mode
    do {
      return try await ScannerService(
        icap: inspect.icap.map { Self.settings($0, mode) },
        processes: inspect.processes.map { Self.settings($0, mode, configuration.basePath) },
        contentLimit: configuration.limits.decodedBytes
      ) { report in
        switch report {
        case .notice(let text): log.notice(text)
        case .words(let scanner, let text): log.info("scanner \(scanner) says: \(text)")
        }
      }
    } catch {
      throw CommandFailure(.runtime, "inspect: cannot start the scanners: \(error)")
    }
  }

  private static func settings(
    _ service: Configuration.ICAPService,
    _ mode: Mode
  ) -> ICAPSettings {
    ICAPSettings(
      name: service.name,
      host: service.host,
      port: service.port,
      service: service.service,
      direction: service.mode == .reqmod ? .request : .response,
      timeout: service.timeout,
      onError: Self.policy(service.onError, mode)
    )
  }

  private static func settings(
    _ process: Configuration.ScanProcess,
    _ mode: Mode,
    _ folder: String
  ) -> ProcessSettings {
    ProcessSettings(
      name: process.name,
      command: process.command,
      directory: folder,
      directions: Set(process.directions),
      timeout: process.timeout,
      onError: Self.policy(process.onError, mode)
    )
  }

  /// Enforcing modes fail closed, the others open, unless it is written.
  private static func policy(
    _ written: Configuration.ScanError?,
    _ mode: Mode
  ) -> ScanErrorPolicy {
    switch written {
    case .block: .block
    case .bypass: .bypass
    case nil: mode.isEnforcing ? .block : .bypass
    }
  }
}
