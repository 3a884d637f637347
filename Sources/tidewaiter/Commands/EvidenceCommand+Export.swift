import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

extension EvidenceCommand {
  /// `evidence export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Exports a case, or the flows that FILTER names, for other tools.",
      discussion: """
        FILTER is words such as region:CN finding:imei -host:*.example since:10m. No export is a proof by \
        itself: the sealed case is.
        """
    )

    /// What an export can be.
    enum Format: String, CaseIterable, EnumerableFlag {
      case har
      case pcapng
      case warc
      case ndjson

      static func help(for value: Format) -> ArgumentHelp? {
        switch value {
        case .har: "HTTP Archive 1.2, for viewers."
        case .pcapng: "The devices' TLS records with their keys, for packet analysers."
        case .warc: "Web archive, WARC 1.1."
        case .ndjson: "One JSON object for each flow, one a line."
        }
      }

      /// What follows the case's name in the file's.
      var suffix: String {
        switch self {
        case .har, .pcapng, .ndjson: self.rawValue
        case .warc: "warc.gz"
        }
      }
    }

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var key: CaseKeyOption
    @Argument(help: "The case's name or path.") var name: String
    @Argument(help: "Words that narrow the flows.") var filter: [String] = []
    @Flag(exclusivity: .exclusive) var format: Format?
    @Flag(help: "The whole sealed case as one file, .tar.zst: the same bytes each time.")
    var bundle = false
    @Option(help: "The proof of this flow: one file that verifies alone and shows no other flow.")
    var proof: String?
    @Option(
      name: [.customShort("o"), .long],
      help: "The file, `-` for standard output; CASE.har and so on if left out."
    )
    var output: String?
    @Flag(help: "Replaces a file that is there.") var force = false
    @Flag(help: "With placeholders for values, devices and credentials, to be handed on.")
    var shareSafe = false
    @Flag(help: "With --ndjson: the contents too, in base64.") var bodies = false
    @Flag(help: "A summary as one JSON object.") var json = false

    func run() throws {
      if self.isProof { return try self.runProof() }
      guard let format = self.format else {
        let names = (Format.allCases.map(\.rawValue) + ["bundle", "proof"]).map { "--\($0)" }
          .joined(separator: ", ")
        throw CommandFailure(.usage, "evidence export: say what to export: one of \(names)")
      }
      if self.bodies, format != .ndjson {
        throw CommandFailure(.usage, "--bodies goes with --ndjson; the other formats have bodies")
      }
      if self.shareSafe, format == .pcapng {
        throw CommandFailure(.usage, "--pcapng holds what was sent, byte for byte: not share-safe")
      }
      let configuration = try self.options.load()
      let path = try CaseOption.path(self.name, configuration)
      let caseName = (path as NSString).lastPathComponent
      let suffix = self.shareSafe ? "share-safe.\(format.suffix)" : format.suffix
      let output = self.output ?? "\(caseName).\(suffix)"
      let reader: CaseReader
      do throws(EvidenceFailure) {
        reader = try CaseReader(path, key: try self.key.key(of: path, configuration))
      } catch {
        throw CommandFailure(error)
      }
      let filter = try CaseOption.filter(self.filter, reader)
      let bar = ProgressBar()
      let progress = bar.map { bar in ExportProgress { bar.show($0) } }
      defer { bar?.clear() }
      var options = ExportOptions(toolVersion: Version.text)
      options.replaces = self.force
      options.hasContents = self.bodies
      do throws(EvidenceFailure) {
        if self.shareSafe {
          options.shareSafe = try ShareSafe.prepare(
            reader,
            known: try Self.known(configuration),
            progress: progress
          )
        }
        let summary = try Self.export(format, reader, output, filter, options, progress)
        bar?.clear()
        self.tell(summary)
      } catch {
        throw CommandFailure(error)
      }
    }

    private static func export(
      _ format: Format,
      _ reader: CaseReader,
      _ output: String,
      _ filter: FlowFilter,
      _ options: ExportOptions,
      _ progress: ExportProgress?
    ) throws(EvidenceFailure) -> ExportSummary {
      switch format {
      case .har:
        try HARExporter.export(
          reader,
          to: output,
          filter: filter,
          options: options,
          progress: progress
        )
      case .pcapng:
        try PcapngExporter.export(
          reader,
          to: output,
          filter: filter,
          options: options,
          progress: progress
        )
      case .warc:
        try WARCExporter.export(
          reader,
          to: output,
          filter: filter,
          options: options,
          progress: progress
        )
      case .ndjson:
        try NDJSONExporter.export(
          reader,
          to: output,
          filter: filter,
          options: options,
          progress: progress
        )
      }
    }

    /// The values of the profiles that are there now: those that nobody sent in a form we know, too.
    private static func known(
      _ configuration: Configuration
    ) throws(EvidenceFailure) -> [ShareSafe.KnownValue] {
      do throws(CommandFailure) {
        return try DeviceFolder(configuration).profiles().flatMap(\.identifiers).map {
          ShareSafe.KnownValue(kind: $0.kind.name, value: Bytes($0.value))
        }
      } catch {
        throw EvidenceFailure(.badName, detail: error.message)
      }
    }

    /// Says what was written: on standard error if the export itself went to standard output.
    private func tell(_ summary: ExportSummary) {
      let file = summary.file
      var text = String(decoding: summary.json, as: UTF8.self)
      if !self.json {
        text = "\(file.path): \(summary.flows) flows, \(file.bytes) bytes, sha256 \(file.sha256)"
        if summary.missing > 0 { text += "\n\(summary.missing) contents are not in the case" }
        if summary.tooLarge > 0 { text += "\n\(summary.tooLarge) contents were too large for it" }
      }
      if file.path == "-" { Terminal.error(text) } else { Terminal.print(text) }
    }
  }
}

/// How far an export is, on a terminal's standard error; elsewhere there is none.
final class ProgressBar {
  private static let width = 24
  private var isShown = false

  init?() {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
  }

  func show(_ state: ExportProgress.State) {
    self.isShown = true
    let full = Int(min(1, max(0, state.fraction)) * Double(Self.width))
    let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.width - full)
    let seconds = Double(state.elapsed.components.seconds) + 0.001
    let mebibytes = Double(state.bytes) / 1_048_576
    var text = "\r\(state.step) [\(bar)] \(Int(state.fraction * 100)) %  \(state.flows) flows"
    if state.bytes > 0 {
      text += String(format: "  %.0f MiB  %.0f MiB/s", mebibytes, mebibytes / seconds)
    }
    Terminal.write(text + "\u{1B}[K", to: .standardError)
  }

  func clear() {
    guard self.isShown else { return }
    self.isShown = false
    Terminal.write("\r\u{1B}[K", to: .standardError)
  }
}
