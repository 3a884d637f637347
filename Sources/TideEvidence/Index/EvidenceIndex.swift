internal import GRDB
internal import Glibc
internal import TideCore

/// `flows.sqlite`: what the log says, by flow; made from the log and never the only place of anything.
final class EvidenceIndex: Sendable {
  /// Raised whenever a table or the meaning of a column changes: an index of another version is made anew.
  static let version = 2

  private let queue: DatabaseQueue
  private let root: String

  /// Opens a case's index; where the folder cannot be written to, it is kept in memory.
  init(root: String) throws(EvidenceFailure) {
    self.root = root
    let path = root + "/flows.sqlite"
    var queue: DatabaseQueue?
    for _ in 0..<2 where queue == nil {
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
    configuration.busyMode = .timeout(10)
    let queue: DatabaseQueue
    if let path {
      // Made here so that it is for its owner alone; SQLite gives its journal the same mode.
      close(unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
      queue = try DatabaseQueue(path: path, configuration: configuration)
    } else {
      queue = try DatabaseQueue(configuration: configuration)
    }
    try queue.write { db in
      let version = try Int.fetchOne(db, sql: "PRAGMA user_version")
      if version != self.version { try IndexTables.make(db) }
    }
    return queue
  }

  /// Takes in what the log has gained; makes the index anew if the log is not the one it was made from.
  func update() throws(EvidenceFailure) {
    let log = try LogReader(root: self.root)
    let last = log.segments.last ?? 1
    let length = Folder.size(of: LogReader.path(of: last, in: self.root)) ?? 0
    let isCurrent = try self.read { db in
      try Checkpoint.read(db).next == LogPosition(segment: last, offset: length)
    }
    guard !isCurrent else { return }
    try self.access { queue in
      try queue.write { db in
        var checkpoint = try Checkpoint.read(db)
        if try !checkpoint.fits(log) {
          try IndexTables.make(db)
          checkpoint = Checkpoint()
        }
        var builder = IndexBuilder(db: db, checkpoint: checkpoint)
        try log.forEachLine(from: checkpoint.next) { line throws(EvidenceFailure) in
          guard line.isWhole else { return false }
          do {
            try builder.take(line, root: self.root)
          } catch let failure as EvidenceFailure {
            throw failure
          } catch {
            throw EvidenceFailure(.index, detail: "flows.sqlite: \(error)")
          }
          return true
        }
        try builder.finish()
      }
    }
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
      throw EvidenceFailure(.index, detail: "\(self.root)/flows.sqlite: \(error)")
    }
  }
}

/// How far an index has come.
struct Checkpoint {
  /// Where the next line begins.
  var next = LogPosition(segment: 1, offset: 0)
  /// Where the last line taken begins, and its tail; nil before the first.
  var last: (position: LogPosition, hash: String)?

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
      )
    )
  }

  func write(_ db: Database) throws {
    guard let last = self.last else { return }
    try db.execute(sql: "DELETE FROM checkpoint")
    try db.execute(
      sql: "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?)",
      arguments: [
        self.next.segment, Int64(self.next.offset), last.position.segment,
        Int64(last.position.offset), last.hash,
      ]
    )
  }
}

/// The tables of an index.
enum IndexTables {
  /// Makes empty tables, whatever was there before.
  static func make(_ db: Database) throws {
    for table in ["checkpoint", "flow", "finding", "entry", "line", "coverage"] {
      try db.execute(sql: "DROP TABLE IF EXISTS \(table)")
    }
    try db.execute(
      sql: """
        CREATE TABLE checkpoint (
          segment INTEGER NOT NULL, offset INTEGER NOT NULL,
          last_segment INTEGER NOT NULL, last_offset INTEGER NOT NULL, hash TEXT NOT NULL);
        CREATE TABLE flow (
          flow INTEGER PRIMARY KEY, connection INTEGER NOT NULL, device TEXT, client TEXT,
          started TEXT NOT NULL, ended TEXT, method TEXT, url TEXT, host TEXT, sni TEXT,
          port INTEGER, protocol TEXT, address TEXT, candidates TEXT, region TEXT, regions TEXT,
          asns TEXT, treatment TEXT, status INTEGER, request_bytes INTEGER, response_bytes INTEGER,
          findings TEXT, decided TEXT, applied TEXT, rule TEXT, exposure INTEGER, error TEXT,
          request_type TEXT, response_type TEXT, lines TEXT);
        CREATE TABLE finding (seq INTEGER PRIMARY KEY, flow INTEGER NOT NULL, line TEXT NOT NULL);
        CREATE INDEX finding_flow ON finding (flow);
        CREATE TABLE entry (
          seq INTEGER PRIMARY KEY, type TEXT NOT NULL, connection INTEGER,
          segment INTEGER NOT NULL, offset INTEGER NOT NULL);
        CREATE TABLE line (
          seq INTEGER PRIMARY KEY, flow INTEGER NOT NULL, type TEXT NOT NULL,
          segment INTEGER NOT NULL, offset INTEGER NOT NULL);
        CREATE INDEX line_flow ON line (flow, type, seq);
        CREATE TABLE coverage (
          kind TEXT PRIMARY KEY, count INTEGER NOT NULL, example TEXT NOT NULL);
        CREATE INDEX entry_connection ON entry (connection) WHERE connection IS NOT NULL;
        PRAGMA user_version = \(EvidenceIndex.version);
        """
    )
  }
}
