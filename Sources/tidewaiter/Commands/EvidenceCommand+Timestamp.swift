import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

extension EvidenceCommand {
  /// `evidence timestamp`.
  struct Timestamp: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Has a sealed case time-stamped (RFC 3161): manifest.tsr.",
      discussion: """
        The authority is told a SHA-256 and nothing else of the case. Cases whose authority could not be reached when they \
        were sealed wait; --pending asks for those.
        """
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The case's name or path.") var name: String?
    @Option(help: "The authority's URL; case.tsa if left out.") var tsa: String?
    @Option(help: "A PEM file of roots that the authority must be below.") var tsaCa: String?
    @Flag(help: "All cases that wait, in place of one.") var pending = false
    @Flag(help: "Replaces a time-stamp that is there.") var force = false
    @Flag(help: "One JSON object a case.") var json = false

    private struct Row: Encodable {
      let path: String
      let time: String?
      let tsa: String?
      let serial: String?
      let trusted: Bool
      let detail: String
    }

    func run() throws {
      let configuration = try self.options.load()
      let roots = try TimestampRoots.option(self.tsaCa)
      do throws(EvidenceFailure) {
        if self.pending { return try self.runPending(configuration, roots) }
      } catch {
        throw CommandFailure(error)
      }
      guard let name = self.name else {
        throw CommandFailure(.usage, "evidence timestamp: name a case, or say --pending")
      }
      guard let url = self.tsa ?? configuration.caseFolder.tsa else {
        throw CommandFailure(.usage, "evidence timestamp: --tsa URL, or case.tsa, says whom to ask")
      }
      guard let authority = TimestampAuthority(url: url) else {
        throw CommandFailure(.usage, "--tsa \(url): not an http or https URL")
      }
      let path = try CaseOption.path(name, configuration)
      do throws(EvidenceFailure) {
        let stamp = try CaseTimestamp.request(
          path,
          from: authority,
          roots: roots,
          replaces: self.force
        )
        self.show(TimestampQueue.Outcome(path: path, result: .success(stamp)))
      } catch {
        throw CommandFailure(error)
      }
    }

    private func runPending(
      _ configuration: Configuration,
      _ roots: TimestampRoots?
    ) throws(EvidenceFailure) {
      guard self.name == nil else {
        throw EvidenceFailure(.badName, detail: "--pending is about all cases that wait: name none")
      }
      let queue = TimestampQueue(in: configuration.caseFolder.directory)
      let outcomes = try queue.retry(roots: roots)
      for outcome in outcomes { self.show(outcome) }
      for outcome in outcomes { _ = try outcome.result.get() }
    }

    private func show(_ outcome: TimestampQueue.Outcome) {
      guard self.json else { return Terminal.print(CaseTimestamps.text(outcome)) }
      let stamp = try? outcome.result.get()
      let row = Row(
        path: outcome.path,
        time: stamp?.time?.rfc3339,
        tsa: stamp?.name,
        serial: stamp?.serial,
        trusted: stamp?.isTrusted ?? false,
        detail: CaseTimestamps.text(outcome)
      )
      // Texts and a flag always encode.
      Terminal.print((try? JSONText.encode(row)) ?? row.detail)
    }
  }
}
