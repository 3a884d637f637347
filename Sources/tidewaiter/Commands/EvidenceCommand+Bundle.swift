import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

/// The two exports that prove something by themselves.
extension EvidenceCommand.Export {
  /// Whether it is one of them that was asked for.
  var isProof: Bool { self.bundle || self.proof != nil }

  func runProof() throws {
    if self.format != nil || self.bundle && self.proof != nil {
      throw CommandFailure(.usage, "evidence export: one format at a time")
    }
    if self.shareSafe || self.bodies || !self.filter.isEmpty {
      throw CommandFailure(
        .usage,
        "--bundle and --proof are what was recorded: no FILTER, --share-safe or --bodies"
      )
    }
    let flow = try self.proof.map { try CaseOption.flow($0) }
    let path = try CaseOption.path(self.name, try self.options.load())
    let caseName = (path as NSString).lastPathComponent
    let output = self.output ?? flow.map { "\(caseName).\($0).proof" } ?? "\(caseName).tar.zst"
    let bar = ProgressBar()
    let progress = bar.map { bar in ExportProgress { bar.show($0) } }
    defer { bar?.clear() }
    var text: String
    var json: [UInt8]
    do throws(EvidenceFailure) {
      if let flow {
        let summary = try ProofExporter.export(
          flow,
          of: path,
          to: output,
          replaces: self.force,
          progress: progress
        )
        json = summary.json
        text = "\(output): \(summary.lines) lines, \(summary.contents) contents, "
        text += "\(summary.file.bytes) bytes, sha256 \(summary.file.sha256)"
        if summary.missing > 0 { text += "\n\(summary.missing) contents are not in the case" }
      } else {
        let summary = try BundleExporter.export(
          path,
          to: output,
          replaces: self.force,
          progress: progress
        )
        json = summary.json
        text = "\(output): \(summary.files) files, \(summary.file.bytes) bytes, "
        text += "sha256 \(summary.file.sha256)"
      }
    } catch {
      throw CommandFailure(error)
    }
    bar?.clear()
    if self.json { text = String(decoding: json, as: UTF8.self) }
    if output == "-" { Terminal.error(text) } else { Terminal.print(text) }
  }
}

extension EvidenceCommand.Verify {
  /// Checks the proof of one flow, and says whether it is right.
  func verifyProof(_ path: String, _ roots: TimestampRoots?) throws(CommandFailure) -> Bool {
    let report: ProofReport
    do throws(EvidenceFailure) {
      report = try ProofVerifier.verify(path, signer: self.signer, roots: roots)
    } catch {
      throw CommandFailure(error)
    }
    Terminal.write(
      self.json ? String(decoding: report.json, as: UTF8.self) + "\n" : report.text,
      to: .standardOutput
    )
    return report.isGood
  }
}
