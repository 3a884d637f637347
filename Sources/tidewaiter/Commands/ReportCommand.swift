import ArgumentParser
import Foundation
import TideCore
import TideEvidence
import TideReport

/// `tidewaiter report`.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Makes a report of a case: one HTML file that needs nothing else and prints well.",
    discussion: """
      The case is checked first, and what that came to is in the report. Its size is bounded whatever the \
      case's; it says what it leaves out.
      """
  )

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var key: CaseKeyOption
  @Argument(help: "The case's name or path.") var name: String
  @Option(name: [.customShort("o"), .long], help: "Where to write it.") var output = "report.html"
  @Option(
    help: "The language: en or zh-TW.",
    transform: { try Self.choice($0, among: ReportLanguage.self) }
  )
  var lang = ReportLanguage.english
  @Flag(help: "Leaves out values, what stands around them, and the devices' names and addresses.")
  var shareSafe = false
  @Option(
    name: .customLong("protocol"),
    help: "Lays a procedure over it, told by marks: first-boot.",
    transform: { try Self.choice($0, among: ReportProtocol.self) }
  )
  var procedure: ReportProtocol?

  func run() throws {
    let configuration = try self.options.load()
    let path = try CaseOption.path(self.name, configuration)
    let document: [UInt8]
    let summary: String
    do throws(EvidenceFailure) {
      let key = try self.key.key(of: path, configuration)
      let verification = try CaseVerifier.verify(path, key: key)
      summary = verification.summary
      document = try CaseReport.html(
        of: try CaseReader(path, key: key),
        verification: verification,
        options: ReportOptions(
          language: self.lang,
          isShareSafe: self.shareSafe,
          procedure: self.procedure,
          toolVersion: Version.text,
          made: CAStore.now()
        )
      )
    } catch {
      throw CommandFailure(error)
    }
    try self.write(document)
    Terminal.print("\(self.output)  \(document.count) bytes  case \(summary)")
  }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ word: String,
    among choices: Choice.Type
  ) throws -> Choice {
    guard let choice = Choice(rawValue: word) else {
      let names = choices.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("\(word) is none of: \(names)")
    }
    return choice
  }

  /// Writes the document whole or not at all, for its owner alone: it shows what the case holds.
  private func write(_ document: [UInt8]) throws(CommandFailure) {
    let partial = self.output + ".partial"
    let manager = FileManager.default
    guard
      manager.createFile(
        atPath: partial,
        contents: Data(document),
        attributes: [.posixPermissions: 0o600]
      ), unsafe rename(partial, self.output) == 0
    else {
      let reason = unsafe String(cString: strerror(errno))
      throw CommandFailure(.runtime, "\(self.output): cannot write the report: \(reason)")
    }
  }
}
