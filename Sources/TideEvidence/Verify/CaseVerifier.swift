internal import TideCore
internal import TideCrypto

/// Checks a case: the chain of its log, the contents that the log names, and the seal.
public enum CaseVerifier {
  /// Checks the case in a folder, reading piece by piece.
  ///
  /// The first thing found wrong decides the outcome, in the order chain, contents, findings, seal, wire.
  ///
  /// - Throws: what the file system says; what the case's files say is in the report.
  public static func verify(_ path: String) throws(EvidenceFailure) -> VerificationReport {
    guard Folder.isFolder(path + "/log") else {
      throw EvidenceFailure(.notACase, detail: "\(path): there is no case here")
    }
    var log = try LogVerification(root: path)
    try log.run()
    let seal = try SealVerification(root: path)
    var checks = log.checks
    var outcome = log.outcome
    if let seal {
      checks += seal.checks
      if let missing = seal.missingFrom(log.state), log.isChainGood {
        outcome = .incomplete(from: missing)
      }
      if case .intact = outcome, let what = seal.problem(log.state) {
        outcome = .altered(at: nil, what: what)
      }
    } else {
      checks.append(
        VerificationReport.Check(
          name: "seal",
          isGood: nil,
          detail: "not sealed: lines cut off at the end would not be noticed"
        )
      )
    }
    if let wire = try WireVerification(root: path, isSealed: seal != nil) {
      checks.append(wire.check)
      if case .intact = outcome, let what = wire.problem {
        outcome = .altered(at: nil, what: what)
      }
    }
    return VerificationReport(
      outcome: outcome,
      checks: checks,
      isSealed: seal != nil,
      lines: log.state.sequence,
      lastHash: String(decoding: log.state.hash, as: UTF8.self)
    )
  }
}

/// The checks that follow the log from its first line to its last.
private struct LogVerification: ~Copyable {
  private let root: String
  private let log: LogReader
  private(set) var state = ChainState.start
  private(set) var isChainGood = true
  private var altered: (sequence: UInt64, what: String)?
  private var incomplete: UInt64?
  private var checkedBodies: Set<DigestKey> = []
  private var bodyProblem: (sequence: UInt64, what: String)?
  private var caseDigest: String?
  private var findings: FindingsComparison

  init(root: String) throws(EvidenceFailure) {
    let log = try LogReader(root: root)
    self.findings = try FindingsComparison(root: root)
    self.root = root
    self.log = log
  }

  mutating func run() throws(EvidenceFailure) {
    var expected = 1
    for segment in self.log.segments {
      guard segment == expected else {
        self.altered = (
          self.state.sequence + 1,
          "\(LogReader.relativePath(of: expected)) is missing"
        )
        break
      }
      expected += 1
      var goesOn = true
      _ = try self.log.forEachLine(
        of: LogPosition(segment: segment, offset: 0)
      ) { line throws(EvidenceFailure) in
        goesOn = try self.check(line)
        return goesOn
      }
      guard goesOn else { break }
    }
    self.isChainGood = self.altered == nil
    try self.findings.finish()
  }

  /// Whether the chain holds at a line and reading goes on.
  private mutating func check(_ line: LogLine) throws(EvidenceFailure) -> Bool {
    let sequence = self.state.sequence + 1
    guard line.isWhole else {
      // Only the very last line can be torn: a segment that another follows was finished.
      if line.position.segment == self.log.segments.last {
        self.incomplete = sequence
      } else {
        self.altered = (sequence, "the line does not end")
      }
      return false
    }
    guard let (hashed, hash) = LineTail.split(line.bytes), let event = LogEvent(line),
      let previous = event.members["prev"]?.string
    else {
      self.altered = (sequence, "the line is not an event")
      return false
    }
    guard LineTail.hash(hashed, after: self.state.hash) == hash,
      Array(previous.utf8) == self.state.hash, event.sequence == sequence
    else {
      // A line that is right by itself but not here was moved, or others around it were.
      let isWhole = LineTail.hash(hashed, after: Array(previous.utf8)) == hash
      let what =
        isWhole && event.sequence != sequence
        ? "line \(event.sequence) stands in its place" : "its hash is wrong"
      self.altered = (sequence, what)
      return false
    }
    self.state = ChainState(sequence: sequence, hash: hash)
    try self.checkContents(of: event)
    if event.type == "finding" { try self.findings.compare(event) }
    if event.type == "start", self.caseDigest == nil {
      self.caseDigest = event.members["case_sha256"]?.string
    }
    return true
  }

  private mutating func checkContents(of event: LogEvent) throws(EvidenceFailure) {
    guard self.bodyProblem == nil else { return }
    switch event.type {
    case "body", "head", "trailers":
      guard let digest = event.members["sha256"]?.string else { return }
      try self.checkBody(digest, size: event.members["size"]?.unsigned, event.sequence)
    case "message":
      // Of a payload that was cut, `size` is that of the whole.
      guard let digest = event.members["sha256"]?.string else { return }
      let isWhole = event.members["truncated"]?.bool == false
      try self.checkBody(
        digest,
        size: isWhole ? event.members["size"]?.unsigned : nil,
        event.sequence
      )
    case "handshake":
      for digest in event.members["chain"]?.array ?? [] {
        try self.checkBody(digest.string ?? "", size: nil, event.sequence)
      }
    default: return
    }
  }

  private mutating func checkBody(
    _ text: String,
    size: UInt64?,
    _ sequence: UInt64
  ) throws(EvidenceFailure) {
    guard let digest = Hex.decode(text.utf8), digest.count == 32 else {
      self.bodyProblem = (sequence, "body \(text.prefix(64)): not a digest")
      return
    }
    guard self.checkedBodies.insert(DigestKey(digest)).inserted else { return }
    var hasher = SHA256Hasher()
    var count: UInt64 = 0
    do throws(EvidenceFailure) {
      var body = try BodyReader(root: self.root, sha256: text)
      while let part = try body.next() {
        hasher.update(part)
        count += UInt64(part.count)
      }
    } catch {
      guard error.code == .malformed || error.code == .notFound else { throw error }
      let what = error.code == .notFound ? "is missing" : "does not decompress"
      self.bodyProblem = (sequence, "body \(text) \(what)")
      return
    }
    if hasher.finish() != digest || size.map({ $0 != count }) == true {
      self.bodyProblem = (sequence, "body \(text) was altered")
    }
  }

  var outcome: VerificationReport.Outcome {
    if let altered = self.altered { return .altered(at: altered.sequence, what: altered.what) }
    if let problem = self.bodyProblem { return .altered(at: problem.sequence, what: problem.what) }
    if let problem = self.findings.problem {
      return .altered(at: problem.sequence, what: problem.what)
    }
    if !self.isCaseGood { return .altered(at: nil, what: "case.json") }
    if let incomplete = self.incomplete { return .incomplete(from: incomplete) }
    if self.findings.isAhead { return .incomplete(from: self.state.sequence + 1) }
    return .intact
  }

  private var isCaseGood: Bool {
    guard let wanted = self.caseDigest else { return true }
    guard let bytes = try? Folder.read(self.root + "/case.json", limit: 16 << 20) else {
      return false
    }
    return Hex.encode(Digest.sha256.hash(bytes)) == wanted
  }

  var checks: [VerificationReport.Check] {
    let end = "\(self.state.sequence) lines"
    let chain =
      if let altered = self.altered {
        VerificationReport.Check(
          name: "chain",
          isGood: false,
          detail: "\(end) are right; at seq \(altered.sequence): \(altered.what)"
        )
      } else if let incomplete = self.incomplete {
        VerificationReport.Check(
          name: "chain",
          isGood: false,
          detail: "\(end) are right; the line with seq \(incomplete) is cut"
        )
      } else {
        VerificationReport.Check(name: "chain", isGood: true, detail: end)
      }
    let bodies = VerificationReport.Check(
      name: "bodies",
      isGood: self.bodyProblem == nil,
      detail: self.bodyProblem.map { "at seq \($0.sequence): \($0.what)" }
        ?? "\(self.checkedBodies.count) contents"
    )
    let description = VerificationReport.Check(
      name: "case",
      isGood: self.caseDigest.map { _ in self.isCaseGood },
      detail: "case.json is the one that the log began with"
    )
    return [chain, bodies, self.findings.check, description]
  }
}
