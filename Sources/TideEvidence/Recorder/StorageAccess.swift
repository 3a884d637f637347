internal import Dispatch
internal import Synchronization
internal import TideCore

/// The recorder was closed while nothing could be written.
struct Abandoned: Error {}

/// A time in which nothing could be written.
struct WriteGap: Sendable {
  let since: WallTime
  let until: WallTime
  let cause: String
}

/// What the writer's thread and its owner both look at.
final class RecorderHealth: Sendable {
  let statistics = Mutex(RecorderStatistics())
  let isClosing = Atomic(false)
  /// Signalled at closing, so that a writer that waits to try again does so at once.
  let closing = DispatchSemaphore(value: 0)
  let failure: Mutex<EvidenceFailure?> = Mutex(nil)
}

/// Writes that are tried again until they succeed: whoever calls here never sees a full disk, only time.
///
/// Confined to the writer's thread. An operation that fails is repeated each second from where it stood,
/// so nothing that was taken is lost and no line is written twice.
final class StorageAccess {
  private let storage: any Storage
  private let ring: EvidenceRing
  private let health: RecorderHealth
  private let settings: RecorderSettings
  private let log: @Sendable (String) -> Void
  /// The size of the case, its index apart.
  private(set) var used: UInt64
  /// Whether `maxSize` may be exceeded for the moment, because room is about to be made.
  var mayExceed = false
  /// Bytes written since the start.
  private(set) var written: UInt64 = 0
  private var failingSince: WallTime?
  private var gap: WriteGap?

  init(
    storage: any Storage,
    ring: EvidenceRing,
    health: RecorderHealth,
    settings: RecorderSettings,
    used: UInt64,
    log: @escaping @Sendable (String) -> Void
  ) {
    self.storage = storage
    self.ring = ring
    self.health = health
    self.settings = settings
    self.used = used
    self.log = log
  }

  /// The gap that has just ended, once.
  func takeGap() -> WriteGap? {
    defer { self.gap = nil }
    return self.gap
  }

  func open(_ path: String) throws(Abandoned) -> any StoredFile {
    try self.persist { () throws(EvidenceFailure) in try self.storage.append(to: path) }
  }

  func append(_ bytes: [UInt8], to path: String) throws(Abandoned) {
    try self.append(bytes, to: try self.open(path))
  }

  /// Writes all of `bytes`; if it is abandoned, cuts the file back to the last whole line of them.
  ///
  /// - Parameters:
  ///   - bytes: what to write.
  ///   - file: where to.
  ///   - length: the length of the file before, if it is one of lines.
  /// - Throws: if the recorder is closed before it succeeds.
  func append(
    _ bytes: [UInt8],
    to file: any StoredFile,
    lineFile length: UInt64? = nil
  ) throws(Abandoned) {
    var written = 0
    do throws(Abandoned) {
      try self.persist { () throws(EvidenceFailure) in
        try self.checkRoom(for: bytes.count - written)
        while written < bytes.count {
          let count = try file.write(bytes, from: written)
          written += count
          self.used += UInt64(count)
          self.written += UInt64(count)
        }
      }
    } catch {
      if let length {
        let whole = bytes[..<written].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        // A second failure leaves a torn line, which opening the case again cuts.
        try? file.truncate(to: length + UInt64(whole))
      }
      throw error
    }
  }

  func rename(_ path: String, to final: String) throws(Abandoned) {
    try self.persist { () throws(EvidenceFailure) in try self.storage.rename(path, to: final) }
  }

  func makeFolder(_ path: String) throws(Abandoned) {
    try self.persist { () throws(EvidenceFailure) in try self.storage.makeFolder(path) }
  }

  /// Removes a file, which then no longer counts towards the case's size.
  func remove(_ path: String) throws(Abandoned) {
    let size = Folder.size(of: path) ?? 0
    try self.persist { () throws(EvidenceFailure) in try self.storage.remove(path) }
    self.used -= min(self.used, size)
  }

  /// Tells the operator.
  func say(_ text: String) { self.log(text) }

  /// Tells the operator what kept the writer, if it did so for long.
  func say(ifLongSince start: ContinuousClock.Instant, _ what: String) {
    let wait = start.duration(to: .now)
    guard wait >= .nanoseconds(self.settings.longWait) else { return }
    let seconds = Double(wait.components.seconds) + Double(wait.components.attoseconds) / 1e18
    self.say(
      "evidence waited \((seconds * 10).rounded() / 10) s for \(what); traffic may have waited for evidence"
    )
  }

  func exists(_ path: String) -> Bool { self.storage.exists(path) }

  /// Whether a content is in bodies/, whole and as its digest says.
  func holds(_ digest: String, in root: String, _ keys: CaseKeys?) throws(Abandoned) -> Bool {
    try self.persist { () throws(EvidenceFailure) in try BodyLayout.holds(digest, in: root, keys) }
  }

  /// Reads the first bytes of a file.
  func forEachPiece(
    of path: String,
    count: UInt64,
    _ body: (Bytes) -> Void
  ) throws(Abandoned) {
    var rest = count
    try self.persist { () throws(EvidenceFailure) in
      var file = try FileReader(path: path, from: count - rest)
      while rest > 0, let piece = try file.next() {
        let part = Int(clamping: min(rest, UInt64(piece.count)))
        body(piece.slice(0..<part))
        rest -= UInt64(part)
      }
    }
  }

  /// Cuts a file.
  func truncate(_ file: any StoredFile, to count: UInt64) throws(Abandoned) {
    try self.persist { () throws(EvidenceFailure) in try file.truncate(to: count) }
  }

  /// Makes what was written durable, on this thread.
  func sync(_ file: any StoredFile) throws(Abandoned) {
    try self.persist { () throws(EvidenceFailure) in try file.sync() }
  }

  func sync(_ paths: [String]) throws(Abandoned) {
    try self.persist { () throws(EvidenceFailure) in try self.storage.sync(paths) }
  }

  /// Syncs elsewhere: on a thread where waiting does no harm, and without trying again.
  func syncOnce(_ files: [any StoredFile], _ paths: [String]) -> @Sendable () -> Bool {
    let storage = self.storage
    return {
      do throws(EvidenceFailure) {
        // Bodies before the lines that name them.
        try storage.sync(paths)
        for file in files { try file.sync() }
        return true
      } catch {
        return false
      }
    }
  }

  /// Refuses what would take the case above `maxSize`, unless it is closing: what was taken in until then is a
  /// ring's worth at most, and a case that ends with it can be sealed.
  private func checkRoom(for count: Int) throws(EvidenceFailure) {
    guard !self.mayExceed, let maxSize = self.settings.maxSize,
      self.used + UInt64(count) > maxSize,
      !self.health.isClosing.load(ordering: .acquiring)
    else { return }
    throw EvidenceFailure(
      .full,
      detail: "the case has reached case.max_size (\(maxSize) bytes); raise it or start a new case"
    )
  }

  private func persist<R>(
    _ operation: () throws(EvidenceFailure) -> R
  ) throws(Abandoned) -> R {
    while true {
      // Asked before the attempt, so that one is made after closing: room may just have been made.
      let isLastTry = self.health.isClosing.load(ordering: .acquiring)
      let start = ContinuousClock.now
      do throws(EvidenceFailure) {
        let result = try operation()
        self.say(ifLongSince: start, "the disk")
        if self.failingSince != nil { self.succeeded() }
        return result
      } catch {
        self.failed(error)
        if isLastTry { throw Abandoned() }
        _ = self.health.closing.wait(timeout: .now() + .milliseconds(self.settings.retryInterval))
      }
    }
  }

  private func failed(_ failure: EvidenceFailure) {
    guard self.failingSince == nil else { return }
    self.failingSince = self.settings.clock.now
    self.health.failure.withLock { $0 = failure }
    self.health.statistics.withLock { $0.failing = failure.detail }
    self.ring.setFailing(true)
    let effect =
      self.settings.isRequired
      ? "traffic waits (evidence: required)"
      : "traffic goes on and evidence is dropped and counted (evidence: best-effort)"
    self.log(
      "evidence is not written: \(failure.detail); \(effect); tried again until it succeeds"
    )
  }

  private func succeeded() {
    guard let since = self.failingSince else { return }
    self.failingSince = nil
    let cause = self.health.failure.withLock { failure in
      defer { failure = nil }
      return failure?.detail ?? ""
    }
    self.gap = WriteGap(since: since, until: self.settings.clock.now, cause: cause)
    self.health.statistics.withLock { $0.failing = nil }
    self.ring.setFailing(false)
    self.log("evidence is written again; the gap is in the log")
  }
}
