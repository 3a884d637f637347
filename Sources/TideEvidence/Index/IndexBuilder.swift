internal import GRDB
internal import TideCore

/// Turns lines of the log into rows, in the transactions that its owner opens.
struct IndexBuilder {
  /// Flows in memory at most: most lines are about a few.
  private static let mostFlows = 4_096

  private let root: String
  private let log: LogReader
  private var checkpoint: Checkpoint
  private var last: LogLine?
  private var flows: [UInt64: IndexedFlow] = [:]
  private var words = IndexWords()
  private var fields = IndexFields()

  init(root: String, log: LogReader, checkpoint: Checkpoint) {
    self.root = root
    self.log = log
    self.checkpoint = checkpoint
  }

  mutating func take(_ line: LogLine, _ content: IndexedLine, _ db: Database) throws {
    self.last = line
    switch content {
    case .ignored: return
    case .listed(let sequence, let type, let connection):
      try self.insert(sequence, type, of: connection, line.position, db)
    case .head(let event, let head): try self.take(head, event, db)
    case .content(let event, let words): try self.take(words, event, db)
    case .event(let event): try self.take(event, db)
    }
    if self.flows.count >= Self.mostFlows { try self.writeFlows(db) }
  }

  /// Writes what is in memory, and how far that is.
  mutating func finish(_ db: Database) throws {
    try self.writeFlows(db)
    if let last = self.last, let (_, hash) = LineTail.split(last.bytes) {
      self.checkpoint.next = last.next
      self.checkpoint.last = (last.position, String(decoding: hash, as: UTF8.self))
    }
    try self.checkpoint.write(db)
  }

  private mutating func take(_ event: LogEvent, _ db: Database) throws {
    switch event.type {
    case "flow-start":
      if let record = FlowRecord(start: event) {
        self.flows[record.flow.number] = IndexedFlow(record)
      }
    case "flow-end":
      try self.change(event, db) { flow, _, _ in flow.record.end(event) }
    case "finding":
      try self.change(event, db) { flow, _, _ in flow.record.find(event) }
      try self.insert(finding: event, db)
    case "head":
      try self.change(event, db) { flow, _, _ in flow.record.lines.append(event.line.position) }
    case "trailers":
      try self.change(event, db) { flow, _, _ in flow.record.lines.append(event.line.position) }
    case "note", "redaction":
      try self.insert(line: event, db)
    case "coverage":
      if let connection = event.connection {
        try self.insert(event.sequence, event.type, of: connection, event.line.position, db)
      }
      try self.count(coverage: event, db)
    case "purged":
      try self.insert(entry: event, db)
      try self.insert(purged: event, db)
    default:
      if let connection = event.connection {
        try self.insert(event.sequence, event.type, of: connection, event.line.position, db)
      } else {
        try self.insert(entry: event, db)
      }
    }
  }

  private mutating func change(
    _ event: LogEvent,
    _ db: Database,
    _ body: (inout IndexedFlow, inout IndexBuilder, Database) throws -> Void
  ) throws {
    guard let id = event.flow else { return }
    var known = self.flows.removeValue(forKey: id.number)
    if known == nil {
      var dictionary = IndexDictionary(db)
      known = try IndexedFlow.fetch(id, &dictionary, db)
    }
    guard var flow = known else { return }
    try body(&flow, &self, db)
    self.flows[id.number] = flow
  }

  private mutating func writeFlows(_ db: Database) throws {
    for number in self.flows.keys.sorted() { try self.flows[number]?.store(&self.words, db) }
    self.flows.removeAll(keepingCapacity: true)
  }
}

// MARK: - What heads and contents say

extension IndexBuilder {
  private mutating func take(
    _ head: ContentWords.Head,
    _ event: LogEvent,
    _ db: Database
  ) throws {
    guard let key = ContentWords.Key(event) else { return }
    try self.change(event, db) { flow, builder, db in
      flow.record.lines.append(event.line.position)
      try builder.insert(head.words, of: &flow, db)
      guard key.stage == .original else { return }
      let set = try builder.fields.keep(head.head, of: flow.record.flow, key.direction, db)
      if key.direction == .request {
        flow.record.requestType = head.head.mediaType
        flow.requestFields = set
      } else {
        flow.record.responseType = head.head.mediaType
        flow.responseFields = set
      }
    }
  }

  /// Takes a body or a message.
  private mutating func take(_ words: [UInt8]?, _ event: LogEvent, _ db: Database) throws {
    if event.type == "message" { try self.insert(line: event, db) }
    try self.change(event, db) { flow, builder, db in
      if event.type == "body" { flow.record.lines.append(event.line.position) }
      let words = try words ?? builder.words(ofBody: event, of: flow)
      try builder.insert(words, of: &flow, db)
    }
  }

  private func insert(_ words: [UInt8], of flow: inout IndexedFlow, _ db: Database) throws {
    guard !words.isEmpty, flow.texts < 1 << SearchText.slotBits else { return }
    let row = Int64(clamping: flow.record.flow.number) << SearchText.slotBits + flow.texts
    flow.texts += 1
    try db.cachedStatement(sql: "INSERT INTO text (rowid, words) VALUES (?, ?)").run([
      row, String(decoding: words, as: UTF8.self),
    ])
  }

  /// The words of a content whose head was read with lines before these.
  private func words(ofBody event: LogEvent, of flow: IndexedFlow) throws -> [UInt8] {
    var contents = ContentWords(self.log)
    for position in flow.record.lines {
      guard let line = try self.log.line(at: position), let head = LogEvent(line),
        head.type == "head"
      else { continue }
      _ = contents.head(head)
    }
    return contents.words(ofBody: event)
      ?? contents.words(ofBody: event, ContentWords.Facts(type: "", coding: nil))
  }
}

// MARK: - Rows of their own

extension IndexBuilder {
  private mutating func insert(finding event: LogEvent, _ db: Database) throws {
    guard let flow = event.flow else { return }
    func text(_ name: String) -> String { event.members[name]?.string ?? "" }
    let tag = "\(text("kind")):\(text("certainty")):\(text("direction"))"
    let sequence = Int64(event.sequence)
    try db.cachedStatement(sql: "INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?, ?, ?, ?)").run([
      sequence, Int64(clamping: flow.number), try self.words.id(.tag, tag, db), event.time,
      try self.words.id(.action, text("decided"), db),
      try self.words.id(.action, text("applied"), db),
      try self.words.id(.rule, ifAny: event.members["rule"]?.string, db),
    ])
    let line = String(decoding: FindingsFile.line(of: event).dropLast(), as: UTF8.self)
    try db.cachedStatement(sql: "INSERT OR REPLACE INTO finding_line VALUES (?, ?)").run([
      sequence, line,
    ])
  }

  private func insert(entry event: LogEvent, _ db: Database) throws {
    try db.cachedStatement(sql: "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)").run([
      event.type, Int64(event.sequence), event.line.position.segment,
      Int64(event.line.position.offset),
    ])
  }

  private func insert(
    _ sequence: UInt64,
    _ type: String,
    of connection: ConnectionID,
    _ position: LogPosition,
    _ db: Database
  ) throws {
    try db.cachedStatement(
      sql: "INSERT OR REPLACE INTO connection_line VALUES (?, ?, ?, ?, ?)"
    ).run([
      Int64(clamping: connection.number), Int64(sequence), type, position.segment,
      Int64(position.offset),
    ])
  }

  /// What a flow may have any number of has rows of its own: its flow's row does not grow.
  private func insert(line event: LogEvent, _ db: Database) throws {
    guard let flow = event.flow else { return }
    try db.cachedStatement(sql: "INSERT OR REPLACE INTO flow_line VALUES (?, ?, ?, ?, ?)").run([
      Int64(clamping: flow.number), event.type, Int64(event.sequence),
      event.line.position.segment, Int64(event.line.position.offset),
    ])
  }

  private mutating func insert(purged event: LogEvent, _ db: Database) throws {
    let (position, made) = (event.line.position, self.checkpoint.made)
    if (position.segment, position.offset) >= (made.segment, made.offset) {
      self.checkpoint.isStale = true
    }
    for digest in event.members["contents"]?.array ?? [] {
      guard let text = digest.string else { continue }
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO purged VALUES (?, ?)").run([
        text, Int64(event.sequence),
      ])
    }
  }

  private func count(coverage event: LogEvent, _ db: Database) throws {
    guard let kind = event.members["kind"]?.string else { return }
    try db.cachedStatement(
      sql: """
        INSERT INTO coverage VALUES (?, 1, ?) ON CONFLICT (kind) DO UPDATE SET count = count + 1
        """
    ).execute(arguments: [kind, event.members["detail"]?.string ?? ""])
  }
}
