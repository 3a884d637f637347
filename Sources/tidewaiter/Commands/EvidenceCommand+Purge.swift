import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

extension EvidenceCommand {
  /// `evidence purge`.
  struct Purge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes bodies from a case, and says so in it: it still verifies.",
      discussion: """
        Bodies, messages and the files of wire/ with the same bytes go; heads, findings and every line of the log stay. A \
        content goes only if every flow that it was in may go. On a terminal it asks first.
        """
    )

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var key: CaseKeyOption
    @Argument(help: "The case's name or path.") var name: String
    @Option(help: "Only of flows that ended so long ago, as 30d or 12h.") var olderThan: String?
    @Flag(help: "Keep flows with findings whole.") var keepFindings = false
    @Option(name: .customLong("flow"), help: "Only of this flow; may be repeated.")
    var flows: [String] = []
    @Flag(help: "Only say what would go.") var dryRun = false
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "One JSON object.") var json = false

    private struct Row: Encodable {
      let path: String
      let removed: Bool
      let flows: Int
      let contents: Int
      let wire_files: Int
      let bytes: UInt64
    }

    func run() throws {
      let configuration = try self.options.load()
      let path = try CaseOption.path(self.name, configuration)
      let selection = try self.selection()
      do throws(EvidenceFailure) {
        let caseKey = try self.key.key(of: path, configuration)
        if self.dryRun || !self.yes && Prompt.isPossible {
          let summary = try CasePurge.summary(path, selection, caseKey: caseKey)
          if self.dryRun { return self.show(summary, of: path, isRemoved: false) }
          guard Prompt.confirms("Remove \(Self.text(summary)) from \(path), for good?") else {
            throw EvidenceFailure(.notFound, detail: "nothing was removed")
          }
        }
        let summary = try CasePurge.purge(
          path,
          selection,
          key: try CaseFolder.signingKey(in: configuration.caseFolder.directory),
          caseKey: caseKey,
          at: CAStore.now()
        )
        self.show(summary, of: path, isRemoved: true)
      } catch {
        throw CommandFailure(error)
      }
    }

    private func selection() throws(CommandFailure) -> PurgeSelection {
      var selection = PurgeSelection(reason: "command", keepsFindings: self.keepFindings)
      var words = ["command:"]
      if let text = self.olderThan {
        guard let seconds = Self.seconds(text) else {
          throw CommandFailure(.usage, "--older-than \(text): not a time such as 30d, 12h or 90m")
        }
        selection.endedBefore = CAStore.now().advanced(bySeconds: -seconds)
        words.append("older than \(text)")
      }
      if !self.flows.isEmpty {
        var flows: Set<FlowID> = []
        for text in self.flows { flows.insert(try CaseOption.flow(text)) }
        selection.flows = flows
        words.append("\(flows.count) flows by name")
      }
      if self.keepFindings { words.append("without findings") }
      selection.reason = words.count == 1 ? "command: all" : words.joined(separator: " ")
      return selection
    }

    private static func seconds(_ text: String) -> Int64? {
      let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
      guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()),
        (0...36_500 * 86_400).contains(count)
      else { return nil }
      return min(count * unit, 36_500 * 86_400)
    }

    private func show(_ summary: PurgeSummary, of path: String, isRemoved: Bool) {
      let row = Row(
        path: path,
        removed: isRemoved,
        flows: summary.flows,
        contents: summary.contents,
        wire_files: summary.wireFiles,
        bytes: summary.bytes
      )
      let verb = isRemoved ? "removed" : "would remove"
      let text = "\(verb) \(Self.text(summary)) from \(path)"
      // Numbers and a path always encode.
      Terminal.print(self.json ? (try? JSONText.encode(row)) ?? text : text)
    }

    private static func text(_ summary: PurgeSummary) -> String {
      "\(summary.contents) contents of \(summary.flows) flows and \(summary.wireFiles) files of wire/ "
        + "(\(summary.bytes) bytes)"
    }
  }

  /// `evidence reindex`.
  struct Reindex: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a case's index anew from its log, or compares it with one made so.",
      discussion:
        "Exit 1 if --check finds a difference. The index is no evidence: removing it is safe."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The case's name or path.") var name: String
    @Flag(help: "Compare; change nothing.") var check = false

    func run() throws {
      let path = try CaseOption.path(self.name, try self.options.load())
      let differences: [String]
      do throws(EvidenceFailure) {
        guard self.check else {
          let report = try CaseIndex.rebuild(path)
          Terminal.print("\(path): \(report.flows) flows, index of \(report.size) bytes")
          return
        }
        differences = try CaseIndex.check(path)
      } catch {
        throw CommandFailure(error)
      }
      guard differences.isEmpty else {
        for difference in differences { Terminal.print(difference) }
        throw ExitCode(CommandFailure.Code.problem.rawValue)
      }
      Terminal.print("\(path): the index is what the log says")
    }
  }
}
