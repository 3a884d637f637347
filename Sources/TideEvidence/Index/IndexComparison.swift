internal import GRDB
internal import Glibc

/// The index of a case as something to look after.
public enum CaseIndex {
  /// What making an index came to.
  public struct Report: Sendable {
    /// How many flows it has.
    public let flows: Int
    /// How large it is, in bytes.
    public let size: UInt64
  }

  /// Makes a case's index anew from its log.
  ///
  /// - Throws: `notACase`, `index`, or what the file system says.
  public static func rebuild(_ path: String) throws(EvidenceFailure) -> Report {
    try self.requireCase(path)
    self.remove(path)
    let index = try EvidenceIndex(root: path, keys: nil)
    try index.update()
    return Report(
      flows: try index.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM flow") ?? 0 },
      size: Folder.size(of: path + "/" + EvidenceIndex.name) ?? 0
    )
  }

  /// Compares a case's index with one that is made from its log, which is removed again.
  ///
  /// - Returns: what differs; empty if nothing does.
  /// - Throws: as `rebuild`.
  public static func check(_ path: String) throws(EvidenceFailure) -> [String] {
    try self.requireCase(path)
    try EvidenceIndex(root: path, keys: nil).update()
    // Beside the other: it is as large, and as secret.
    let other = EvidenceIndex.name + "-check"
    self.remove(path, name: other)
    defer { self.remove(path, name: other) }
    try EvidenceIndex(root: path, keys: nil, name: other).update()
    do {
      return try self.differences("\(path)/\(EvidenceIndex.name)", "\(path)/\(other)")
    } catch {
      throw EvidenceFailure(.index, detail: "\(path)/\(EvidenceIndex.name): \(error)")
    }
  }

  private static func requireCase(_ path: String) throws(EvidenceFailure) {
    guard Folder.isFolder(path + "/log") else {
      throw EvidenceFailure(.notACase, detail: "\(path): there is no case here")
    }
    guard try CaseFolder.kindOfKey(path) == nil else {
      throw EvidenceFailure(
        .locked,
        detail:
          "\(path): the case is encrypted; its index is in the memory of each command and never on disk"
      )
    }
  }

  /// Removes the index of a case: what contents said may stand in it.
  static func remove(_ path: String, name: String = EvidenceIndex.name) {
    for suffix in ["", "-journal", "-wal", "-shm"] { unsafe unlink("\(path)/\(name)\(suffix)") }
  }

  private static func differences(_ path: String, _ other: String) throws -> [String] {
    let queue = try DatabaseQueue()
    return try queue.writeWithoutTransaction { db in
      try db.execute(sql: "ATTACH ? AS a", arguments: [path])
      try db.execute(sql: "ATTACH ? AS b", arguments: [other])
      var differences: [String] = []
      for table in ["a", "b"] {
        try db.execute(
          sql: "CREATE VIRTUAL TABLE temp.words_\(table) USING fts5vocab('\(table)', 'text', 'row')"
        )
      }
      for (first, second) in zip(self.contents(of: "a"), self.contents(of: "b")) {
        // Sorted by SQLite itself, on disk if need be: neither index has to fit into memory.
        let missing = try Row.fetchOne(db, sql: "\(second.rows) EXCEPT \(first.rows) LIMIT 1")
        let added = try Row.fetchOne(db, sql: "\(first.rows) EXCEPT \(second.rows) LIMIT 1")
        if let row = missing ?? added {
          let what = missing == nil ? "not in the log" : "missing"
          differences.append("\(first.name): \(what): \(row)")
        }
      }
      return differences
    }
  }

  /// What an index says, without the numbers that it gave to texts in the order in which they came to be written.
  private static func contents(of schema: String) -> [(name: String, rows: String)] {
    func words(_ columns: [String], of row: String) -> String {
      columns.map { "(SELECT text FROM \(schema).word w WHERE w.id = \(row).\($0))" }
        .joined(separator: ", ")
    }
    let ofFlow = words(
      [
        "origin", "protocol", "method", "tags", "decided", "applied", "rule", "request_type",
        "response_type",
      ],
      of: "f"
    )
    let flows = """
      SELECT f.flow, (SELECT facts FROM \(schema).place p WHERE p.id = f.place), \(ofFlow),
        f.started, f.status, f.request_bytes, f.response_bytes, f.request_fields,
        f.response_fields, f.path, d.connection, d.url, d.started, d.ended, d.exposure, d.error,
        d.texts, d.lines
      FROM \(schema).flow f JOIN \(schema).detail d ON d.flow = f.flow
      """
    let findings = """
      SELECT n.seq, n.flow, n.time, \(words(["tag", "decided", "applied", "rule"], of: "n")), l.line
      FROM \(schema).finding n JOIN \(schema).finding_line l ON l.seq = n.seq
      """
    let tables = [
      "entry", "connection_line", "flow_line", "coverage", "purged", "field_name", "field",
      "field_set", "field_member", "loose_field",
    ].map { (name: $0, rows: "SELECT * FROM \(schema).\($0)") }
    return [("flows", flows), ("findings", findings)] + tables
      + [("words", "SELECT term, doc, cnt FROM temp.words_\(schema)")]
  }
}
