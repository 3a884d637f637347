import ArgumentParser
import TideConfig
import TideEvidence

/// What opens the encrypted cases that a command is about.
struct CaseKeyOption: ParsableArguments {
  @Option(
    name: .customLong("key"),
    help: ArgumentHelp(
      "What opens an encrypted case: a file of its key or passphrase; case.encrypt_key if left out.",
      valueName: "file"
    )
  )
  var file: String?

  /// The key of the case in a folder: from `--key`, from the configuration, or a passphrase typed in.
  ///
  /// - Returns: nil if it needs none, or if there is none to be had.
  /// - Throws: `badKey`, or what the file system says.
  func key(
    of path: String,
    _ configuration: Configuration
  ) throws(EvidenceFailure) -> CaseKey? {
    guard let kind = try CaseFolder.kindOfKey(path) else { return nil }
    if let file = self.file {
      switch kind {
      case .key: return try .key(file: file)
      case .passphrase: return try .passphrase(file: file)
      }
    }
    switch (configuration.caseFolder.encryptKey, kind) {
    case (.key(let file)?, .key): return try .key(file: file)
    case (.passphrase(let file)?, .passphrase): return try .passphrase(file: file)
    case (_, .passphrase) where Prompt.isPossible:
      let typed: [UInt8]
      do throws(CommandFailure) {
        typed = try Prompt.secret("Passphrase of \(path): ")
      } catch {
        throw EvidenceFailure(.badKey, detail: error.message)
      }
      return try .passphrase(typed: typed)
    case (_, .key), (_, .passphrase): return nil
    }
  }
}

extension Configuration.Case {
  /// What cases that are made now are encrypted with; nil if they are not.
  ///
  /// - Throws: `badKey`.
  func newKey() throws(EvidenceFailure) -> CaseKey? {
    switch self.encryptKey {
    case .key(let file)?: try .key(file: file)
    case .passphrase(let file)?: try .passphrase(file: file)
    case nil: nil
    }
  }
}
