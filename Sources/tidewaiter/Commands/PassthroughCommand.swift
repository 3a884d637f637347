import ArgumentParser
import TideControl
import TideCore

/// `tidewaiter passthrough`: what the running proxy learned not to intercept.
struct PassthroughCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "passthrough",
    abstract:
      "Hosts that the running proxy relays undecrypted because devices refuse interception.",
    subcommands: [List.self, Revoke.self]
  )

  /// `passthrough list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists them, each with its device and its end."
    )

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "One JSON object a line.") var json = false

    func run() throws {
      let relayed = try RunningInstance.send(.passthroughs, self.options).passthroughs
      if relayed.isEmpty, !self.json { Terminal.error("nothing was learned to be passed through") }
      for entry in relayed {
        Terminal.print(
          self.json
            ? try JSONText.encode(entry)
            : "\(entry.device.padded(to: 16))  \(entry.host.padded(to: 40))  until \(entry.until)"
        )
      }
    }
  }

  /// `passthrough revoke`.
  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Has a host intercepted again; the device's next refusals count anew."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The host: a name or an address.") var host: String
    @Option(help: "For this device alone; for all if left out.") var device: String?

    func run() throws {
      guard let host = Host(self.host) else {
        throw CommandFailure(.usage, "\(self.host): not a host's name or address")
      }
      let request = ControlRequest.revoke(host, device: self.device)
      Terminal.print(try RunningInstance.send(request, self.options).message)
    }
  }
}
