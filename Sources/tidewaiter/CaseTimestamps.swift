import Foundation
import TideConfig
import TideEvidence

/// Time-stamps of sealed cases, as `case.tsa` says.
enum CaseTimestamps {
  /// What to tell of a case that was sealed: a line for it, and one for each that waited since before.
  ///
  /// It is queued before the authority is asked, so that not even a kill forgets it.
  static func sealed(_ path: String, _ configuration: Configuration) -> [String] {
    let folder = configuration.caseFolder.directory
    let queue = TimestampQueue(in: folder)
    do throws(EvidenceFailure) {
      if let url = configuration.caseFolder.tsa, let authority = TimestampAuthority(url: url) {
        let full = URL(fileURLWithPath: path).standardizedFileURL
        let parent = URL(fileURLWithPath: folder).standardizedFileURL
        let isInside = full.deletingLastPathComponent().path == parent.path
        try queue.add(isInside ? full.lastPathComponent : full.path, authority)
      }
      return try queue.retry().map(Self.text)
    } catch {
      return ["no time-stamp for \(path): \(error.detail)"]
    }
  }

  static func text(_ outcome: TimestampQueue.Outcome) -> String {
    switch outcome.result {
    case .success(let stamp): "time-stamped \(outcome.path): \(stamp.detail)"
    case .failure(let failure):
      "\(outcome.path) waits for a time-stamp (evidence timestamp --pending): \(failure.detail)"
    }
  }
}

extension TimestampRoots {
  /// Those of `--tsa-ca`; nil if it was not given.
  static func option(_ path: String?) throws(CommandFailure) -> Self? {
    guard let path else { return nil }
    do throws(EvidenceFailure) {
      return try Self(path: path)
    } catch {
      throw CommandFailure(.usage, "--tsa-ca \(error.detail)")
    }
  }
}
