internal import TideCore

/// Appends lines to the segments of a log and to findings.ndjson; confined to the writer's thread.
struct EventLog: ~Copyable {
  /// How many paths wait for a sync at most, give or take a batch: some ten megabytes of memory.
  private static let mostNewPaths = 65_536

  /// The line being written, after those that wait to be flushed.
  var json = JSONWriter()
  /// Lines for findings.ndjson, which follow those of the log that they repeat.
  var findings = JSONWriter()
  /// The numbers for the next flow and connection, and the findings so far: a segment begins with them.
  var counters: LogTail

  private let root: String
  private let access: StorageAccess
  private let settings: RecorderSettings
  private let signer: HeadSigner?
  private var chain: HashChain
  private var segment: Int
  private var length: UInt64
  private var file: any StoredFile
  /// Nil in an encrypted case, which has no findings.ndjson.
  private var findingsFile: (any StoredFile)?
  private var synced = ContinuousClock.now
  /// Whether something was flushed since the last sync began.
  private var isDirty = false
  /// The number of the last line that needs no other head: one that a head covers, or that head itself.
  private var covered: UInt64
  private var newPaths: [String]
  /// Those of the sync under way.
  private var syncingPaths: [String] = []
  /// What the sync under way will have made durable.
  private var syncingHead: TreeHead?
  private let syncing = BackgroundSync()

  init(
    root: String,
    keys: CaseKeys?,
    tail: LogTail,
    signer: HeadSigner?,
    access: StorageAccess,
    settings: RecorderSettings
  ) throws(Abandoned) {
    let file = try access.open(LogReader.path(of: tail.segment, in: root))
    let findingsFile = keys == nil ? try access.open(root + "/" + FindingsFile.name) : nil
    // What a crash left after the last right line: it is in bodies/ since the case was opened.
    if tail.tornBytes > 0 { try access.truncate(file, to: tail.length) }
    self.root = root
    self.access = access
    self.settings = settings
    self.signer = signer
    self.counters = tail
    self.chain = HashChain(continuing: tail.state, keys: keys)
    self.segment = tail.segment
    self.length = tail.length
    self.file = file
    self.findingsFile = findingsFile
    self.covered = tail.endsWithHead ? tail.chain.sequence : tail.headSize
    // Both files may be new: their names are to last as well.
    self.newPaths = [root + "/log", root]
    self.newPaths += tail.unsynced.map { root + "/" + $0 }
    if tail.segment > 1, tail.length == 0 {
      self.writeSegment()
    }
  }

  /// Where the log stands, for whoever goes on with it.
  var tail: LogTail {
    var tail = self.counters
    tail.end(at: self.chain.logState, segment: self.segment, length: self.length)
    return tail
  }

  /// The number of the last line.
  var sequence: UInt64 { self.chain.state.sequence }

  /// Whether the segment has reached its size, and the next one is to be begun.
  var isFull: Bool { self.length + UInt64(self.json.bytes.count) >= self.settings.segmentSize }

  /// Begins a line; the event's own members are then written to `json`.
  mutating func begin(_ type: String, at time: WallTime) throws(Abandoned) {
    if self.json.bytes.count >= 256 << 10 { try self.flush() }
    self.chain.begin(type, at: time, in: &self.json)
  }

  /// Ends the line.
  mutating func end() { self.chain.end(in: &self.json) }

  /// Takes the paths of files or folders just made, so that the next sync covers them.
  mutating func note(paths: [String]) { self.newPaths += paths }

  /// Whether so many paths wait for a sync that it must not wait any longer, however slow the disk is.
  var mustSync: Bool { self.newPaths.count >= Self.mostNewPaths }

  /// Hands what is written to the system.
  mutating func flush() throws(Abandoned) {
    guard !self.json.bytes.isEmpty else { return }
    self.isDirty = true
    try self.access.append(self.json.bytes, to: self.file, lineFile: self.length)
    self.length += UInt64(self.json.bytes.count)
    self.json.removeAll()
    guard !self.findings.bytes.isEmpty else { return }
    if let file = self.findingsFile { try self.access.append(self.findings.bytes, to: file) }
    self.findings.removeAll()
  }

  /// Meets the sync under way: writes its tree head if it has succeeded, and does it again here if it failed.
  ///
  /// - Parameter wire: the file of wire/ being written, which is synced with the log.
  /// - Throws: if the recorder is closed before it succeeds.
  mutating func meetSync(with wire: (any StoredFile)?) throws(Abandoned) {
    switch self.syncing.take() {
    case .none: return
    case .some(true):
      if let head = self.syncingHead { try self.write(head) }
    case .some(false):
      // A failure is met again, and waited for, where it can be said.
      try self.syncNow(with: wire)
    }
  }

  /// Whether the interval is over and something waits to be made durable.
  var isSyncDue: Bool {
    self.isDirty && !self.syncing.isUnderWay
      && self.synced.duration(to: .now) >= .nanoseconds(self.settings.fsyncInterval)
  }

  /// Begins to make what was flushed durable, on another thread.
  mutating func beginSync(with wire: (any StoredFile)?) {
    let head = self.hasNews ? self.chain.head() : nil
    guard self.syncing.begin(self.access.syncOnce(self.files(wire), self.newPaths)) else { return }
    self.syncingHead = head
    self.synced = .now
    self.isDirty = false
    self.syncingPaths = self.newPaths
    self.newPaths = []
  }

  /// Makes all that was flushed durable before it returns, and says so in a tree head.
  mutating func syncNow(with wire: (any StoredFile)?) throws(Abandoned) {
    try self.flush()
    let head = self.hasNews ? self.chain.head() : nil
    // Contents before the lines that name them.
    try self.access.sync(self.syncingPaths + self.newPaths)
    for file in self.files(wire) { try self.access.sync(file) }
    self.synced = .now
    self.isDirty = false
    self.syncingPaths = []
    self.newPaths = []
    guard let head else { return }
    try self.write(head)
    try self.flush()
  }

  /// Makes durable what no other line will follow.
  mutating func syncLast(with wire: (any StoredFile)?) throws(Abandoned) {
    try self.syncNow(with: wire)
    try self.access.sync(self.file)
  }

  /// Whether lines other than tree heads follow what the last one covers.
  private var hasNews: Bool { self.chain.state.sequence > self.covered }

  private func files(_ wire: (any StoredFile)?) -> [any StoredFile] {
    [wire, self.file, self.findingsFile].compactMap(\.self)
  }

  /// Writes a head unless a later one was written since its sync began.
  private mutating func write(_ head: TreeHead) throws(Abandoned) {
    self.syncingHead = nil
    guard head.size > self.counters.headSize else { return }
    try self.begin("tree-head", at: self.settings.clock.now)
    head.write(into: &self.json, signer: self.signer)
    self.end()
    let sequence = self.chain.state.sequence
    self.counters.see(head, at: sequence)
    self.covered = head.size + 1 == sequence ? sequence : head.size
  }

  /// Begins the next segment, once all before it is durable, and says so: whoever opens the case again need
  /// look for what a crash took in the last one alone.
  mutating func rotate(with wire: (any StoredFile)?) throws(Abandoned) {
    try self.syncLast(with: wire)
    self.segment += 1
    self.file = try self.access.open(LogReader.path(of: self.segment, in: self.root))
    self.length = 0
    try self.access.sync([self.root + "/log"])
    self.writeSegment()
  }

  private mutating func writeSegment() {
    self.chain.writeSegment(
      self.segment,
      self.counters,
      at: self.settings.clock.now,
      in: &self.json
    )
  }
}
