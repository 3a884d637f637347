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
    abstract: "Checks and explains rules.",
    subcommands: [Check.self, Explain.self]
  )

  /// `rules check`.
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks rule files: keys, regions, rules that can never fire."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "Rule files; the configuration's if none is given.") var files: [String] = []
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let configuration = try self.options.load()
      do throws(CommandFailure) {
        let (rules, _) = try RulingLoader.rules(configuration, files: self.files)
        // Names of regions are checked against the sets; the databases add no names.
        _ = try RulingLoader.policy(
          configuration,
          rules: rules,
          regions: RegionTable(databases: [], sets: configuration.regions.sets)
        )
        let names = self.files.isEmpty ? configuration.rules : self.files
        let warnings = rules.compactMap(Self.warning)
        guard !self.json else {
          let report = Report(ok: true, rules: rules.count, problems: [], warnings: warnings)
          // Strings and numbers alone always encode.
          Terminal.print((try? JSONText.encode(report)) ?? "")
          return
        }
        for warning in warnings { Terminal.print("warning: \(warning)") }
        Terminal.print(
          "\(names.joined(separator: ", ")): \(rules.count) rules, no problem found"
        )
      } catch {
        guard self.json else { throw CommandFailure(.problem, error.message) }
        let problems = error.message.split(separator: "\n").map(String.init)
        Terminal.print(
          try JSONText.encode(Report(ok: false, rules: 0, problems: problems, warnings: []))
        )
        throw ExitCode(CommandFailure.Code.problem.rawValue)
      }
    }

    private struct Report: Encodable {
      let ok: Bool
      let rules: Int
      let problems: [String]
      let warnings: [String]
    }

    /// The kinds that rules and profiles may name and that no detector of this version finds.
    ///
    /// An entry goes when its detector comes; `doctor` names the same three.
    private static let unfound: Set<String> = ["gps", "app_list", "opaque"]

    /// That a rule asks only for what is never found; nil if it does not.
    private static func warning(_ rule: Rule) -> String? {
      let kinds = rule.when.finding
      guard !kinds.isEmpty, kinds.allSatisfy(Self.unfound.contains) else { return nil }
      return "rule \"\(rule.id)\" never applies: nothing in this version finds "
        + kinds.joined(separator: ", ")
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
    @Option(help: "A recorded flow, f-000042.") var flow: String?
    @Option(help: "A rule file, in place of the configuration's; may be given several times.")
    var rules: [String] = []
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let configuration = try self.options.load()
      let (rules, _) = try RulingLoader.rules(configuration, files: self.rules)
      let policy = try RulingLoader.policy(
        configuration,
        rules: rules,
        regions: try RegionLoader.load(configuration)
      )
      let subject: ExplainedFlow
      if let flow = self.flow {
        subject = try ExplainedFlow(
          flow: flow,
          in: try CaseOption.path(self.caseName, configuration),
          policy: policy
        )
      } else if let url = self.url {
        subject = try ExplainedFlow(
          url: url,
          device: self.device ?? "",
          policy: policy,
          configuration: configuration
        )
      } else {
        throw CommandFailure(.usage, "rules explain: give a URL, or --case CASE --flow ID")
      }
      Terminal.print(self.json ? try JSONText.encode(subject) : subject.text)
    }
  }
}
