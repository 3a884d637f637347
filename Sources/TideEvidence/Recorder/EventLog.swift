internal import Dispatch
internal import Synchronization
internal import TideCore

/// Appends lines to the segments of a log and to findings.ndjson; confined to the writer's thread.
struct EventLog: ~Copyable {
  /// The line being written, after those that wait to be flushed.
  var json = JSONWriter()
  /// Lines for findings.ndjson, which follow those of the log that they repeat.
  var findings = JSONWriter()
  /// The numbers for the next flow and connection, and the findings so far: a segment begins with them.
  var counters: LogTail

  private let root: String
  private let access: StorageAccess
  private let settings: RecorderSettings
  private var chain: HashChain
  private var segment: Int
  private var length: UInt64
  private var file: any StoredFile
  private var findingsFile: any StoredFile
  private var synced = ContinuousClock.now
  private var isDirty = false
  private var newBodies: [String] = []
  /// Those of the sync under way.
  private var syncingBodies: [String] = []
  private let syncing = BackgroundSync()

  init(
    root: String,
    tail: LogTail,
    access: StorageAccess,
    settings: RecorderSettings
  ) throws(Abandoned) {
    let file = try access.open(LogReader.path(of: tail.segment, in: root))
    let findingsFile = try access.open(root + "/" + FindingsFile.name)
    self.root = root
    self.access = access
    self.settings = settings
    self.counters = tail
    self.chain = HashChain(continuing: tail.chain)
    self.segment = tail.segment
    self.length = tail.length
    self.file = file
    self.findingsFile = findingsFile
    if tail.segment > 1, tail.length == 0 {
      self.beginSegment()
      self.end()
    }
  }

  /// Where the chain stands.
  var state: ChainState { self.chain.state }

  /// Begins a line; the event's own members are then written to `json`.
  mutating func begin(_ type: String, at time: WallTime) throws(Abandoned) {
    if self.length + UInt64(self.json.bytes.count) >= self.settings.segmentSize {
      try self.rotate()
    } else if self.json.bytes.count >= 256 << 10 {
      try self.flush()
    }
    self.chain.begin(type, at: time, in: &self.json)
  }

  /// Ends the line.
  mutating func end() { self.chain.end(in: &self.json) }

  /// Takes the paths of bodies just stored, so that the next sync covers them.
  ///
  /// More than `Storage.sync` takes one by one need not be told apart, however long a sync lasts.
  mutating func note(bodies paths: [String]) {
    let room = PosixStorage.mostSyncedPaths + 1 - self.newBodies.count
    self.newBodies += paths.prefix(max(0, room))
  }

  /// Hands what is written to the system.
  mutating func flush() throws(Abandoned) {
    guard !self.json.bytes.isEmpty else { return }
    self.isDirty = true
    try self.access.append(self.json.bytes, to: self.file, lineFile: self.length)
    self.length += UInt64(self.json.bytes.count)
    self.json.removeAll()
    guard !self.findings.bytes.isEmpty else { return }
    try self.access.append(self.findings.bytes, to: self.findingsFile)
    self.findings.removeAll()
  }

  /// Makes what was flushed durable if the interval has passed, on another thread; a failure there is
  /// met again, and waited for, here.
  ///
  /// - Parameter wire: the file of wire/ being written, which is synced with the log.
  /// - Throws: if the recorder is closed before it succeeds.
  mutating func syncIfDue(with wire: (any StoredFile)?) throws(Abandoned) {
    if self.syncing.takeFailure() {
      try self.syncNow(with: wire)
      return
    }
    let now = ContinuousClock.now
    let files = [self.file, self.findingsFile] + (wire.map { [$0] } ?? [])
    guard self.isDirty, self.synced.duration(to: now) >= .nanoseconds(self.settings.fsyncInterval),
      self.syncing.begin(self.access.syncOnce(files, self.newBodies))
    else { return }
    self.synced = now
    self.isDirty = false
    self.syncingBodies = self.newBodies
    self.newBodies = []
  }

  /// Makes all that was flushed durable before it returns.
  mutating func syncNow(with wire: (any StoredFile)?) throws(Abandoned) {
    try self.access.sync(self.syncingBodies + self.newBodies)
    try self.access.sync(self.file)
    try self.access.sync(self.findingsFile)
    if let wire { try self.access.sync(wire) }
    self.synced = .now
    self.isDirty = false
    self.newBodies = []
  }

  private mutating func rotate() throws(Abandoned) {
    try self.flush()
    try self.access.sync(self.file)
    self.segment += 1
    self.file = try self.access.open(LogReader.path(of: self.segment, in: self.root))
    self.length = 0
    self.beginSegment()
    self.end()
  }

  private mutating func beginSegment() {
    self.chain.begin("segment", at: .now, in: &self.json)
    self.json.member("number", self.segment)
    self.json.member("next_flow", self.counters.nextFlow)
    self.json.member("next_connection", self.counters.nextConnection)
    self.json.member("findings", self.counters.findings)
  }
}

/// One sync at a time on a thread of its own: a slow disk must not hold the writer up.
private final class BackgroundSync: Sendable {
  private let queue = DispatchQueue(label: "tidewaiter.evidence.sync")
  private let isBusy = Atomic(false)
  private let hasFailed = Atomic(false)

  /// Begins to sync; false if the one before is still under way.
  func begin(_ sync: @escaping @Sendable () -> Bool) -> Bool {
    guard !self.isBusy.exchange(true, ordering: .acquiringAndReleasing) else { return false }
    self.queue.async {
      // After a failure the writer repeats it and says why.
      if !sync() { self.hasFailed.store(true, ordering: .releasing) }
      self.isBusy.store(false, ordering: .releasing)
    }
    return true
  }

  func takeFailure() -> Bool { self.hasFailed.exchange(false, ordering: .acquiringAndReleasing) }
}
