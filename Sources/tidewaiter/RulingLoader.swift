import Foundation
import TideConfig
import TideCore
import TideInspect
import TidePolicy
import TideProxy
import TideRegion

/// Reads what decides (rules, devices, region databases), at start and at each reload.
struct RulingLoader {
  let configuration: Configuration
  /// Rule files of `--rules`, which stand in the configuration's place.
  let ruleFiles: [String]
  /// Where the proxy listens, so that it refuses itself.
  let ownAddresses: [IPAddress]
  let ownPorts: [UInt16]
  /// The case's secret, under which pseudonyms are made.
  var secret: [UInt8]
  /// Where compiled needles are kept.
  let needles: FileNeedleCache

  /// What was read, with the digests that a case records.
  struct Loaded {
    let ruling: Ruling
    let regions: RegionTable
    let rules: [Rule]
    /// The rule files by name, with the SHA-256 of each.
    let ruleSources: [(name: String, sha256: String)]
    /// What the rules' authors should know.
    let remarks: [String]
  }

  func load() throws(CommandFailure) -> Loaded {
    let files = try RuleFiles(self.configuration, files: self.ruleFiles)
    // Reading the lists and compiling the needles each take a core for a while.
    let lists = Meanwhile { () throws(CommandFailure) in try RegionLoader.load(files.configuration)
    }
    let devices = try DeviceFolder(self.configuration).profiles()
    let plan = Result { () throws(CommandFailure) in try self.plan(devices) }
    let regions = try lists.value()
    let policy = try files.policy(
      regions: regions,
      devices: devices,
      ownAddresses: self.ownAddresses,
      ownPorts: self.ownPorts
    )
    return Loaded(
      ruling: Ruling(policy: policy, plan: try plan.get(), devices: devices),
      regions: regions,
      rules: files.rules,
      ruleSources: files.sources,
      remarks: policy.remarks.map(\.description) + (try plan.get()).notes
    )
  }

  /// The same ruling under this loader's secret.
  func ruling(_ loaded: Loaded) throws(CommandFailure) -> Ruling {
    let devices = loaded.ruling.devices
    do throws(InspectionFailure) {
      let plan = try InspectionPlan(loaded.ruling.plan, profiles: devices, secret: self.secret)
      return Ruling(policy: loaded.ruling.policy, plan: plan, devices: devices)
    } catch {
      throw CommandFailure(.usage, "inspect: \(error)")
    }
  }

  private func plan(_ devices: [DeviceProfile]) throws(CommandFailure) -> InspectionPlan {
    do throws(InspectionFailure) {
      return try InspectionPlan(
        profiles: devices,
        inspectors: self.configuration.inspect.inspectors,
        secret: self.secret,
        limits: self.configuration.limits,
        cache: self.needles
      )
    } catch {
      throw CommandFailure(.usage, "inspect: \(error)")
    }
  }
}

/// The folder of device profiles.
struct DeviceFolder {
  let path: String
  /// Whether the folder may be missing: the default one is made by `device add`.
  private let isDefault: Bool

  init(_ configuration: Configuration) {
    self.path = configuration.devices
    let base = configuration.basePath
    let name = Configuration.defaults.devices
    self.isDefault =
      self.path == (base.isEmpty || base.hasSuffix("/") ? base + name : "\(base)/\(name)")
  }

  /// The profiles' files, sorted; none if the default folder is not there.
  ///
  /// A folder that was named is there: a slip in its name would search for nothing, in silence.
  func files() throws(CommandFailure) -> [String] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: self.path)
    } catch {
      let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
      if self.isDefault, isMissing { return [] }
      throw CommandFailure(
        .usage,
        "\(self.path): cannot list the device profiles: "
          + (isMissing ? "no such folder" : error.localizedDescription)
      )
    }
    return names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted()
      .map { "\(self.path)/\($0)" }
  }

  func profiles() throws(CommandFailure) -> [DeviceProfile] {
    try self.filedProfiles().map(\.profile)
  }

  /// The profiles, each with the file that it is in.
  func filedProfiles() throws(CommandFailure) -> [(file: String, profile: DeviceProfile)] {
    var profiles: [DeviceProfile] = []
    let files = try self.files()
    for file in files {
      let text = try TextFile.read(file, what: "the device profile")
      let profile: DeviceProfile
      do throws(ConfigFailure) {
        profile = try DeviceDocument.parse(yaml: text, path: file)
      } catch {
        throw CommandFailure(.usage, error.description)
      }
      if profiles.contains(where: { $0.name == profile.name }) {
        throw CommandFailure(.usage, "\(file): another file names a device \"\(profile.name)\" too")
      }
      for user in profile.users {
        guard let other = profiles.first(where: { $0.users.contains(user) }) else { continue }
        throw CommandFailure(
          .usage,
          "\(file): the proxy user \"\(user)\" is the device \"\(other.name)\" already"
        )
      }
      profiles.append(profile)
    }
    return zip(files, profiles).map { (file: $0, profile: $1) }
  }
}
