internal import TideCore
internal import TideCrypto

/// Follows the log from its first line to its last, and takes what each line says.
struct LogVerification: ~Copyable {
  private let root: String
  private let disclosure: Disclosure
  private let log: LogReader
  private let isSealed: Bool
  private let progress: VerificationProgress?
  private let total: UInt64
  private(set) var chain = ChainState.start
  /// Where the log was altered; reading ends there.
  private(set) var altered: (sequence: UInt64, what: String)?
  /// Where the log ends in what is no line of it, as a crash leaves it.
  private(set) var cut: UInt64?
  private(set) var heads = HeadVerification()
  private(set) var contents: ContentVerification
  private(set) var findings: FindingsComparison
  private(set) var wire = WireClaims()
  private(set) var caseDigest: String?
  private(set) var lastStart: UInt64 = 0
  /// Whether the last line says that the case is sealed.
  private(set) var endsWithSeal = false
  private var hasBroken = false
  private var bytesDone: UInt64 = 0
  private var hasher = SHA256Hasher()

  init(
    root: String,
    disclosure: Disclosure,
    isSealed: Bool,
    removed: Set<DigestKey>,
    progress: VerificationProgress?
  ) throws(EvidenceFailure) {
    let log = try LogReader(root: root, keys: disclosure.keys)
    let findings = try FindingsComparison(root: root, isEncrypted: disclosure.isEncrypted)
    self.contents = ContentVerification(root: root, keys: disclosure.keys, removed: removed)
    self.disclosure = disclosure
    self.findings = findings
    self.root = root
    self.log = log
    self.isSealed = isSealed
    self.progress = progress
    self.total = log.segments.reduce(0) {
      $0 + (Folder.size(of: LogReader.path(of: $1, in: root)) ?? 0)
    }
  }

  /// Where the log stands after its last right line.
  var state: LogState { LogState(chain: self.chain, tree: self.heads.tree) }

  /// Reads it all.
  ///
  /// - Parameter sealer: the fingerprint of who sealed the case; nil if it is not sealed.
  /// - Throws: what the file system says.
  mutating func run(sealer: String?) throws(EvidenceFailure) {
    var expected = 1
    for segment in self.log.segments where self.altered == nil {
      guard segment == expected else {
        let path = LogReader.relativePath(of: expected)
        self.altered = (self.chain.sequence + 1, "\(path) is missing")
        break
      }
      expected += 1
      do throws(EvidenceFailure) {
        _ = try self.log.forEachLine(
          of: LogPosition(segment: segment, offset: 0)
        ) { line throws(EvidenceFailure) in
          try self.take(line)
          return self.altered == nil
        }
      } catch {
        // More bytes without a newline than any line has: as zeros after a power failure are.
        guard error.code == .malformed else { throw error }
        self.breakChain(in: segment, "the line is not an event")
      }
    }
    if self.altered == nil, let problem = self.heads.problemAtEnd(sealer: sealer) {
      self.altered = (problem.at, problem.what)
    }
    try self.findings.finish()
    self.progress?.end(bytesRead: self.bytesDone + self.contents.bytesRead)
  }

  private mutating func take(_ line: LogLine) throws(EvidenceFailure) {
    guard !self.hasBroken else { return self.takeAfterBreak(line) }
    let sequence = self.chain.sequence + 1
    guard line.isWhole else {
      return self.breakChain(in: line.position.segment, "the line does not end", isTorn: true)
    }
    guard let face = LineFace(line.stored) else {
      return self.breakChain(in: line.position.segment, "the line is not an event")
    }
    guard face.sequence == sequence, face.previous.elementsEqual(self.chain.hash),
      face.follows(self.chain.hash, &self.hasher)
    else {
      // A line that is right by itself but not here was moved, or others around it were.
      let isMoved = face.sequence != sequence && face.isRightByItself(&self.hasher)
      self.breakChain(
        in: line.position.segment,
        isMoved ? "line \(face.sequence) stands in its place" : "its hash is wrong"
      )
      return self.takeAfterBreak(line)
    }
    self.chain = ChainState(sequence: sequence, hash: face.hash)
    self.endsWithSeal = face.type == "sealed"
    if line.position.offset == 0, line.position.segment > 1, face.type != "segment" {
      self.altered = (sequence, "the segment does not begin with its line")
      return
    }
    guard !line.bytes.isEmpty else {
      self.altered = (sequence, "what is encrypted in it is not as it was written")
      return
    }
    if self.isTelling(face, line.bytes) {
      guard let event = LogEvent(line) else {
        self.altered = (sequence, "the line is not an event")
        return
      }
      try self.take(event)
    }
    self.heads.append(line.stored, &self.hasher)
    self.bytesDone += UInt64(line.stored.count) + 1
    self.progress?.advance(
      "log",
      count: sequence,
      done: self.bytesDone,
      of: self.total,
      bytesRead: self.bytesDone + self.contents.bytesRead
    )
  }

  private mutating func take(_ event: LogEvent) throws(EvidenceFailure) {
    if let problem = self.heads.check(event, &self.hasher) {
      self.altered = (problem.at, problem.what)
      return
    }
    try self.contents.take(event)
    self.wire.take(event, covered: self.heads.covered)
    switch event.type {
    case "finding": try self.findings.compare(event)
    case "start":
      self.lastStart = event.sequence
      self.caseDigest = self.caseDigest ?? event.members["case_sha256"]?.string
    default: return
    }
  }

  /// Whether anything that a line says is to be checked: of most their hash is enough.
  private func isTelling(_ face: LineFace, _ line: Bytes) -> Bool {
    switch face.type {
    case "head", "trailers":
      // Nearly all of them have the bytes in the line.
      let start = line.count - LineTail.length - 76
      return start > 0 && line.slice(start..<start + 11).elementsEqual(Self.digestMember)
    case "start", "segment", "tree-head", "wire", "wire-recovered", "recovered", "purged",
      "finding", "body",
      "message", "handshake":
      return true
    default: return false
    }
  }

  private static let digestMember = Array(",\"sha256\":\"".utf8)

  /// Takes note of where the chain fails.
  private mutating func breakChain(in segment: Int, _ what: String, isTorn: Bool = false) {
    guard !self.hasBroken else { return }
    self.hasBroken = true
    let sequence = self.chain.sequence + 1
    // A crash harms the last segment alone: before one is begun, the one before is made durable.
    if segment == self.log.segments.last, !self.isSealed || isTorn {
      self.cut = sequence
    } else {
      self.altered = (sequence, what)
    }
  }

  /// Looks at what follows from nothing: a tree head, right by itself, is proof of lines before it.
  private mutating func takeAfterBreak(_ line: LogLine) {
    guard let cut = self.cut, line.isWhole, let face = LineFace(line.stored),
      face.type == "tree-head", face.isRightByItself(&self.hasher),
      let size = LogEvent(line)?.members["size"]?.unsigned, size >= cut
    else { return }
    self.cut = nil
    self.altered = (cut, "its hash is wrong")
  }

  /// The lines of the report.
  var checks: [VerificationReport.Check] {
    let end = "\(self.chain.sequence) lines"
    let chain =
      if let altered = self.altered {
        VerificationReport.Check(
          name: "chain",
          isGood: false,
          detail: "\(end) are right; at seq \(altered.sequence): \(altered.what)"
        )
      } else if let cut = self.cut {
        VerificationReport.Check(
          name: "chain",
          isGood: false,
          detail: "\(end) are right; the line with seq \(cut) is cut"
        )
      } else {
        VerificationReport.Check(name: "chain", isGood: true, detail: end)
      }
    let signer = (self.heads.signers.last ?? nil).map { "signed by the key with SHA-256 \($0)" }
    let heads = VerificationReport.Check(
      name: "heads",
      isGood: self.altered == nil ? (self.heads.count > 0 ? true : nil) : false,
      detail: "\(self.heads.count) tree heads, \(signer ?? "not signed"); the last covers "
        + "\(self.heads.covered) lines"
    )
    return [chain, heads]
  }
}
