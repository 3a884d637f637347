import ArgumentParser
import Foundation
import TideConfig
import TideEvidence

extension EvidenceCommand {
  /// `evidence verify`.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks cases: INTACT (exit 0), ALTERED or INCOMPLETE (exit 1).",
      discussion: """
        Of several cases each is named before its checks; exit 0 if all are intact. A time-stamp is believed if its \
        authority is below a root of the system's, or of --tsa-ca; else it says so and does not count.
        """
    )

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var key: CaseKeyOption
    @Argument(help: "The case's name or path.") var names: [String]
    @Option(
      help: ArgumentHelp(
        "The SHA-256 of the only key that may have signed, as its owner told you; else ALTERED (signer).",
        valueName: "fingerprint"
      )
    )
    var signer: String?
    @Option(
      help: ArgumentHelp(
        "A PEM file of the only roots to believe a time-stamp by: without one by them ALTERED (timestamp).",
        valueName: "file"
      )
    )
    var tsaCa: String?
    @Flag(help: "One JSON object for each case, one a line.") var json = false

    func validate() throws {
      guard let signer = self.signer else { return }
      guard signer.count == 64, signer.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) else {
        throw ValidationError("--signer: not 64 lower-case hex digits: \(signer.prefix(80))")
      }
    }

    func run() throws {
      let configuration = try self.options.load()
      let roots = try TimestampRoots.option(self.tsaCa)
      var isIntact = true
      for name in self.names {
        if ProofVerifier.isProof(name) {
          isIntact = try self.verifyProof(name, roots) && isIntact
          continue
        }
        let path = try Self.path(name, configuration)
        let line = isatty(STDERR_FILENO) == 1 ? ProgressLine() : nil
        let progress = line.map { line in VerificationProgress { line.show($0) } }
        let report: VerificationReport
        do throws(EvidenceFailure) {
          defer { line?.clear() }
          // A case.json that does not read is for the verifier to judge.
          let kind = try? CaseFolder.kindOfKey(path)
          report = try CaseVerifier.verify(
            path,
            key: kind == nil ? nil : try self.key.key(of: path, configuration),
            signer: self.signer,
            roots: roots,
            progress: progress
          )
        } catch {
          throw CommandFailure(error)
        }
        if self.json {
          Terminal.print(String(decoding: report.json, as: UTF8.self))
        } else {
          if self.names.count > 1 { Terminal.print("\(name):") }
          Terminal.write(report.text, to: .standardOutput)
        }
        isIntact = isIntact && report.outcome == .intact
      }
      guard isIntact else { throw ExitCode(CommandFailure.Code.problem.rawValue) }
    }

    /// Where a case is: one from which case.json was taken away is a case too, and not what it was.
    private static func path(_ name: String, _ configuration: Configuration) throws -> String {
      let places =
        name.contains("/") ? [name] : ["\(configuration.caseFolder.directory)/\(name)", name]
      let found = places.first { FileManager.default.fileExists(atPath: "\($0)/log") }
      return try found ?? CaseOption.path(name, configuration)
    }
  }
}

/// How far a verification is, on a terminal's standard error.
private final class ProgressLine {
  private var isShown = false

  func show(_ state: VerificationProgress.State) {
    self.isShown = true
    func mebibytes(_ bytes: UInt64) -> String {
      String(format: "%.0f", Double(bytes) / 1_048_576)
    }
    let milliseconds = max(1, UInt64(state.elapsed / .milliseconds(1)))
    let what = state.step == "log" ? "lines" : "files"
    let text =
      "\r\(state.step): \(mebibytes(state.done)) of \(mebibytes(state.total)) MiB, \(state.count) \(what);"
      + " \(mebibytes(state.bytesRead)) MiB read, \(mebibytes(state.bytesRead / milliseconds * 1_000)) MiB/s"
    Terminal.write(text + "\u{1B}[K", to: .standardError)
  }

  func clear() {
    guard self.isShown else { return }
    self.isShown = false
    Terminal.write("\r\u{1B}[K", to: .standardError)
  }
}
