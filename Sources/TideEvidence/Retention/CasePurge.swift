public import TideCore
public import TideCrypto

/// Removes contents from a case that nobody is recording into, and says so under a chain.
///
/// Of a case that is not sealed, in its log; of a sealed one, whose log takes nothing more, in `purges.ndjson`. Either is
/// durable before the first file goes: a kill leaves contents that are listed and still there, which the next purge
/// removes.
public enum CasePurge {
  /// The most contents that are looked for at once.
  private static let mostContents = 1_000_000

  /// What a purge would take away, of the first million contents at most.
  ///
  /// - Throws: `notACase`, `locked` or `wrongKey` of an encrypted case, or what the file system says.
  public static func summary(
    _ path: String,
    _ selection: PurgeSelection,
    caseKey: CaseKey? = nil
  ) throws(EvidenceFailure) -> PurgeSummary {
    let keys = try CaseEncryption.keys(of: path, caseKey)
    let isSealed = CaseFolder.isSealed(path)
    var isRecording = false
    do throws(EvidenceFailure) {
      _ = try FileLock(path: path + "/case.json", isNew: false)
    } catch {
      isRecording = error.code == .inUse
    }
    var planner = RetentionPlanner(root: path, keys: keys, isRecording: isRecording)
    let portions = try planner.plan(
      selection,
      mostContents: self.mostContents,
      keepsLastWire: !isSealed
    )
    return portions.reduce(into: PurgeSummary()) { $0 += $1.summary }
  }

  /// Removes what a selection says.
  ///
  /// - Parameters:
  ///   - path: the case.
  ///   - selection: which contents.
  ///   - key: signs what is written; of a sealed case it must be the one that sealed it.
  ///   - caseKey: opens an encrypted case.
  ///   - now: the time to date it by.
  /// - Returns: what was removed.
  /// - Throws: `locked` or `wrongKey` of an encrypted case, `inUse` if the case is being recorded, `sealed` if another key sealed it, `malformed` if it was altered where
  ///   that shows, or what the file system says.
  public static func purge(
    _ path: String,
    _ selection: PurgeSelection,
    key: SigningKey,
    caseKey: CaseKey? = nil,
    at now: WallTime
  ) throws(EvidenceFailure) -> PurgeSummary {
    CaseFolder.isSealed(path)
      ? try self.purge(sealed: path, selection, key, caseKey, at: now)
      : try self.purge(open: path, selection, key, caseKey, at: now)
  }

  private static func purge(
    open path: String,
    _ selection: PurgeSelection,
    _ key: SigningKey,
    _ caseKey: CaseKey?,
    at now: WallTime
  ) throws(EvidenceFailure) -> PurgeSummary {
    let folder = try CaseFolder.reopen(path, caseKey)
    for body in folder.salvaged { try body.keep(in: path) }
    let signer = try HeadSigner(key, caseDigest: folder.descriptionDigest)
    var ending = try LogEnding(path, after: folder.tail, signer: signer, keys: folder.keys)
    try ending.writeRepairs(folder.wireRecoveries, folder.salvaged, at: now)
    try ending.writeHead(at: now)
    try ending.flush()
    defer { folder.unlock() }
    return try self.removeAll(selection, from: path, folder.keys, keepsLastWire: true) {
      portions throws(EvidenceFailure) in
      for portion in portions { ending.write("purged", at: now) { portion.write(into: &$0) } }
      try ending.writeHead(at: now)
      try ending.flush()
    }
  }

  private static func purge(
    sealed path: String,
    _ selection: PurgeSelection,
    _ key: SigningKey,
    _ caseKey: CaseKey?,
    at now: WallTime
  ) throws(EvidenceFailure) -> PurgeSummary {
    let keys = try CaseEncryption.keys(of: path, caseKey)
    let lock = try FileLock(path: path + "/case.json", isNew: false)
    defer { lock.release() }
    var log = try PurgeLog(root: path, keys: keys, key: key)
    return try self.removeAll(selection, from: path, keys, keepsLastWire: false) {
      portions throws(EvidenceFailure) in
      try log.append(portions, at: now)
    }
  }

  /// Plans, has it written, and removes, until nothing more may go.
  private static func removeAll(
    _ selection: PurgeSelection,
    from path: String,
    _ keys: CaseKeys?,
    keepsLastWire: Bool,
    _ write: ([Removal]) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) -> PurgeSummary {
    var planner = RetentionPlanner(root: path, keys: keys, isRecording: false)
    var summary = PurgeSummary()
    let storage = PosixStorage()
    while true {
      let portions = try planner.plan(
        selection,
        mostContents: self.mostContents,
        keepsLastWire: keepsLastWire
      )
      guard !portions.isEmpty else { return summary }
      try write(portions)
      for portion in portions {
        for file in portion.paths { try storage.remove(path + "/" + file) }
        summary += portion.summary
      }
      // It has words of them.
      CaseIndex.remove(path)
    }
  }
}
