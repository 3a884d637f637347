internal import GRDB
internal import TideCore
internal import TideCrypto

/// Turns lines of the log into rows, inside one transaction.
struct IndexBuilder {
  private let db: Database
  private var checkpoint: Checkpoint
  /// Flows touched since the last write: most lines are about a few.
  private var flows: [UInt64: FlowRecord] = [:]

  init(db: Database, checkpoint: Checkpoint) {
    self.db = db
    self.checkpoint = checkpoint
  }

  mutating func take(_ line: LogLine, root: String) throws {
    let event = try LogEvent(line, in: root)
    switch event.type {
    case "flow-start":
      if let record = FlowRecord(start: event) { self.flows[record.flow.number] = record }
    case "flow-end":
      try self.change(event) { $0.end(event) }
    case "finding":
      try self.change(event) { $0.find(event) }
      try self.insert(finding: event)
    case "head":
      try self.change(event) {
        $0.take(head: event)
        $0.lines.append(line.position)
      }
    case "body", "trailers":
      try self.change(event) { $0.lines.append(line.position) }
    case "message", "note":
      try self.insert(line: event)
    case "coverage":
      try self.insert(entry: event)
      try self.count(coverage: event)
    case "segment", "connection-end": break
    default:
      try self.insert(entry: event)
    }
    self.checkpoint.next = line.next
    if let (_, hash) = LineTail.split(line.bytes) {
      self.checkpoint.last = (line.position, String(decoding: hash, as: UTF8.self))
    }
    if self.flows.count >= 2_000 { try self.writeFlows() }
  }

  mutating func finish() throws {
    try self.writeFlows()
    try self.checkpoint.write(self.db)
  }

  private mutating func change(
    _ event: LogEvent,
    _ body: (inout FlowRecord) -> Void
  ) throws {
    guard let flow = event.flow,
      var record = try self.flows[flow.number] ?? FlowRecord.fetch(flow, self.db)
    else { return }
    body(&record)
    self.flows[flow.number] = record
  }

  private func insert(finding event: LogEvent) throws {
    guard let flow = event.flow else { return }
    let line = String(decoding: FindingsFile.line(of: event).dropLast(), as: UTF8.self)
    try self.db.cachedStatement(sql: "INSERT OR REPLACE INTO finding VALUES (?, ?, ?)").execute(
      arguments: [Int64(event.sequence), Int64(clamping: flow.number), line]
    )
  }

  private func insert(entry event: LogEvent) throws {
    try self.db.cachedStatement(
      sql: "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)"
    ).execute(
      arguments: [
        Int64(event.sequence), event.type,
        event.connection.map { Int64(clamping: $0.number) }, event.line.position.segment,
        Int64(event.line.position.offset),
      ]
    )
  }

  /// What a flow may have any number of has rows of its own: its flow's row does not grow.
  private func insert(line event: LogEvent) throws {
    guard let flow = event.flow else { return }
    try self.db.cachedStatement(
      sql: "INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)"
    ).execute(
      arguments: [
        Int64(event.sequence), Int64(clamping: flow.number), event.type,
        event.line.position.segment, Int64(event.line.position.offset),
      ]
    )
  }

  private func count(coverage event: LogEvent) throws {
    guard let kind = event.members["kind"]?.string else { return }
    try self.db.cachedStatement(
      sql: """
        INSERT INTO coverage VALUES (?, 1, ?) ON CONFLICT (kind) DO UPDATE SET count = count + 1
        """
    ).execute(arguments: [kind, event.members["detail"]?.string ?? ""])
  }

  private mutating func writeFlows() throws {
    for record in self.flows.values { try record.store(self.db) }
    self.flows.removeAll(keepingCapacity: true)
  }
}

extension FlowRecord {
  /// Takes a head line: of what type the content is.
  mutating func take(head event: LogEvent) {
    guard event.members["stage"]?.string == BodyStage.original.rawValue,
      let data = event.members["data"]?.string, let bytes = Base64.standard.decode(data.utf8)
    else { return }
    let type = RawHead(Bytes(bytes)).mediaType
    if event.members["direction"]?.string == Direction.request.rawValue {
      self.requestType = type
    } else {
      self.responseType = type
    }
  }

  static func fetch(_ flow: FlowID, _ db: Database) throws -> FlowRecord? {
    try Row.fetchOne(
      db.cachedStatement(sql: "SELECT * FROM flow WHERE flow = ?"),
      arguments: [Int64(clamping: flow.number)]
    ).map { FlowRecord($0) }
  }

  fileprivate func store(_ db: Database) throws {
    var candidates = JSONWriter()
    candidates.beginArray()
    for candidate in self.candidates {
      candidates.beginArray()
      candidates.value(candidate.address)
      candidates.value(candidate.region)
      candidates.endArray()
    }
    candidates.endArray()
    var error: String?
    if let failure = self.error {
      var json = JSONWriter()
      json.beginArray()
      json.value(failure.code)
      json.value(failure.origin)
      json.value(failure.detail)
      json.endArray()
      error = String(decoding: json.bytes, as: UTF8.self)
    }
    let tags = self.tags.map { "\($0.kind):\($0.certainty):\($0.direction):\($0.count)" }
    let values: [(any DatabaseValueConvertible)?] = [
      Int64(clamping: self.flow.number), Int64(clamping: self.connection.number), self.device,
      self.client, self.started, self.ended, self.method, self.url, self.host, self.sni,
      Int(self.port), self.protocolName, self.address,
      String(decoding: candidates.bytes, as: UTF8.self), self.region,
      self.regionLabels.joined(separator: " "),
      self.systems.map(String.init).joined(separator: " "), self.treatment, self.status,
      self.requestBytes.map { Int64(clamping: $0) }, self.responseBytes.map { Int64(clamping: $0) },
      tags.joined(separator: " "), self.decided, self.applied, self.rule,
      self.exposure.map { Int64(clamping: $0) }, error, self.requestType, self.responseType,
      self.lines.map { "\($0.segment):\($0.offset)" }.joined(separator: " "),
    ]
    let marks = Array(repeating: "?", count: values.count).joined(separator: ", ")
    try db.cachedStatement(sql: "INSERT OR REPLACE INTO flow VALUES (\(marks))").execute(
      arguments: StatementArguments(values)
    )
  }

  /// Reads a row by the places of its columns: looking names up took longer than all the rest.
  init(_ row: Row) {
    func words(_ column: Int) -> [String] {
      (row[column] as String? ?? "").split(separator: " ").map(String.init)
    }
    func array(_ column: Int) -> [JSONValue] {
      (row[column] as String?).flatMap { JSONValue(Bytes($0)) }?.array ?? []
    }
    func number(_ column: Int) -> UInt64? { (row[column] as Int64?).map { UInt64(clamping: $0) } }
    self.flow = FlowID(number(0) ?? 0)
    self.connection = ConnectionID(number(1) ?? 0)
    self.device = row[2]
    self.client = row[3]
    self.started = row[4]
    self.ended = row[5]
    self.method = row[6]
    self.url = row[7]
    self.host = row[8]
    self.sni = row[9]
    self.port = UInt16(clamping: row[10] as Int)
    self.protocolName = row[11]
    self.address = row[12]
    self.candidates = array(13).map { pair in
      Candidate(
        address: pair.array.first?.string ?? "",
        region: pair.array.dropFirst().first?.string ?? ""
      )
    }
    self.region = row[14]
    self.regionLabels = words(15)
    self.systems = words(16).compactMap { UInt32($0) }
    self.treatment = row[17]
    self.status = row[18]
    self.requestBytes = number(19)
    self.responseBytes = number(20)
    self.tags = words(21).map { tag in
      let parts = tag.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      return FindingTag(
        kind: parts.first ?? "",
        certainty: parts.dropFirst().first ?? "",
        direction: parts.dropFirst(2).first ?? "",
        count: parts.dropFirst(3).first.flatMap { Int($0) } ?? 1
      )
    }
    self.decided = row[22]
    self.applied = row[23]
    self.rule = row[24]
    self.exposure = number(25)
    let failure = array(26).compactMap(\.string)
    self.error =
      failure.count == 3 ? Failure(code: failure[0], origin: failure[1], detail: failure[2]) : nil
    self.requestType = row[27]
    self.responseType = row[28]
    self.lines = words(29).compactMap { word in
      let parts = word.split(separator: ":")
      guard parts.count == 2, let segment = Int(parts[0]), let offset = UInt64(parts[1]) else {
        return nil
      }
      return LogPosition(segment: segment, offset: offset)
    }
  }
}
