internal import GRDB
public import TideCore

/// One line of a log as recorded.
public struct LogRecord: Sendable {
  /// Its number.
  public let sequence: UInt64
  /// When, RFC 3339.
  public let time: String
  /// What happened: one of the types of docs/evidence-format.md.
  public let type: String
  /// The whole line, a JSON object.
  public let json: [UInt8]

  init(_ event: LogEvent) {
    self.sequence = event.sequence
    self.time = event.time
    self.type = event.type
    self.json = event.line.bytes.array
  }
}

extension CaseReader {
  /// Calls `body` with each line of a type that is about no flow and no connection, such as `mark`, in
  /// order, until it returns false.
  ///
  /// - Throws: `index`, `malformed`, or what the file system says.
  public func forEachEntry(
    ofType type: String,
    _ body: (LogRecord) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.forEachLine(
      of: "entry",
      where: "type = ?",
      [type]
    ) { event throws(EvidenceFailure) in try body(LogRecord(event)) }
  }

  /// Calls `body` with each line of the log that rows of a table name, in order, until it returns false.
  ///
  /// A page at a time, so that `body` may take its time without holding the index.
  ///
  /// - Parameters:
  ///   - table: has the columns `seq`, `segment` and `offset`.
  ///   - condition: in SQL, which rows.
  ///   - arguments: those of the condition.
  ///   - body: takes a line; it may ask this reader for more.
  /// - Throws: `index`, `malformed`, or what the file system says.
  func forEachLine(
    of table: String,
    where condition: String,
    _ arguments: StatementArguments,
    _ body: (LogEvent) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.index.update()
    let sql = """
      SELECT seq, segment, offset FROM \(table) WHERE \(condition) AND seq > ? ORDER BY seq LIMIT 500
      """
    var last: Int64 = 0
    while true {
      let bound = last
      let page = try self.index.read { db in
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments + [bound])
          .map { row in (row["seq"] as Int64, LogPosition(row)) }
      }
      guard let end = page.last else { return }
      for (_, position) in page {
        guard let line = try self.log.line(at: position) else { continue }
        guard try body(try LogEvent(line, in: self.path)) else { return }
      }
      last = end.0
    }
  }

  /// The last line of a type that is about no flow and no connection; nil if there is none.
  public func lastEntry(ofType type: String) throws(EvidenceFailure) -> LogRecord? {
    try self.index.update()
    let position = try self.index.read { db in
      try Row.fetchOne(
        db,
        sql: "SELECT segment, offset FROM entry WHERE type = ? ORDER BY seq DESC LIMIT 1",
        arguments: [type]
      ).map { LogPosition($0) }
    }
    guard let position, let line = try self.log.line(at: position) else { return nil }
    return LogRecord(try LogEvent(line, in: self.path))
  }

  /// The lines about a flow's messages: their heads, contents and trailers.
  public func messageLines(of flow: FlowRecord) throws(EvidenceFailure) -> [LogRecord] {
    var records: [LogRecord] = []
    for position in flow.lines {
      guard let line = try self.log.line(at: position) else { continue }
      records.append(LogRecord(try LogEvent(line, in: self.path)))
    }
    return records
  }

  /// How many flows have notes.
  public func countOfNotedFlows() throws(EvidenceFailure) -> Int {
    try self.index.update()
    return try self.index.read { db in
      let sql = "SELECT COUNT(DISTINCT flow) FROM flow_line WHERE type = 'note'"
      return try Int.fetchOne(db, sql: sql) ?? 0
    }
  }

  /// The first WebSocket message of a flow that was recorded, as it came, after a line of the log.
  public func socketMessage(
    of flow: FlowID,
    _ direction: Direction,
    after sequence: UInt64
  ) throws(EvidenceFailure) -> (line: LogRecord, message: SocketMessageRecord)? {
    try self.index.update()
    let positions = try self.index.read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT segment, offset FROM flow_line
          WHERE flow = ? AND type = 'message' AND seq > ? ORDER BY seq LIMIT 50
          """,
        arguments: [Int64(clamping: flow.number), Int64(clamping: sequence)]
      ).map { LogPosition($0) }
    }
    for position in positions {
      guard let line = try self.log.line(at: position) else { continue }
      let event = try LogEvent(line, in: self.path)
      guard let message = SocketMessageRecord(event), message.direction == direction,
        message.stage == .original
      else { continue }
      return (LogRecord(event), message)
    }
    return nil
  }
}

extension WallTime {
  /// Reads a time as the log has it; nil if it is none.
  public init?(recorded text: String) { self.init(rfc3339: text) }
}
