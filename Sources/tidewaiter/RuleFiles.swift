import Foundation
import TideConfig
import TideCore
import TideCrypto
import TidePolicy
import TideRegion

/// The rule files that hold, and the configuration with the named regions that they bring along.
struct RuleFiles {
  /// The rules of all files, in their order.
  let rules: [Rule]
  /// The configuration, its sets and those of the files together.
  let configuration: Configuration
  /// The files by name, with the SHA-256 of each.
  let sources: [(name: String, sha256: String)]

  /// What is found by its look alone: no profile lists it.
  private static let unlistedKinds = ["credential"]

  /// Reads the files, or the built-in rules where the default file is not there.
  ///
  /// - Parameters:
  ///   - configuration: names the files and has sets of its own.
  ///   - files: stand in the place of the configuration's; none for those.
  /// - Throws: every problem of the files.
  init(_ configuration: Configuration, files: [String] = []) throws(CommandFailure) {
    let isDefault = files.isEmpty && configuration.rulesAreDefault
    var rules: [Rule] = []
    var sets: [PlacedRegionSet] = []
    var sources: [(name: String, sha256: String)] = []
    var problems: [String] = []
    for path in files.isEmpty ? configuration.rules : files {
      let text: String
      let name: String
      if isDefault, !FileManager.default.fileExists(atPath: path) {
        text = DefaultRules.yaml
        name = "built-in default.yaml"
      } else {
        text = try TextFile.read(path, what: "the rules")
        name = path
      }
      sources.append((name, ASCII.hex(Digest.sha256.hash(Bytes(text)))))
      do throws(ConfigFailure) {
        let file = try RuleDocument.parse(
          yaml: text,
          path: name,
          additionalKinds: Self.unlistedKinds + configuration.scannerKinds
        )
        rules += file.rules
        sets += file.sets
      } catch {
        problems.append(error.description)
      }
    }
    guard problems.isEmpty else {
      throw CommandFailure(.usage, problems.joined(separator: "\n"))
    }
    var configuration = configuration
    do throws(ConfigFailure) {
      try configuration.add(sets: sets)
    } catch {
      throw CommandFailure(.usage, error.description)
    }
    self.rules = rules
    self.configuration = configuration
    self.sources = sources
  }

  /// The policy that the rules make in a mode.
  ///
  /// - Parameters:
  ///   - regions: where addresses lie.
  ///   - devices: the profiles, whose names rules may use.
  ///   - mode: the ceiling; nil for the configuration's.
  ///   - ownAddresses: where the proxy listens, so that it refuses itself.
  ///   - ownPorts: at which ports.
  /// - Returns: the policy.
  /// - Throws: every problem of the rules beside each other, the regions and the devices.
  func policy(
    regions: RegionTable,
    devices: [DeviceProfile],
    mode: Mode? = nil,
    ownAddresses: [IPAddress] = [],
    ownPorts: [UInt16] = []
  ) throws(CommandFailure) -> PolicySnapshot {
    let configuration = self.configuration
    do throws(PolicyFailure) {
      return try PolicySnapshot(
        rules: self.rules,
        regions: regions,
        settings: PolicySettings(
          mode: mode ?? configuration.mode,
          watch: configuration.regions.watch,
          allowSpecialUse: configuration.upstream.allowSpecialUse,
          passthrough: configuration.tls.passthrough,
          fronting: configuration.tls.fronting,
          ownAddresses: ownAddresses,
          ownPorts: ownPorts,
          candidatesLimit: configuration.limits.candidates,
          // With users the names are theirs, and files of users come and go without the rules.
          devices: configuration.listen.auth == .off ? devices.map(\.name) : nil
        )
      )
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }
}
