import ArgumentParser
import Foundation
import TideConfig
import TideControl

/// What the running proxy is asked over its socket.
enum RunningInstance {
  static func send(
    _ request: ControlRequest,
    _ options: ConfigurationOptions
  ) throws -> ControlReply {
    let configuration = try options.load()
    do throws(ControlFailure) {
      return try ControlClient.send(
        request,
        socketPath: configuration.caseFolder.directory + "/control.sock"
      )
    } catch {
      throw CommandFailure(error.code == .refused ? .problem : .runtime, error.description)
    }
  }
}

/// `tidewaiter mark`.
struct MarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mark",
    abstract: "Puts a phase marker into the running case."
  )

  @OptionGroup var options: ConfigurationOptions
  @Argument(help: "What happened, such as \"SIM inserted\".") var text: String

  func run() throws { _ = try RunningInstance.send(.mark(self.text), self.options) }
}

/// `tidewaiter reload`.
struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Reloads rules, devices and regions; if anything is wrong the old ones stay."
  )

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    Terminal.print(try RunningInstance.send(.reload, self.options).message)
  }
}

/// `tidewaiter stop`.
struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "Stops the running proxy and seals its case."
  )

  @OptionGroup var options: ConfigurationOptions

  func run() throws { _ = try RunningInstance.send(.stop, self.options) }
}

/// `tidewaiter version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version",
    abstract: "Shows the version."
  )

  func run() throws { Terminal.print("Tidewaiter \(Version.text)") }
}
