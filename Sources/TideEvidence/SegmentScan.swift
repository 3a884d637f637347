internal import TideCore
internal import TideCrypto

/// Reads one segment of a log as far as it is right, and notes what its lines rest on.
struct SegmentScan {
  /// Where the log stands after the last line that is right; nil if the segment has none and is not the first.
  private(set) var state: LogState?
  /// What the lines count, and what the last tree head among them covers.
  private(set) var counters = LogTail()
  /// How many bytes are lines that are right.
  private(set) var length: UInt64 = 0
  /// Whether something else follows them.
  private(set) var isBroken = false
  /// How many lines a tree head says there are that stands where nothing follows from anything any more.
  private(set) var claimedLines: UInt64 = 0

  private let root: String
  private let keys: CaseKeys?
  private let segment: Int
  /// Contents that lines name which no tree head covers.
  private var named: [(sequence: UInt64, digest: String)] = []
  /// Contents that are not there though a tree head covers their lines, and the last such line.
  private var missing: [String: UInt64] = [:]
  /// Contents of which a line says that they are gone, and the last such line: those before it may name them.
  private var excused: [String: UInt64] = [:]

  init(_ log: LogReader, segment: Int) throws(EvidenceFailure) {
    self.root = log.root
    self.keys = log.keys
    self.segment = segment
    self.state = segment == 1 ? .start : nil
    var hasher = SHA256Hasher()
    do throws(EvidenceFailure) {
      _ = try log.forEachLine(
        of: LogPosition(segment: segment, offset: 0)
      ) { line throws(EvidenceFailure) in
        self.take(line, &hasher)
        return true
      }
    } catch {
      // More bytes without a newline than any line has: as zeros after a power failure are.
      guard error.code == .malformed else { throw error }
      self.isBroken = true
    }
  }

  /// Refuses to go on from what was altered: that much had outlasted any crash.
  func requireSound(_ state: LogState) throws(EvidenceFailure) {
    let next = state.chain.sequence + 1
    guard self.claimedLines < next else {
      throw self.altered("the line with seq \(next)")
    }
    let gone = self.missing.filter { $0.value > self.excused[$0.key] ?? 0 }
    guard let first = gone.min(by: { $0.value < $1.value }) else { return }
    throw self.altered("the content \(first.key) of the line with seq \(first.value)")
  }

  /// The contents that lines name after the last tree head: those that are there, and those that are missing or
  /// damaged; what is damaged is removed, or it would stand in for the same content when that comes again.
  func sortOpen() throws(EvidenceFailure) -> (kept: [String], lost: [String]) {
    var seen: Set<String> = []
    var kept: [String] = []
    var lost: [String] = []
    for (sequence, digest) in self.named
    where sequence > self.excused[digest] ?? 0 && seen.insert(digest).inserted {
      guard try !BodyLayout.holds(digest, in: self.root, self.keys) else {
        kept.append(digest)
        continue
      }
      if Hex.decode(digest.utf8)?.count == 32 {
        try PosixStorage().remove(self.root + "/" + BodyLayout.relativePath(digest, self.keys))
      }
      lost.append(digest)
    }
    return (kept, lost)
  }

  private func altered(_ what: String) -> EvidenceFailure {
    EvidenceFailure(
      .malformed,
      detail:
        "\(LogReader.path(of: self.segment, in: self.root)): \(what) was altered or removed; "
        + "see `tidewaiter evidence verify`; a case that is altered is not continued"
    )
  }

  private mutating func take(_ line: LogLine, _ hasher: inout SHA256Hasher) {
    guard let event = LogEvent(line) else {
      self.isBroken = true
      return
    }
    guard !self.isBroken, line.isWhole, let next = self.state(after: event, &hasher) else {
      self.isBroken = true
      self.noteClaim(of: event)
      return
    }
    self.state = next
    self.length = line.next.offset
    self.counters.count(event)
    for digest in event.contents { self.named.append((event.sequence, digest)) }
    switch event.type {
    case "tree-head": self.checkNamed()
    case "purged", "recovered":
      let gone = event.members[event.type == "purged" ? "contents" : "lost"]?.array ?? []
      for digest in gone.compactMap(\.string) { self.excused[digest] = event.sequence }
    default: return
    }
  }

  /// Where the log stands after a line; nil if the line does not follow from what is before it.
  private func state(after event: LogEvent, _ hasher: inout SHA256Hasher) -> LogState? {
    guard let (hashed, hash) = LineTail.split(event.line.stored),
      let previous = event.members["prev"]?.string,
      var state = self.state ?? Self.state(before: event, previous),
      event.sequence == state.chain.sequence + 1, Array(previous.utf8) == state.chain.hash,
      LineTail.hash(hashed, after: state.chain.hash) == hash
    else { return nil }
    let leaf = event.line.stored.withSpan { MerkleTree.leaf($0, &hasher) }
    state.tree.append(leaf, &hasher)
    state.chain = ChainState(sequence: event.sequence, hash: hash)
    return state
  }

  /// Where the log stood before a segment's first line, as that line says.
  private static func state(before event: LogEvent, _ previous: String) -> LogState? {
    guard event.type == "segment", event.sequence > 1, event.line.position.offset == 0,
      let subtrees = event.members["tree"]?.array
    else { return nil }
    let peaks = subtrees.compactMap { $0.string.flatMap { Hex.decode($0.utf8) } }
    guard peaks.count == subtrees.count,
      let tree = MerkleTree(size: event.sequence - 1, peaks: peaks)
    else { return nil }
    return LogState(
      chain: ChainState(sequence: event.sequence - 1, hash: Array(previous.utf8)),
      tree: tree
    )
  }

  /// Looks at a line that follows from nothing: a tree head, right by itself, is proof of lines before it.
  private mutating func noteClaim(of event: LogEvent) {
    guard event.type == "tree-head", let (hashed, hash) = LineTail.split(event.line.stored),
      let previous = event.members["prev"]?.string,
      LineTail.hash(hashed, after: Array(previous.utf8)) == hash,
      let size = event.members["size"]?.unsigned
    else { return }
    self.claimedLines = max(self.claimedLines, size)
  }

  private mutating func checkNamed() {
    let size = self.counters.headSize
    for (sequence, digest) in self.named where sequence <= size {
      let isThere =
        Hex.decode(digest.utf8)?.count == 32
        && Folder.size(of: self.root + "/" + BodyLayout.relativePath(digest, self.keys)) != nil
      if !isThere { self.missing[digest] = sequence }
    }
    self.named.removeAll { $0.sequence <= size }
  }
}
