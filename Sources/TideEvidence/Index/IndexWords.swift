internal import GRDB

/// Gives texts that recur their numbers, and makes them up for new ones.
///
/// Keeps what it has seen until `forget`: a transaction that fails takes its numbers with it.
struct IndexWords {
  private struct Key: Hashable {
    let kind: Int64
    let text: String
  }

  private static let most = 100_000
  private var words: [Key: Int64] = [:]
  private var places: [String: Int64] = [:]

  /// The number of a word.
  mutating func id(_ kind: IndexTables.Word, _ text: String, _ db: Database) throws -> Int64 {
    let key = Key(kind: kind.rawValue, text: text)
    if let id = self.words[key] { return id }
    if self.words.count >= Self.most { self.words.removeAll(keepingCapacity: true) }
    let id = try Self.id(
      db,
      find: "SELECT id FROM word WHERE kind = ? AND text = ?",
      make: "INSERT INTO word (kind, text) VALUES (?, ?)",
      [kind.rawValue, text]
    )
    self.words[key] = id
    return id
  }

  /// The number of a word; nil for none.
  mutating func id(
    _ kind: IndexTables.Word,
    ifAny text: String?,
    _ db: Database
  ) throws -> Int64? {
    guard let text else { return nil }
    return try self.id(kind, text, db)
  }

  /// The number of what flows of like connections share.
  mutating func id(of place: FlowPlace, _ db: Database) throws -> Int64 {
    let facts = place.facts
    if let id = self.places[facts] { return id }
    if self.places.count >= Self.most { self.places.removeAll(keepingCapacity: true) }
    let id: Int64
    if let known = try Int64.fetchOne(
      db.cachedStatement(sql: "SELECT id FROM place WHERE facts = ?"),
      arguments: [facts]
    ) {
      id = known
    } else {
      try db.cachedStatement(
        sql: """
          INSERT INTO place (facts, device, names, addresses, port, regions, asns, treatment)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(
        arguments: [
          facts, place.device, [place.host, place.sni ?? ""].joined(separator: " "),
          ([place.address ?? ""] + place.candidates.map(\.address)).joined(separator: " "),
          Int(place.port), place.regionLabels.joined(separator: " "),
          place.systems.map(String.init).joined(separator: " "), place.treatment,
        ]
      )
      id = db.lastInsertedRowID
    }
    self.places[facts] = id
    return id
  }

  /// The number of a row, which is made if it is not there.
  static func id(
    _ db: Database,
    find: String,
    make: String,
    _ arguments: StatementArguments
  ) throws -> Int64 {
    if let id = try Int64.fetchOne(db.cachedStatement(sql: find), arguments: arguments) {
      return id
    }
    try db.cachedStatement(sql: make).execute(arguments: arguments)
    return db.lastInsertedRowID
  }
}

/// Reads texts by their numbers, each once.
struct IndexDictionary {
  private let db: Database
  private var words: [Int64: String] = [:]
  private var places: [Int64: FlowPlace] = [:]

  init(_ db: Database) { self.db = db }

  mutating func word(_ id: Int64) throws -> String {
    if let text = self.words[id] { return text }
    let text =
      try String.fetchOne(
        self.db.cachedStatement(sql: "SELECT text FROM word WHERE id = ?"),
        arguments: [id]
      ) ?? ""
    self.words[id] = text
    return text
  }

  mutating func word(ifAny id: Int64?) throws -> String? {
    guard let id else { return nil }
    return try self.word(id)
  }

  mutating func place(_ id: Int64) throws -> FlowPlace {
    if let place = self.places[id] { return place }
    let facts =
      try String.fetchOne(
        self.db.cachedStatement(sql: "SELECT facts FROM place WHERE id = ?"),
        arguments: [id]
      ) ?? ""
    let place = FlowPlace(facts: facts)
    self.places[id] = place
    return place
  }
}
