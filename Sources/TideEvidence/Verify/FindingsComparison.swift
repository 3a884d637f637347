internal import TideCore

/// Compares findings.ndjson, byte for byte, with the findings of the log.
struct FindingsComparison: ~Copyable {
  /// Whether the file has what the log has not: the log was cut.
  private(set) var isAhead = false
  /// The first finding whose line is not in the file as it should be.
  private var problem: (sequence: UInt64, what: String)?
  /// The first finding that the file, which is right up to there, does not have.
  private var lacking: UInt64?
  private var count = 0
  private let isEncrypted: Bool
  private let isThere: Bool
  private var file: FileReader?
  private var pending = Bytes()

  init(root: String, isEncrypted: Bool) throws(EvidenceFailure) {
    let path = root + "/" + FindingsFile.name
    self.isEncrypted = isEncrypted
    self.isThere = !isEncrypted && Folder.size(of: path) != nil
    self.file = self.isThere ? try FileReader(path: path) : nil
  }

  mutating func compare(_ event: LogEvent) throws(EvidenceFailure) {
    guard !self.isEncrypted, self.problem == nil, self.lacking == nil else { return }
    let wanted = Bytes(FindingsFile.line(of: event))
    let found = try self.take(wanted.count)
    guard found.elementsEqual(wanted.prefix(found.count)) else {
      self.problem = (event.sequence, "its line in findings.ndjson was altered")
      return
    }
    guard found.count == wanted.count else {
      self.lacking = event.sequence
      return
    }
    self.count += 1
  }

  mutating func finish() throws(EvidenceFailure) {
    guard self.problem == nil, self.lacking == nil else { return }
    self.isAhead = try !self.take(1).isEmpty
  }

  func ruling(_ durability: Durability) -> Ruling? {
    if let problem = self.problem { return durability.ruling(problem.sequence, problem.what) }
    // The file is written after the log, and synced with it.
    guard let lacking = self.lacking, durability.covers(lacking) else { return nil }
    return .altered(at: lacking, what: "its line in findings.ndjson is missing")
  }

  func check(_ durability: Durability) -> VerificationReport.Check {
    guard !self.isEncrypted else {
      return VerificationReport.Check(
        name: "findings",
        isGood: nil,
        detail: "in the log alone: the case is encrypted"
      )
    }
    let ruling = self.ruling(durability)
    let detail =
      if case .altered(let sequence?, let what)? = ruling {
        "at seq \(sequence): \(what)"
      } else if let problem = self.problem {
        "at seq \(problem.sequence): \(problem.what)"
      } else if self.isAhead {
        "findings.ndjson has more lines than the log: the log was cut"
      } else if self.lacking != nil {
        "\(self.count) lines are right; the log has more, and the file is completed when the case is "
          + "opened again"
      } else {
        "\(self.count) lines"
      }
    return VerificationReport.Check(
      name: "findings",
      isGood: ruling == nil && !self.isAhead,
      detail: detail
    )
  }

  /// The next bytes of the file: as many as asked for, fewer at its end.
  private mutating func take(_ count: Int) throws(EvidenceFailure) -> Bytes {
    while self.pending.count < count, self.file != nil, let piece = try self.file?.next() {
      self.pending.append(piece)
    }
    let taken = self.pending.slice(0..<min(count, self.pending.count))
    self.pending = self.pending.dropping(first: taken.count)
    return taken
  }
}
