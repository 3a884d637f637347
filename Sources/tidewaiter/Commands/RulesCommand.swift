import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence
import TidePolicy
import TideRegion

/// `tidewaiter rules`: what the rules say, without a proxy running.
struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "Checks rules, tries them on a case, and explains them.",
    subcommands: [Check.self, Test.self, Explain.self]
  )

  /// `rules check`.
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks rule files: keys, regions, devices, rules that can never decide."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "Rule files; the configuration's if none is given.") var files: [String] = []
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let configuration = try self.options.load()
      let report = Self.report(configuration, self.files)
      if self.json {
        Terminal.print(try JSONText.encode(report))
      } else {
        for warning in report.warnings { Terminal.print("warning: \(warning)") }
      }
      guard report.ok else {
        guard self.json else {
          throw CommandFailure(.problem, report.problems.joined(separator: "\n"))
        }
        throw ExitCode(CommandFailure.Code.problem.rawValue)
      }
      if self.json { return }
      let names = self.files.isEmpty ? configuration.rules : self.files
      Terminal.print(
        "\(names.joined(separator: ", ")): \(report.rules) rules, no problem found"
      )
    }

    private struct Report: Encodable {
      let ok: Bool
      let rules: Int
      let problems: [String]
      let warnings: [String]
    }

    private static func report(_ configuration: Configuration, _ files: [String]) -> Report {
      var warnings: [String] = []
      do throws(CommandFailure) {
        let read = try RuleFiles(configuration, files: files)
        let devices = try DeviceFolder(configuration).profiles()
        let policy = try read.policy(
          regions: RegionLoader.loadWhatIsThere(read.configuration, &warnings),
          devices: devices
        )
        let unreachable = policy.remarks.filter { $0.kind == .unreachable }
        warnings += policy.remarks.filter { $0.kind != .unreachable }.map(\.description)
        warnings += read.rules.compactMap { Self.unlisted($0, devices) }
        return Report(
          ok: unreachable.isEmpty,
          rules: read.rules.count,
          problems: unreachable.map(\.description),
          warnings: warnings
        )
      } catch {
        let problems = error.message.split(separator: "\n").map(String.init)
        return Report(ok: false, rules: 0, problems: problems, warnings: warnings)
      }
    }

    /// What no pattern tells from other words: only a profile can say it.
    private static let profileOnly: Set<String> = [
      "sms_text", "clipboard", "carrier",
    ]

    /// That a rule asks only for what profiles would have to list and none does; nil if it does not.
    private static func unlisted(_ rule: Rule, _ devices: [DeviceProfile]) -> String? {
      let kinds = rule.when.finding
      guard !kinds.isEmpty, kinds.allSatisfy(Self.profileOnly.contains) else { return nil }
      let listed = devices.flatMap(\.identifiers).map(\.kind.name)
      guard !kinds.contains(where: listed.contains) else { return nil }
      return
        "\(rule.keyLocations["when.finding"] ?? rule.location): rule \(rule.id): only values of a device "
        + "profile are found as \(kinds.joined(separator: ", ")), and no profile lists one"
    }
  }

  /// `rules test`.
  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tries rules on the flows of a case: what would be decided, and what would change.",
      discussion: """
        Exit code 1 if a flow that was to be redacted or blocked would now pass. Nothing of the case is changed.
        """
    )

    @OptionGroup var option: CaseOption
    @Argument(help: "Rule files; the configuration's if none is given.") var files: [String] = []
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let configuration = try self.option.options.load()
      let files = try RuleFiles(configuration, files: self.files)
      let policies = try PolicyModes(
        files,
        regions: try RegionLoader.load(files.configuration),
        devices: try DeviceFolder(configuration).profiles()
      )
      let path = try CaseOption.path(self.option.name, configuration)
      let replay: RuleReplay
      do throws(EvidenceFailure) {
        let key = try self.option.key.key(of: path, configuration)
        replay = try RuleReplay(try CaseReader(path, key: key), policies)
      } catch {
        throw CommandFailure(error)
      }
      Terminal.print(self.json ? try JSONText.encode(replay) : replay.text)
      guard replay.passing.isEmpty else { throw ExitCode(CommandFailure.Code.problem.rawValue) }
    }
  }

  /// `rules explain`.
  struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says for each rule whether it applies to a URL or to a recorded flow, and why."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "A URL or HOST:PORT; its name is looked up as the proxy would.")
    var url: String?
    @Option(help: "The device that asks.") var device: String?
    @Option(name: .customLong("case"), help: "The case of --flow.") var caseName: String?
    @OptionGroup var key: CaseKeyOption
    @Option(help: "A recorded flow, f-000042.") var flow: String?
    @Option(help: "A rule file, in place of the configuration's; may be given several times.")
    var rules: [String] = []
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let configuration = try self.options.load()
      let files = try RuleFiles(configuration, files: self.rules)
      let policies = try PolicyModes(
        files,
        regions: try RegionLoader.load(files.configuration),
        devices: try DeviceFolder(configuration).profiles()
      )
      let subject: ExplainedFlow
      if let flow = self.flow {
        guard self.url == nil else {
          throw CommandFailure(.usage, "rules explain: a URL or --flow, not both")
        }
        let path = try CaseOption.path(self.caseName, configuration)
        let id = try CaseOption.flow(flow)
        do throws(EvidenceFailure) {
          let key = try self.key.key(of: path, configuration)
          let detail = try CaseReader(path, key: key).flow(id)
          subject = ExplainedFlow(flow: detail, policies: policies)
        } catch {
          throw CommandFailure(error)
        }
      } else if let url = self.url {
        subject = try ExplainedFlow(
          url: url,
          device: self.device ?? "",
          policies: policies,
          configuration: configuration
        )
      } else {
        throw CommandFailure(.usage, "rules explain: give a URL, or --case CASE --flow ID")
      }
      Terminal.print(self.json ? try JSONText.encode(subject) : subject.text)
    }
  }
}
