internal import GRDB
internal import TideCore

/// A flow as the index keeps it: what others see of it, and what only the index asks.
struct IndexedFlow {
  var record: FlowRecord
  /// The set of its request's fields; nil before there is a head.
  var requestFields: Int64?
  /// The set of its response's fields.
  var responseFields: Int64?
  /// How many documents of its words there are.
  var texts: Int64 = 0

  static let columns = """
    f.flow, f.place, f.origin, f.protocol, f.method, f.status, f.request_bytes,
    f.response_bytes, f.tags, f.decided, f.applied, f.rule, f.request_type, f.response_type,
    f.request_fields, f.response_fields, d.connection, d.url, d.started, d.ended, d.exposure,
    d.error, d.texts, d.lines
    """

  init(_ record: FlowRecord) { self.record = record }

  static func fetch(
    _ flow: FlowID,
    _ dictionary: inout IndexDictionary,
    _ db: Database
  ) throws -> IndexedFlow? {
    let row = try Row.fetchOne(
      db.cachedStatement(
        sql: "SELECT \(self.columns) FROM flow f JOIN detail d ON d.flow = f.flow WHERE f.flow = ?"
      ),
      arguments: [Int64(clamping: flow.number)]
    )
    return try row.map { try IndexedFlow($0, &dictionary) }
  }

  /// The first flows of a connection.
  static func first(of connection: ConnectionID, _ db: Database) throws -> [IndexedFlow] {
    var dictionary = IndexDictionary(db)
    return try Row.fetchAll(
      db.cachedStatement(
        sql: """
          SELECT \(self.columns) FROM detail d JOIN flow f ON f.flow = d.flow
          WHERE d.connection = ? ORDER BY d.flow LIMIT 16
          """
      ),
      arguments: [Int64(clamping: connection.number)]
    ).map { try IndexedFlow($0, &dictionary) }
  }

  /// Reads a row by the places of its columns: looking names up took longer than all the rest.
  init(_ row: Row, _ dictionary: inout IndexDictionary) throws {
    func number(_ column: Int) -> UInt64? { (row[column] as Int64?).map { UInt64(clamping: $0) } }
    let error = (row[21] as String?).flatMap { JSONValue(Bytes($0)) }?.array.compactMap(\.string)
    var record = FlowRecord(
      flow: FlowID(number(0) ?? 0),
      connection: ConnectionID(number(16) ?? 0),
      place: try dictionary.place(row[1]),
      started: row[18],
      method: try dictionary.word(row[4]),
      url: row[17],
      protocolName: try dictionary.word(row[3])
    )
    record.ended = row[19]
    record.status = (row[5] as Int64?).map { Int($0) }
    record.requestBytes = number(6)
    record.responseBytes = number(7)
    record.tags = FlowRecord.FindingTag.list(try dictionary.word(row[8]))
    record.decided = try dictionary.word(ifAny: row[9])
    record.applied = try dictionary.word(ifAny: row[10])
    record.rule = try dictionary.word(ifAny: row[11])
    record.exposure = number(20)
    if let error, error.count == 3 {
      record.error = FlowRecord.Failure(code: error[0], origin: error[1], detail: error[2])
    }
    record.requestType = try dictionary.word(row[12])
    record.responseType = try dictionary.word(row[13])
    record.lines = (row[23] as String).split(separator: " ").compactMap { word in
      let parts = word.split(separator: ":")
      guard parts.count == 2, let segment = Int(parts[0]), let offset = UInt64(parts[1]) else {
        return nil
      }
      return LogPosition(segment: segment, offset: offset)
    }
    self.record = record
    self.requestFields = row[14]
    self.responseFields = row[15]
    self.texts = row[22]
  }

  func store(_ words: inout IndexWords, _ db: Database) throws {
    let record = self.record
    let flow = Int64(clamping: record.flow.number)
    let started = WallTime(rfc3339: record.started).map { $0.nanoseconds / 1_000 } ?? 0
    try db.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO flow VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).run([
      flow, try words.id(of: FlowPlace(record), db), try words.id(.origin, record.origin, db),
      started, try words.id(.protocolName, record.protocolName, db),
      try words.id(.method, record.method, db), record.status,
      record.requestBytes.map { Int64(clamping: $0) },
      record.responseBytes.map { Int64(clamping: $0) },
      try words.id(.tags, FlowRecord.FindingTag.text(record.tags), db),
      try words.id(.action, ifAny: record.decided, db),
      try words.id(.action, ifAny: record.applied, db),
      try words.id(.rule, ifAny: record.rule, db), try words.id(.type, record.requestType, db),
      try words.id(.type, record.responseType, db), self.requestFields, self.responseFields,
      record.urlPath,
    ])
    try db.cachedStatement(
      sql: "INSERT OR REPLACE INTO detail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ).run([
      flow, Int64(clamping: record.connection.number), record.url, record.started, record.ended,
      record.exposure.map { Int64(clamping: $0) }, record.error.map(Self.text), self.texts,
      record.lines.map { "\($0.segment):\($0.offset)" }.joined(separator: " "),
    ])
  }

  private static func text(_ failure: FlowRecord.Failure) -> String {
    var json = JSONWriter()
    json.beginArray()
    json.value(failure.code)
    json.value(failure.origin)
    json.value(failure.detail)
    json.endArray()
    return String(decoding: json.bytes, as: UTF8.self)
  }
}

extension Statement {
  /// Executes with as many values as there are marks, which is not counted again.
  func run(_ values: [(any DatabaseValueConvertible)?]) throws {
    self.setUncheckedArguments(StatementArguments(values))
    try self.execute()
  }
}

extension FlowRecord.FindingTag {
  static func text(_ tags: [Self]) -> String {
    tags.map { "\($0.kind):\($0.certainty):\($0.direction):\($0.count)" }.joined(separator: " ")
  }

  static func list(_ text: String) -> [Self] {
    text.split(separator: " ").map { word in
      let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      return FlowRecord.FindingTag(
        kind: parts.first ?? "",
        certainty: parts.dropFirst().first ?? "",
        direction: parts.dropFirst(2).first ?? "",
        count: parts.dropFirst(3).first.flatMap { Int($0) } ?? 1
      )
    }
  }
}
