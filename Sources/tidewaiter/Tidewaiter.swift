import ArgumentParser
import Foundation

/// The program: its commands, and how each ends.
@main
struct Tidewaiter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tidewaiter",
    abstract:
      "Audits what your own devices send: intercepts TLS, judges by region, keeps evidence.",
    discussion: "Only for devices that you own or have written consent for.",
    version: Version.text,
    subcommands: [
      RunCommand.self, CACommand.self, RulesCommand.self, DeviceCommand.self, FlowsCommand.self,
      FindingsCommand.self, ShowCommand.self, EvidenceCommand.self, ReportCommand.self,
      MarkCommand.self,
      PassthroughCommand.self, RegionCommand.self, DoctorCommand.self, ReloadCommand.self,
      StopCommand.self, VersionCommand.self,
    ]
  )

  /// Runs the command; exit codes are 0 ok, 1 problem found, 2 usage or configuration, 3 runtime.
  ///
  /// Not `async`: that would leave the main thread to Dispatch, which ends it, and valgrind, with which
  /// instructions are counted, does not survive that. Here it waits, and keeps the whole stack that the
  /// system gives it for commands that wait for nothing.
  static func main() {
    do {
      var command = try Self.parseAsRoot(FilterWords.shielded(CommandLine.arguments.dropFirst()))
      if let asynchronous = command as? any AsyncParsableCommand {
        try Self.await(asynchronous)
      } else {
        try command.run()
      }
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch let failure as CommandFailure {
      Terminal.error("tidewaiter: \(failure.message)")
      Foundation.exit(failure.code.rawValue)
    } catch {
      let text = Self.fullMessage(for: error)
      guard Self.exitCode(for: error) != .success else {
        Terminal.print(text)
        Foundation.exit(0)
      }
      Terminal.error(text.isEmpty ? "tidewaiter: \(error)" : text)
      Foundation.exit(CommandFailure.Code.usage.rawValue)
    }
  }

  private static func await(_ command: sending any AsyncParsableCommand) throws {
    let outcome = Blocking.wait { () async -> Result<Void, any Error> in
      do {
        var command = command
        return .success(try await command.run())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
  }
}

/// The product's version.
enum Version {
  static let text = "0.1.0"
}

/// Why a command did not do what it was asked for.
struct CommandFailure: Error {
  /// The exit code.
  enum Code: Int32 {
    /// It ran, and what it looked at has a problem.
    case problem = 1
    /// It was asked wrongly, or a file that it needs is wrong.
    case usage = 2
    /// The world would not let it.
    case runtime = 3
  }

  let code: Code
  /// What, where, and what to do; one line for each problem.
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// Where people read: standard output and standard error, unbuffered.
enum Terminal {
  static func print(_ text: String) { self.write(text + "\n", to: .standardOutput) }
  static func error(_ text: String) { self.write(text + "\n", to: .standardError) }

  static func write(_ text: String, to handle: FileHandle) {
    // A reader that went away (`| head`) is no failure of the command.
    try? handle.write(contentsOf: Data(text.utf8))
  }
}

extension String {
  /// The text with spaces after it up to a width, for columns.
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - self.count))
  }
}
