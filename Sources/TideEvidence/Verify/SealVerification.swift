internal import TideCore
internal import TideCrypto

/// The checks of a sealed case's manifest.
struct SealVerification {
  /// What is wrong with the manifest itself.
  let problem: String?
  /// Who sealed the case; nil if its key does not read as one.
  let fingerprint: String?
  private let manifest: ManifestFile?

  /// Reads the manifest; nil if there is none.
  init?(root: String) throws(EvidenceFailure) {
    guard CaseFolder.isSealed(root) else { return nil }
    let bytes = try ManifestFile.read(root)
    self.fingerprint = SignerFile.fingerprint(in: root)
    guard Self.isSigned(bytes, root) else {
      self.manifest = nil
      self.problem = "manifest.json: its signature is wrong"
      return
    }
    self.manifest = ManifestFile(bytes)
    self.problem = self.manifest == nil ? "manifest.json does not read as a manifest" : nil
  }

  /// The line of the report on the signature.
  var signatureCheck: VerificationReport.Check {
    VerificationReport.Check(
      name: "signature",
      isGood: self.problem == nil,
      detail: self.problem == nil
        ? "manifest.json is as signed by the key with SHA-256 \(self.fingerprint ?? "")"
        : "it is not signer.pem's"
    )
  }

  /// The first line that the manifest counts and the log has not; nil if it has all.
  func missingFrom(_ state: ChainState) -> UInt64? {
    guard let manifest = self.manifest, state.sequence < manifest.lastSequence else { return nil }
    return state.sequence + 1
  }

  /// Compares each file with what the manifest says, and what the log came to.
  func compare(
    _ root: String,
    _ end: LogState,
    _ purges: PurgeVerification,
    _ progress: VerificationProgress?
  ) throws(EvidenceFailure) -> (check: VerificationReport.Check, problem: String?) {
    guard var manifest = self.manifest else {
      let check = VerificationReport.Check(
        name: "manifest",
        isGood: nil,
        detail: "not compared with the files: it is not what was signed"
      )
      return (check, nil)
    }
    var comparison = Comparison(root: root, purges: purges, progress: progress)
    do throws(EvidenceFailure) {
      try comparison.run(&manifest)
    } catch {
      guard error.code == .malformed else { throw error }
      comparison.listed = comparison.listed ?? error.detail
    }
    var problem = comparison.listed ?? comparison.unlisted
    if problem == nil, !self.ends(at: end) {
      problem = "the log does not end where manifest.json says"
    }
    let more = comparison.problems > 1 ? ", and \(comparison.problems - 1) more" : ""
    let removed = comparison.removed > 0 ? ", and \(comparison.removed) that were removed" : ""
    let check = VerificationReport.Check(
      name: "manifest",
      isGood: problem == nil,
      detail: problem.map { $0 + more } ?? "\(comparison.count) files\(removed)"
    )
    return (check, problem)
  }

  private func ends(at end: LogState) -> Bool {
    guard let manifest = self.manifest, manifest.lastSequence == end.chain.sequence,
      Array(manifest.lastHash.utf8) == end.chain.hash
    else { return false }
    // Manifests of format 1 have no tree.
    if manifest.treeSize == nil, manifest.treeRoot == nil { return true }
    return manifest.treeSize == end.tree.size && manifest.treeRoot == end.tree.rootHex
  }

  private static func isSigned(_ bytes: [UInt8], _ root: String) -> Bool {
    guard let pem = try? Folder.read(root + "/" + SignerFile.name, limit: 4_096),
      let signature = try? Folder.read(root + "/manifest.sig", limit: 4_096),
      let key = try? VerifyingKey(pem: pem)
    else { return false }
    return (try? key.isValid(signature.array, for: bytes)) ?? false
  }
}

/// Goes through the manifest and the folder side by side: both are in the order of the paths.
private struct Comparison {
  let root: String
  let purges: PurgeVerification
  let progress: VerificationProgress?
  /// The first file that is not as listed.
  var listed: String?
  /// The first file that is not listed.
  var unlisted: String?
  var problems = 0
  var count = 0
  var removed = 0
  private var bytes: UInt64 = 0

  init(root: String, purges: PurgeVerification, progress: VerificationProgress?) {
    self.root = root
    self.purges = purges
    self.progress = progress
  }

  mutating func run(_ manifest: inout ManifestFile) throws(EvidenceFailure) {
    var present = try SortedFiles(below: self.root)
    var entry = try Self.nextListable(&present)
    var copy = manifest
    var total: UInt64 = 0
    while let file = try copy.next() { total += file.size }
    while let file = try manifest.next() {
      while let found = entry, found.path < file.path {
        self.note(unlisted: found.path)
        entry = try Self.nextListable(&present)
      }
      self.count += 1
      guard let found = entry, found.path == file.path else {
        if self.purges.hasRemoved(file.path) {
          self.removed += 1
        } else {
          self.note(listed: "\(file.path) is missing")
        }
        continue
      }
      entry = try Self.nextListable(&present)
      guard found.size == file.size,
        Hex.encode(try Manifest.digest(self.root + "/" + file.path).0) == file.sha256
      else {
        self.note(listed: "\(file.path) was altered")
        continue
      }
      self.bytes += file.size
      self.progress?.advance(
        "files",
        count: UInt64(self.count),
        done: self.bytes,
        of: total,
        bytesRead: self.bytes
      )
    }
    while let found = entry {
      self.note(unlisted: found.path)
      entry = try Self.nextListable(&present)
    }
    self.progress?.end(bytesRead: self.bytes)
  }

  private mutating func note(listed problem: String) {
    self.listed = self.listed ?? problem
    self.problems += 1
  }

  private mutating func note(unlisted path: String) {
    self.unlisted = self.unlisted ?? "\(path) is not in the manifest"
    self.problems += 1
  }

  private static func nextListable(
    _ files: inout SortedFiles
  ) throws(EvidenceFailure) -> FolderEntry? {
    while let entry = try files.next() {
      if Manifest.isListed(entry.path), entry.path != PurgeLog.name { return entry }
    }
    return nil
  }
}
