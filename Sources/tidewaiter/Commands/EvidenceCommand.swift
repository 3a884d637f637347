import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

/// `tidewaiter evidence`: cases.
struct EvidenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evidence",
    abstract: "Lists, seals, verifies and exports cases.",
    subcommands: [List.self, Seal.self, Verify.self, Export.self]
  )

  /// `evidence list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the cases in case.dir.")

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "One JSON object a line.") var json = false

    private struct Row: Encodable {
      let name: String
      let path: String
      let sealed: Bool
    }

    func run() throws {
      let folder = try self.options.load().caseFolder.directory
      guard FileManager.default.fileExists(atPath: folder) else { return }
      do throws(EvidenceFailure) {
        for name in try CaseFolder.names(in: folder) {
          let path = "\(folder)/\(name)"
          let row = Row(name: name, path: path, sealed: CaseFolder.isSealed(path))
          let text = "\(name)  \(row.sealed ? "sealed" : "open")  \(path)"
          // A name and a flag always encode.
          Terminal.print(self.json ? (try? JSONText.encode(row)) ?? text : text)
        }
      } catch {
        throw CommandFailure(error)
      }
    }
  }

  /// `evidence seal`.
  struct Seal: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Seals a case that was not sealed when its recording ended."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The case's name or path.") var name: String

    func run() throws {
      let configuration = try self.options.load()
      let path = try CaseOption.path(self.name, configuration)
      do throws(EvidenceFailure) {
        try CaseSealer.seal(
          path,
          key: try CaseFolder.signingKey(in: configuration.caseFolder.directory),
          at: CAStore.now()
        )
      } catch {
        // Whoever sealed it may have been killed before the key was destroyed.
        if error.code == .sealed { try Self.destroyKeys(of: path, configuration) }
        throw CommandFailure(error)
      }
      try Self.destroyKeys(of: path, configuration)
      Terminal.print("sealed \(path)")
    }

    /// Destroys the keys of the CA that a case in `case.dir` has to itself, as a run does that ends.
    ///
    /// A case elsewhere may bear the name of one of ours whose CA is in use.
    private static func destroyKeys(
      of path: String,
      _ configuration: Configuration
    ) throws(CommandFailure) {
      let name = (path as NSString).lastPathComponent
      let own = "\(configuration.caseFolder.directory)/\(name)"
      guard Self.isSame(path, own) else { return }
      try CAStore(configuration, caseName: name).destroyKeys()
    }

    /// Whether two paths lead to one folder.
    private static func isSame(_ a: String, _ b: String) -> Bool {
      var (first, second) = (stat(), stat())
      guard unsafe stat(a, &first) == 0, unsafe stat(b, &second) == 0 else { return false }
      return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }
  }

  /// `evidence verify`.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a case: INTACT (exit 0), ALTERED or INCOMPLETE (exit 1)."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The case's name or path.") var name: String
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let path = try CaseOption.path(self.name, try self.options.load())
      let report: VerificationReport
      do throws(EvidenceFailure) {
        report = try CaseVerifier.verify(path)
      } catch {
        throw CommandFailure(error)
      }
      Terminal.write(
        self.json ? String(decoding: report.json, as: UTF8.self) + "\n" : report.text,
        to: .standardOutput
      )
      guard report.outcome == .intact else { throw ExitCode(CommandFailure.Code.problem.rawValue) }
    }
  }

  /// `evidence export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Exports a case for other tools."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The case's name or path.") var name: String
    @Flag(help: "HTTP Archive 1.2, for viewers; no proof by itself.") var har = false
    @Option(name: [.customShort("o"), .long], help: "The file; CASE.har if left out.")
    var output: String?

    func run() throws {
      guard self.har else {
        throw CommandFailure(.usage, "evidence export: say what to export: --har")
      }
      let path = try CaseOption.path(self.name, try self.options.load())
      let output = self.output ?? (path as NSString).lastPathComponent + ".har"
      do throws(EvidenceFailure) {
        let count = try HARExporter.export(
          try CaseReader(path),
          to: output,
          toolVersion: Version.text
        )
        Terminal.print("\(output): \(count) entries")
      } catch {
        throw CommandFailure(error)
      }
    }
  }
}
