internal import GRDB
internal import TideCore

/// Keeps the fields of heads for `header.NAME:`.
///
/// Most fields of most heads recur together: they are kept as sets. A name that takes many values would make each
/// set another one: its values are kept one by one, from the value on that is too many.
struct IndexFields {
  /// How many values a name has at most in sets.
  static let mostValues = 256
  /// The longest value in a set, in bytes.
  static let longestValue = 512
  private static let most = 50_000

  private struct Name {
    let id: Int64
    var values: Int
  }

  private struct Pair: Hashable {
    let name: Int64
    let value: String
  }

  private var names: [String: Name] = [:]
  private var fields: [Pair: Int64] = [:]
  private var sets: [[Int64]: Int64] = [:]

  /// Keeps the fields of one head.
  ///
  /// - Returns: the number of its set.
  mutating func keep(
    _ head: RawHead,
    of flow: FlowID,
    _ direction: Direction,
    _ db: Database
  ) throws -> Int64 {
    var members: [Int64] = []
    for (place, field) in head.fields.enumerated() {
      let lowercased = field.name.lowercased()
      var name = try self.name(lowercased, db)
      if let id = try self.field(field.value, of: &name, db) {
        members.append(id)
      } else {
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO loose_field VALUES (?, ?, ?, ?, ?)")
          .execute(
            arguments: [
              name.id, Int64(clamping: flow.number), direction == .request ? 0 : 1, place,
              field.value,
            ]
          )
      }
      self.names[lowercased] = name
    }
    return try self.set(Array(Set(members)).sorted(), db)
  }

  private mutating func name(_ text: String, _ db: Database) throws -> Name {
    if let name = self.names[text] { return name }
    if self.names.count >= Self.most { self.names.removeAll() }
    let id = try IndexWords.id(
      db,
      find: "SELECT id FROM field_name WHERE name = ?",
      make: "INSERT INTO field_name (name, distinct_values) VALUES (?, 0)",
      [text]
    )
    let values = try Int.fetchOne(
      db.cachedStatement(sql: "SELECT distinct_values FROM field_name WHERE id = ?"),
      arguments: [id]
    )
    return Name(id: id, values: values ?? 0)
  }

  /// The number of a field that may be in a set; nil for one that may not.
  private mutating func field(
    _ value: String,
    of name: inout Name,
    _ db: Database
  ) throws -> Int64? {
    // Once a name has too many values all that follow are loose, so that what is where depends on the log alone.
    guard name.values <= Self.mostValues, value.utf8.count <= Self.longestValue else { return nil }
    let pair = Pair(name: name.id, value: value)
    if let id = self.fields[pair] { return id }
    if self.fields.count >= Self.most { self.fields.removeAll() }
    var id = try Int64.fetchOne(
      db.cachedStatement(sql: "SELECT id FROM field WHERE name = ? AND value = ?"),
      arguments: [name.id, value]
    )
    if id == nil {
      name.values += 1
      try db.cachedStatement(sql: "UPDATE field_name SET distinct_values = ? WHERE id = ?").execute(
        arguments: [name.values, name.id]
      )
      guard name.values <= Self.mostValues else { return nil }
      try db.cachedStatement(sql: "INSERT INTO field (name, value) VALUES (?, ?)").execute(
        arguments: [name.id, value]
      )
      id = db.lastInsertedRowID
    }
    self.fields[pair] = id
    return id
  }

  private mutating func set(_ members: [Int64], _ db: Database) throws -> Int64 {
    if let id = self.sets[members] { return id }
    if self.sets.count >= Self.most { self.sets.removeAll() }
    let text = members.map(String.init).joined(separator: " ")
    let id: Int64
    if let known = try Int64.fetchOne(
      db.cachedStatement(sql: "SELECT id FROM field_set WHERE members = ?"),
      arguments: [text]
    ) {
      id = known
    } else {
      try db.cachedStatement(sql: "INSERT INTO field_set (members) VALUES (?)").execute(
        arguments: [text]
      )
      id = db.lastInsertedRowID
      for member in members {
        try db.cachedStatement(sql: "INSERT INTO field_member VALUES (?, ?)").execute(
          arguments: [member, id]
        )
      }
    }
    self.sets[members] = id
    return id
  }
}
