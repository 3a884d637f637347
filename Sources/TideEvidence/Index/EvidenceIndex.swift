internal import GRDB
internal import Glibc
internal import TideCore

/// `flows.sqlite`: what the log says, by flow; made from the log and never the only place of anything.
final class EvidenceIndex: Sendable {
  /// Raised whenever a table or the meaning of a column changes: an index of another version is made anew.
  static let version = 4

  static let name = "flows.sqlite"

  /// How many lines a transaction takes in: others read between two, and a kill costs little.
  private static let transactionLines = 512 << 7

  private let queue: DatabaseQueue
  private let root: String
  private let keys: CaseKeys?

  /// Opens a case's index; where the folder cannot be written to, it is kept in memory, and so is that of an encrypted case.
  init(
    root: String,
    keys: CaseKeys?,
    name: String = EvidenceIndex.name
  ) throws(EvidenceFailure) {
    self.root = root
    self.keys = keys
    let path = root + "/" + name
    var queue: DatabaseQueue?
    for _ in 0..<2 where queue == nil && keys == nil {
      do {
        queue = try Self.open(path)
      } catch let error as DatabaseError
        where [.SQLITE_NOTADB, .SQLITE_CORRUPT].contains(error.resultCode)
      {
        for suffix in ["", "-journal", "-wal", "-shm"] { unsafe unlink(path + suffix) }
      } catch {
        break
      }
    }
    do {
      self.queue = try queue ?? Self.open(nil)
    } catch {
      throw EvidenceFailure(.index, detail: "\(path): \(error)")
    }
  }

  private static func open(_ path: String?) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.busyMode = .timeout(30)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA page_size = 8192; PRAGMA cache_size = -65536")
      // What is sorted is not to be put on disk either.
      if path == nil { try db.execute(sql: "PRAGMA temp_store = MEMORY") }
    }
    let queue: DatabaseQueue
    if let path {
      // Made here so that it is for its owner alone; SQLite gives its journal the same mode.
      close(unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
      queue = try DatabaseQueue(path: path, configuration: configuration)
    } else {
      queue = try DatabaseQueue(configuration: configuration)
    }
    // Another command may be busy with it: nothing is written unless there is something to write.
    func isOfThisVersion(_ db: Database) throws -> Bool {
      try Int.fetchOne(db, sql: "PRAGMA user_version") == self.version
    }
    guard try !queue.read(isOfThisVersion) else { return queue }
    try queue.write { db in
      if try !isOfThisVersion(db) { try IndexTables.make(db) }
    }
    return queue
  }

  /// Takes in what the log has gained; makes the index anew if the log is not the one it was made from, or if it
  /// has words of contents that were removed since.
  func update() throws(EvidenceFailure) {
    let log = try LogReader(root: self.root, keys: self.keys)
    let last = log.segments.last ?? 1
    let length = Folder.size(of: LogReader.path(of: last, in: self.root)) ?? 0
    var end = LogPosition(segment: last, offset: length)
    var isRemade = false
    var checkpoint = try self.read { try Checkpoint.read($0) }
    guard checkpoint.next != end || checkpoint.isStale else { return }
    while true {
      do {
        guard try self.take(from: log, end: end) else { continue }
        checkpoint = try self.read { try Checkpoint.read($0) }
        guard checkpoint.isStale, !isRemade else { return }
        isRemade = true
        end = checkpoint.next
      } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
        // Another command makes it: as long as it gets on, that is as good.
        let now = try self.read { try Checkpoint.read($0) }
        guard now.next != checkpoint.next else { throw self.failure(error) }
        checkpoint = now
      } catch let failure as EvidenceFailure {
        throw failure
      } catch {
        throw self.failure(error)
      }
    }
  }

  /// Takes in lines of the log for one transaction; true if there are no more.
  private func take(from log: LogReader, end: LogPosition) throws -> Bool {
    // As the lock is taken at once, nobody else takes in the same lines.
    try self.queue.writeWithoutTransaction { db in
      var isDone = false
      try db.inTransaction(.immediate) {
        var checkpoint = try Checkpoint.read(db)
        if try checkpoint.isStale || !checkpoint.fits(log) {
          try IndexTables.make(db)
          checkpoint = Checkpoint()
        }
        if checkpoint.last == nil { checkpoint.made = end }
        isDone = try self.take(from: log, after: checkpoint, db)
        return .commit
      }
      return isDone
    }
  }

  private func take(
    from log: LogReader,
    after checkpoint: Checkpoint,
    _ db: Database
  ) throws -> Bool {
    var builder = IndexBuilder(root: self.root, log: log, checkpoint: checkpoint)
    let pump = LinePump(log, from: checkpoint.next)
    defer { pump.stop() }
    var count = 0
    while count < Self.transactionLines, let batch = try pump.next() {
      for (line, content) in batch { try builder.take(line, content, db) }
      count += batch.count
    }
    try builder.finish(db)
    return count < Self.transactionLines
  }

  func read<Value>(_ body: (Database) throws -> Value) throws(EvidenceFailure) -> Value {
    try self.access { try $0.read(body) }
  }

  private func access<Value>(
    _ body: (DatabaseQueue) throws -> Value
  ) throws(EvidenceFailure) -> Value {
    do {
      return try body(self.queue)
    } catch let failure as EvidenceFailure {
      throw failure
    } catch {
      throw self.failure(error)
    }
  }

  private func failure(_ error: any Error) -> EvidenceFailure {
    EvidenceFailure(.index, detail: "\(self.root)/\(Self.name): \(error)")
  }
}

/// How far an index has come.
struct Checkpoint {
  /// Where the next line begins.
  var next = LogPosition(segment: 1, offset: 0)
  /// Where the last line taken begins, and its tail; nil before the first.
  var last: (position: LogPosition, hash: String)?
  /// Where the log ended when the index was begun: of what `purged` lines before list, nothing was there to be read.
  var made = LogPosition(segment: 1, offset: 0)
  /// Whether a later line says that contents were removed, of which the index may have words.
  var isStale = false

  /// Whether the last line taken is still where it was: if not, the log is another one.
  func fits(_ log: LogReader) throws(EvidenceFailure) -> Bool {
    guard let last = self.last else { return true }
    guard log.segments.contains(last.position.segment),
      let line = try log.line(at: last.position), line.isWhole
    else { return false }
    return LineTail.split(line.bytes).map { Array(last.hash.utf8) == $0.hash } ?? false
  }

  static func read(_ db: Database) throws -> Checkpoint {
    guard let row = try Row.fetchOne(db, sql: "SELECT * FROM checkpoint") else {
      return Checkpoint()
    }
    return Checkpoint(
      next: LogPosition(segment: row["segment"], offset: UInt64(row["offset"] as Int64)),
      last: (
        LogPosition(segment: row["last_segment"], offset: UInt64(row["last_offset"] as Int64)),
        row["hash"]
      ),
      made: LogPosition(
        segment: row["made_segment"],
        offset: UInt64(row["made_offset"] as Int64)
      ),
      isStale: row["stale"]
    )
  }

  func write(_ db: Database) throws {
    guard let last = self.last else { return }
    try db.execute(sql: "DELETE FROM checkpoint")
    try db.execute(
      sql: "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      arguments: [
        self.next.segment, Int64(self.next.offset), last.position.segment,
        Int64(last.position.offset), last.hash, self.made.segment, Int64(self.made.offset),
        self.isStale,
      ]
    )
  }
}
