import ArgumentParser
import Foundation
import TideConfig
import TideEvidence

/// `tidewaiter evidence`: cases.
struct EvidenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evidence",
    abstract: "Lists, seals, verifies and exports cases.",
    subcommands: [
      List.self, Seal.self, Timestamp.self, Verify.self, Export.self, Purge.self, Reindex.self,
    ]
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
}
