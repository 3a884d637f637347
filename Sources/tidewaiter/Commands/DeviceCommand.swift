import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore

/// `tidewaiter device`: the profiles of the devices under test.
struct DeviceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "device",
    abstract: "The profiles of the devices under test.",
    subcommands: [List.self, Add.self, Show.self, CanaryValues.self]
  )

  /// `device list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the devices.")

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "One JSON object a line.") var json = false

    func run() throws {
      let folder = DeviceFolder(try self.options.load())
      let profiles = try folder.profiles()
      for profile in profiles {
        let row = DeviceRow(profile)
        Terminal.print(self.json ? try JSONText.encode(row) : row.text)
      }
      if profiles.isEmpty, !self.json {
        Terminal.print("\(folder.path): no device yet; `tidewaiter device add NAME` makes one")
      }
    }
  }

  /// `device add`.
  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a profile to fill in; refuses to replace one that is there."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The device's name.") var name: String
    @Option(help: "The device's address, by which it is recognised.") var ip: String?

    func run() throws {
      let folder = DeviceFolder(try self.options.load())
      var address: IPAddress?
      if let ip = self.ip {
        guard let parsed = IPAddress(ip) else {
          throw CommandFailure(.usage, "--ip \(ip): not an address")
        }
        address = parsed
      }
      let text: String
      do throws(ConfigFailure) {
        text = try DeviceDocument.template(name: self.name, ip: address)
      } catch {
        throw CommandFailure(.usage, error.description)
      }
      let path = "\(folder.path)/\(self.name).yaml"
      do throws(FileFailure) {
        // It will hold a person's identifiers: nobody else may read it.
        try SecretFile.makeFolder(folder.path)
        try SecretFile.write(Bytes(text), to: path)
      } catch {
        throw CommandFailure(.problem, error.description)
      }
      Terminal.print("\(path): fill in the device's own values, then `tidewaiter reload`")
    }
  }

  /// `device show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows how a device is known and how many values are searched for."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The device's name.") var name: String
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let folder = DeviceFolder(try self.options.load())
      guard let profile = try folder.profiles().first(where: { $0.name == self.name }) else {
        throw CommandFailure(.problem, "\(folder.path): no device \"\(self.name)\"")
      }
      let row = DeviceRow(profile)
      Terminal.print(self.json ? try JSONText.encode(row) : row.text)
    }
  }
}

/// A device as it is listed: kinds and counts, never the values.
struct DeviceRow: Encodable {
  let name: String
  let addresses: [String]
  let users: [String]
  let identifiers: [String: Int]

  init(_ profile: DeviceProfile) {
    self.name = profile.name
    self.addresses = profile.addresses.map(\.description)
    self.users = profile.users
    self.identifiers = Dictionary(grouping: profile.identifiers, by: \.kind.name)
      .mapValues(\.count)
  }

  var text: String {
    let kinds = self.identifiers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let known = self.addresses + self.users.map { "user \($0)" }
    let match = known.isEmpty ? "no address" : known.joined(separator: ", ")
    return
      "\(self.name)  \(match)  \(kinds.isEmpty ? "no values" : kinds.joined(separator: ", "))"
  }
}
