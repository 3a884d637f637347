internal import GRDB

/// The tables of an index.
///
/// What is searched through from end to end is narrow: texts that recur stand in `word` and `place` once, and a
/// filter's word is asked of each of those instead of each flow.
enum IndexTables {
  /// What a row of `word` is.
  enum Word: Int64 {
    case origin = 1
    case protocolName, method, type, rule, action, tags, tag, status
  }

  /// Makes empty tables, whatever was there before.
  static func make(_ db: Database) throws {
    // What the old ones said may be what was removed from the case: its pages are overwritten.
    try db.execute(sql: "PRAGMA secure_delete = ON")
    defer { try? db.execute(sql: "PRAGMA secure_delete = OFF") }
    let old = try String.fetchAll(
      db,
      sql: """
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'text_%'
        """
    )
    for table in old { try db.execute(sql: "DROP TABLE IF EXISTS \"\(table)\"") }
    try db.execute(sql: self.flows)
    try db.execute(sql: self.lines)
    try db.execute(sql: self.contents)
    try db.execute(sql: "PRAGMA user_version = \(EvidenceIndex.version)")
  }

  private static let flows = """
    CREATE TABLE checkpoint (
      segment INTEGER NOT NULL, offset INTEGER NOT NULL,
      last_segment INTEGER NOT NULL, last_offset INTEGER NOT NULL, hash TEXT NOT NULL,
      made_segment INTEGER NOT NULL, made_offset INTEGER NOT NULL, stale INTEGER NOT NULL);
    CREATE TABLE word (
      id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text));
    CREATE TABLE place (
      id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE, device TEXT NOT NULL,
      names TEXT NOT NULL, addresses TEXT NOT NULL, port INTEGER NOT NULL, regions TEXT NOT NULL,
      asns TEXT NOT NULL, treatment TEXT NOT NULL);
    CREATE TABLE flow (
      flow INTEGER PRIMARY KEY, place INTEGER NOT NULL, origin INTEGER NOT NULL,
      started INTEGER NOT NULL, protocol INTEGER NOT NULL, method INTEGER NOT NULL,
      status INTEGER, request_bytes INTEGER, response_bytes INTEGER, tags INTEGER NOT NULL,
      decided INTEGER, applied INTEGER, rule INTEGER, request_type INTEGER NOT NULL,
      response_type INTEGER NOT NULL, request_fields INTEGER, response_fields INTEGER,
      path TEXT NOT NULL);
    CREATE TABLE detail (
      flow INTEGER PRIMARY KEY, connection INTEGER NOT NULL, url TEXT NOT NULL,
      started TEXT NOT NULL, ended TEXT, exposure INTEGER, error TEXT, texts INTEGER NOT NULL,
      lines TEXT NOT NULL);
    CREATE INDEX detail_connection ON detail (connection);
    """

  private static let lines = """
    CREATE TABLE finding (
      seq INTEGER PRIMARY KEY, flow INTEGER NOT NULL, tag INTEGER NOT NULL, time TEXT NOT NULL,
      decided INTEGER NOT NULL, applied INTEGER NOT NULL, rule INTEGER);
    CREATE INDEX finding_flow ON finding (flow);
    CREATE TABLE finding_line (seq INTEGER PRIMARY KEY, line TEXT NOT NULL);
    CREATE TABLE entry (
      type TEXT NOT NULL, seq INTEGER NOT NULL, segment INTEGER NOT NULL,
      offset INTEGER NOT NULL, PRIMARY KEY (type, seq)) WITHOUT ROWID;
    CREATE TABLE connection_line (
      connection INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL,
      segment INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (connection, seq)
      ) WITHOUT ROWID;
    CREATE TABLE flow_line (
      flow INTEGER NOT NULL, type TEXT NOT NULL, seq INTEGER NOT NULL,
      segment INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (flow, type, seq)
      ) WITHOUT ROWID;
    CREATE TABLE coverage (
      kind TEXT PRIMARY KEY, count INTEGER NOT NULL, example TEXT NOT NULL);
    CREATE TABLE purged (sha256 TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
    """

  /// What heads and contents say.
  ///
  /// Of heads, the sets of fields that recur, and field by field those that seldom do; of heads and contents, their words. A
  /// document's number is that of its flow shifted by `SearchText.slotBits`, and counts up.
  private static let contents = """
    CREATE TABLE field_name (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, distinct_values INTEGER NOT NULL);
    CREATE TABLE field (
      id INTEGER PRIMARY KEY, name INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (name, value));
    CREATE TABLE field_set (id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE);
    CREATE TABLE field_member (
      field INTEGER NOT NULL, field_set INTEGER NOT NULL, PRIMARY KEY (field, field_set)
      ) WITHOUT ROWID;
    CREATE TABLE loose_field (
      name INTEGER NOT NULL, flow INTEGER NOT NULL, direction INTEGER NOT NULL,
      place INTEGER NOT NULL, value TEXT NOT NULL,
      PRIMARY KEY (name, flow, direction, place)) WITHOUT ROWID;
    CREATE VIRTUAL TABLE text USING fts5 (
      words, content = '', columnsize = 0, tokenize = 'ascii');
    INSERT INTO text (text, rank) VALUES ('hashsize', 33554432);
    """
}
