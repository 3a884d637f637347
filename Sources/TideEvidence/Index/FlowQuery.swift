internal import GRDB
internal import TideCore

/// A filter as SQL over the narrow tables: what passes is what the filter lets through, or a little more.
///
/// Where a text recurs, the filter's word is asked of each text in the index once, by the very functions that decide
/// about a flow in memory; what it accepts becomes a list of numbers.
struct FlowQuery {
  /// What holds of the flow `f`.
  private(set) var conditions: [String] = []
  private(set) var arguments = StatementArguments()
  /// Whether a condition is about the flow, so that one about findings must join it.
  private(set) var asksFlow = false

  private let filter: FlowFilter
  private let db: Database

  /// The conditions on flows.
  init(flows filter: FlowFilter, _ db: Database) throws {
    self.filter = filter
    self.db = db
    for term in filter.terms where !term.isOfFinding { try self.add(term, onFindings: false) }
    try self.addTags()
  }

  /// The conditions on what heads and contents of flows say.
  init(contents filter: FlowFilter, _ db: Database) throws {
    self.filter = filter
    self.db = db
    for term in filter.terms where term.isOfContent { try self.add(term, onFindings: false) }
  }

  /// The conditions on findings `n` of flows `f`.
  init(findings filter: FlowFilter, _ db: Database) throws {
    self.filter = filter
    self.db = db
    for term in filter.terms { try self.add(term, onFindings: true) }
  }

  /// `AND …` for a query that has a condition already.
  var clause: String { self.conditions.map { " AND " + $0 }.joined() }

  private mutating func add(_ term: FlowFilter.Term, onFindings: Bool) throws {
    let condition: String?
    switch term.key {
    case .device: condition = try self.places("device", term) { term.accepts($0) }
    case .host:
      let places = try self.places("names", term) { names in
        names.split(separator: " ").contains { term.accepts(String($0)) }
      }
      let origins = try self.words("f.origin", .origin) { origin in
        term.accepts(FlowRecord.host(ofOrigin: origin))
      }
      condition = "(\(places) OR \(origins))"
    case .ip:
      condition = try self.places("addresses", term) { addresses in
        addresses.split(separator: " ").contains { term.accepts(String($0)) }
      }
    case .port: condition = try self.places("port", term) { UInt64($0).map(term.accepts) ?? false }
    case .region:
      condition = try self.places("regions", term) { labels in
        labels.split(separator: " ").contains { term.accepts(String($0)) }
      }
    case .asn:
      condition = try self.places("asns", term) { systems in
        systems.split(separator: " ").contains { UInt64($0).map(term.accepts) ?? false }
      }
    case .treatment: condition = try self.places("treatment", term) { term.accepts($0) }
    case .protocolName:
      condition = try self.words("f.protocol", .protocolName) { term.accepts($0) }
    case .method: condition = try self.words("f.method", .method) { term.accepts($0) }
    case .path: condition = self.patterns("f.path", term)
    case .header: condition = try self.heads(term)
    case .text: condition = self.texts(term)
    case .type:
      let types = try self.filter.ways(request: "f.request_type", response: "f.response_type").map {
        try self.words($0, .type) { term.accepts($0) }
      }
      condition = Self.any(types)
    case .size:
      condition = Self.any(
        self.filter.ways(request: "f.request_bytes", response: "f.response_bytes").map {
          Self.ranges($0, term, joined: " AND ")
        }
      )
    case .status: condition = Self.ranges("f.status", term, joined: " OR ")
    case .since, .until:
      condition = self.times(onFindings ? "n.time" : "f.started", term, asText: onFindings)
    case .decided, .applied, .rule:
      let kind = term.key == .rule ? IndexTables.Word.rule : .action
      let table = onFindings ? "n" : "f"
      condition = try self.words("\(table).\(term.key.rawValue)", kind) { term.accepts($0) }
      if onFindings { return self.add(condition, term.isNegated) }
    case .finding, .certainty, .direction:
      guard onFindings else { return }
      condition = try self.words("n.tag", .tag) { tag in
        FlowRecord.FindingTag.list(tag).contains { FlowFilter.matches(term, $0) }
      }
      return self.add(condition, term.isNegated)
    }
    if !(onFindings && [.since, .until].contains(term.key)) { self.asksFlow = true }
    self.add(condition, term.isNegated)
  }

  private mutating func add(_ condition: String?, _ isNegated: Bool) {
    guard let condition else { return }
    // A column without a value satisfies nothing, so that what leaves out lets it through.
    self.conditions.append("(\(condition)) IS \(isNegated ? "NOT TRUE" : "TRUE")")
  }

  /// What the words about findings ask of a flow: they are about its findings together.
  private mutating func addTags() throws {
    let filter = self.filter
    guard filter.terms.contains(where: \.isOfFinding) else { return }
    let condition = try self.words("f.tags", .tags) { text in
      filter.matches(FlowRecord.FindingTag.list(text))
    }
    self.add(condition, false)
  }
}

// MARK: - Conditions

extension FlowQuery {
  private func places(
    _ column: String,
    _ term: FlowFilter.Term,
    _ accepts: (String) -> Bool
  ) throws -> String {
    let sql = "SELECT id, CAST(\(column) AS TEXT) FROM place"
    return Self.list("f.place", try self.accepted(sql, [], accepts))
  }

  private func words(
    _ column: String,
    _ kind: IndexTables.Word,
    _ accepts: (String) -> Bool
  ) throws -> String {
    let sql = "SELECT id, text FROM word WHERE kind = ?"
    return Self.list(column, try self.accepted(sql, [kind.rawValue], accepts))
  }

  /// The numbers of the rows whose text is accepted; each text is asked about once.
  private func accepted(
    _ sql: String,
    _ arguments: StatementArguments,
    _ accepts: (String) -> Bool
  ) throws -> [Int64] {
    var verdicts: [String: Bool] = [:]
    var ids: [Int64] = []
    let rows = try Row.fetchCursor(self.db, sql: sql, arguments: arguments)
    while let row = try rows.next() {
      let text: String = row[1]
      let isAccepted: Bool
      if let known = verdicts[text] {
        isAccepted = known
      } else {
        isAccepted = accepts(text)
        verdicts[text] = isAccepted
      }
      if isAccepted { ids.append(row[0]) }
    }
    return ids
  }

  private static func list(_ column: String, _ ids: [Int64]) -> String {
    switch ids.count {
    case 0: "0"
    case 1: "\(column) = \(ids[0])"
    default: "\(column) IN (\(ids.map(String.init).joined(separator: ",")))"
    }
  }

  private static func any(_ conditions: [String]) -> String {
    conditions.isEmpty ? "0" : conditions.map { "(\($0)) IS TRUE" }.joined(separator: " OR ")
  }

  private static func ranges(
    _ column: String,
    _ term: FlowFilter.Term,
    joined: String
  ) -> String {
    let ranges = term.tests.compactMap { test -> String? in
      guard case .numbers(let range) = test else { return nil }
      let low = Int64(clamping: range.lowerBound)
      return "\(column) BETWEEN \(low) AND \(Int64(clamping: range.upperBound))"
    }
    return ranges.isEmpty ? "0" : ranges.map { "(\($0))" }.joined(separator: joined)
  }

  private mutating func times(
    _ column: String,
    _ term: FlowFilter.Term,
    asText: Bool
  ) -> String {
    let relation = term.key == .since ? ">=" : "<="
    let bounds = term.tests.compactMap { test -> String? in
      guard case .time(let limit) = test else { return nil }
      if asText { return "\(column) \(relation) '\(limit)'" }
      let microseconds = WallTime(rfc3339: limit).map { $0.nanoseconds / 1_000 } ?? 0
      return "\(column) \(relation) \(microseconds)"
    }
    return bounds.isEmpty ? "1" : bounds.joined(separator: " AND ")
  }

  /// A column against patterns; nil if SQL could take long over one: then only the filter itself decides.
  private mutating func patterns(_ column: String, _ term: FlowFilter.Term) -> String? {
    var likes: [(any DatabaseValueConvertible)?] = []
    for test in term.tests {
      guard case .pattern(let pattern) = test, let like = Self.like(pattern) else { return nil }
      likes.append(like)
    }
    self.arguments += StatementArguments(likes)
    return likes.map { _ in "\(column) LIKE ? ESCAPE '\\'" }.joined(separator: " OR ")
  }

  /// A pattern in SQL's words; nil if it has so many stars that matching could take exponential time.
  private static func like(_ pattern: String) -> String? {
    guard pattern.utf8.count < 1_000, pattern.utf8.count(where: { $0 == 0x2A }) <= 4 else {
      return nil
    }
    var like = ""
    for character in pattern.unicodeScalars {
      switch character {
      case "*": like += "%"
      case "%", "_", "\\": like += "\\" + String(character)
      default: like.unicodeScalars.append(character)
      }
    }
    return like
  }

  private mutating func texts(_ term: FlowFilter.Term) -> String {
    let queries = term.tests.compactMap { test -> String? in
      if case .words(let query) = test { return query }
      return nil
    }
    self.arguments += StatementArguments([queries.joined(separator: " OR ")])
    return "f.flow IN (SELECT rowid >> \(SearchText.slotBits) FROM text WHERE text MATCH ?)"
  }

  private mutating func heads(_ term: FlowFilter.Term) throws -> String {
    let name = try Int64.fetchOne(
      self.db,
      sql: "SELECT id FROM field_name WHERE name = ?",
      arguments: [term.field.lowercased()]
    )
    guard let name else { return "0" }
    let fields = try self.accepted("SELECT id, value FROM field WHERE name = ?", [name]) {
      term.accepts($0)
    }
    var sets: [Int64] = []
    for start in stride(from: 0, to: fields.count, by: 5_000) {
      let part = fields[start..<min(start + 5_000, fields.count)].map(String.init)
      sets += try Int64.fetchAll(
        self.db,
        sql: """
          SELECT DISTINCT field_set FROM field_member WHERE field IN (\(part.joined(separator: ",")))
          """
      )
    }
    let inSets = self.filter.ways(request: "f.request_fields", response: "f.response_fields").map {
      Self.list($0, sets)
    }
    let directions = self.filter.ways(request: "0", response: "1").joined(separator: ",")
    let loose = "SELECT flow FROM loose_field WHERE name = \(name) AND direction IN (\(directions))"
    if let like = self.patterns("value", term) {
      return Self.any(inSets + ["f.flow IN (\(loose) AND (\(like)))"])
    }
    let flows = try self.accepted(
      loose.replacing("SELECT flow", with: "SELECT flow, value", maxReplacements: 1),
      []
    ) { term.accepts($0) }
    return Self.any(inSets + [Self.list("f.flow", flows)])
  }
}
