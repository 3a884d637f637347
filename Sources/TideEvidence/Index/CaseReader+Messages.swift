internal import GRDB
public import TideCore

extension CaseReader {
  /// Calls `body` with each WebSocket message of a flow, in order, until it returns false.
  ///
  /// A page at a time: a flow of hours may have millions.
  ///
  /// - Throws: `index`, `malformed`, or what the file system says.
  public func forEachSocketMessage(
    of id: FlowID,
    _ body: (SocketMessageRecord) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.forEachLine(
      of: "flow_line",
      where: "flow = ? AND type = 'message'",
      [Int64(clamping: id.number)]
    ) { event throws(EvidenceFailure) in
      guard let message = SocketMessageRecord(event) else { return true }
      return try body(message)
    }
  }

  /// The first bytes of a content.
  public func start(ofBody sha256: String, count: Int) throws(EvidenceFailure) -> Bytes {
    var reader = try BodyReader(root: self.path, sha256: sha256, keys: self.keys)
    var start = Bytes()
    while start.count < count, let piece = try reader.next() { start.append(piece) }
    return start.slice(0..<min(count, start.count))
  }

  /// What was not seen in the case, or kept from getting out of sight: what a report must say.
  public func coverage() throws(EvidenceFailure) -> [CoverageCount] {
    try self.index.update()
    return try self.index.read { db in
      try Row.fetchAll(db, sql: "SELECT kind, count, example FROM coverage ORDER BY kind")
        .compactMap { row in
          Coverage(rawValue: row["kind"]).map { kind in
            CoverageCount(kind: kind, count: row["count"], example: row["example"])
          }
        }
    }
  }
}

extension LogPosition {
  /// Reads the columns `segment` and `offset`.
  init(_ row: Row) {
    self.init(segment: row["segment"], offset: UInt64(clamping: row["offset"] as Int64))
  }
}
