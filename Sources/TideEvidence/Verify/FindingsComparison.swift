internal import TideCore

/// Compares findings.ndjson, line by line, with the findings of the log.
struct FindingsComparison: ~Copyable {
  private(set) var problem: (sequence: UInt64, what: String)?
  /// Whether the file has lines that the log has not: the log was cut.
  private(set) var isAhead = false
  private var isBehind = false
  private var count = 0
  private var file: FileReader?
  private var pending = Bytes()

  init(root: String) throws(EvidenceFailure) {
    let path = root + "/" + FindingsFile.name
    self.file = Folder.size(of: path) == nil ? nil : try FileReader(path: path)
  }

  mutating func compare(_ event: LogEvent) throws(EvidenceFailure) {
    guard self.problem == nil, !self.isBehind else { return }
    guard let line = try self.nextLine() else {
      self.isBehind = true
      return
    }
    guard line.elementsEqual(FindingsFile.line(of: event).dropLast()) else {
      self.problem = (event.sequence, "its line in findings.ndjson was altered")
      return
    }
    self.count += 1
  }

  mutating func finish() throws(EvidenceFailure) {
    guard self.problem == nil, !self.isBehind else { return }
    self.isAhead = try self.nextLine() != nil
  }

  var check: VerificationReport.Check {
    let detail =
      if let problem = self.problem {
        "at seq \(problem.sequence): \(problem.what)"
      } else if self.isAhead {
        "findings.ndjson has more lines than the log: the log was cut"
      } else if self.isBehind {
        "\(self.count) lines are right; the log has more, and the file is completed when the case is "
          + "opened again"
      } else {
        "\(self.count) lines"
      }
    return VerificationReport.Check(
      name: "findings",
      isGood: self.problem == nil && !self.isAhead,
      detail: detail
    )
  }

  /// The next whole line, without its newline.
  private mutating func nextLine() throws(EvidenceFailure) -> Bytes? {
    while true {
      if let end = self.pending.firstIndex(of: 0x0A) {
        let line = self.pending.slice(0..<end)
        self.pending = self.pending.dropping(first: end + 1)
        return line
      }
      guard self.file != nil, let piece = try self.file?.next(),
        self.pending.count < LogReader.longestLine
      else { return nil }
      self.pending.append(piece)
    }
  }
}
