internal import GRDB
public import TideCore

/// Flows and findings by a filter.
///
/// SQL does the narrowing, over tables that are small enough to be read from end to end in a moment; what it lets
/// through is asked of the filter itself once more.
extension CaseReader {
  /// How many rows are fetched at once, at first and at most.
  private static let pages = (first: 500, most: 8_000)

  /// Calls `body` with each flow that a filter lets through, in order, until it returns false.
  ///
  /// - Parameters:
  ///   - filter: which flows.
  ///   - after: the flow before the first one wanted, in the order asked for; nil to begin at the end.
  ///   - newestFirst: whether the order is by falling number.
  ///   - body: takes a flow; it may ask this reader for more.
  /// - Throws: `index`, `malformed`, or what the file system says.
  public func forEachFlow(
    _ filter: FlowFilter = .all,
    after: FlowID? = nil,
    newestFirst: Bool = false,
    _ body: (FlowRecord) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.index.update()
    let order = newestFirst ? "f.flow < ?" : "f.flow > ?"
    var last = after.map { Int64(clamping: $0.number) } ?? (newestFirst ? Int64.max : 0)
    var pageSize = Self.pages.first
    let query = try self.index.read { db in try FlowQuery(flows: filter, db) }
    let sql = """
      SELECT \(IndexedFlow.columns) FROM flow f CROSS JOIN detail d ON d.flow = f.flow
      WHERE \(order)\(query.clause) ORDER BY f.flow\(newestFirst ? " DESC" : "") LIMIT ?
      """
    while true {
      // A page at a time, so that `body` may take its time without holding the index.
      let (bound, count) = (last, pageSize)
      let page = try self.index.read { db in
        var dictionary = IndexDictionary(db)
        return try Row.fetchAll(
          db.cachedStatement(sql: sql),
          arguments: [bound] + query.arguments + [count]
        ).map { try IndexedFlow($0, &dictionary).record }
      }
      for flow in page where filter.matches(flow) {
        guard try body(flow) else { return }
      }
      guard let end = page.last, page.count == count else { return }
      last = Int64(clamping: end.flow.number)
      pageSize = min(2 * pageSize, Self.pages.most)
    }
  }

  /// The flows that a filter lets through.
  public func flows(_ filter: FlowFilter = .all) throws(EvidenceFailure) -> [FlowRecord] {
    var flows: [FlowRecord] = []
    try self.forEachFlow(filter) { flow throws(EvidenceFailure) in
      flows.append(flow)
      return true
    }
    return flows
  }

  /// Calls `body` with each finding that a filter lets through, in order, until it returns false.
  ///
  /// - Parameters:
  ///   - filter: which findings.
  ///   - newestFirst: whether the order is by falling number of their lines.
  ///   - body: takes a finding and its flow.
  /// - Throws: as `forEachFlow`.
  public func forEachFinding(
    _ filter: FlowFilter = .all,
    newestFirst: Bool = false,
    _ body: (FindingRecord, FlowRecord) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.index.update()
    var last = newestFirst ? Int64.max : 0
    var pageSize = Self.pages.first
    let query = try self.index.read { db in try FlowQuery(findings: filter, db) }
    let flows = query.asksFlow ? " CROSS JOIN flow f ON f.flow = n.flow" : ""
    let sql = """
      SELECT n.seq, n.flow, l.line FROM finding n\(flows) CROSS JOIN finding_line l ON l.seq = n.seq
      WHERE \(newestFirst ? "n.seq < ?" : "n.seq > ?")\(query.clause)
      ORDER BY n.seq\(newestFirst ? " DESC" : "") LIMIT ?
      """
    while true {
      let (bound, count) = (last, pageSize)
      let page = try self.index.read { db in
        var dictionary = IndexDictionary(db)
        var flows: [FlowID: FlowRecord] = [:]
        let rows = try Row.fetchAll(
          db.cachedStatement(sql: sql),
          arguments: [bound] + query.arguments + [count]
        )
        return try rows.map { row -> (Int64, FindingRecord?, FlowRecord?) in
          let sequence: Int64 = row[0]
          let finding = FindingRecord(sequence: UInt64(clamping: sequence), line: row[2])
          let id = FlowID(UInt64(clamping: row[1] as Int64))
          let record = try flows[id] ?? IndexedFlow.fetch(id, &dictionary, db)?.record
          flows[id] = record
          return (sequence, finding, record)
        }
      }
      for case (_, let finding?, let flow?) in page where filter.matches(finding, of: flow) {
        guard try body(finding, flow) else { return }
      }
      guard let end = page.last, page.count == count else { return }
      last = end.0
      pageSize = min(2 * pageSize, Self.pages.most)
    }
  }

  /// The findings that a filter lets through.
  public func findings(_ filter: FlowFilter = .all) throws(EvidenceFailure) -> [FindingRecord] {
    var findings: [FindingRecord] = []
    try self.forEachFinding(filter) { finding, _ throws(EvidenceFailure) in
      findings.append(finding)
      return true
    }
    return findings
  }

  /// Whether a filter lets a flow through, by its heads and contents too if the filter asks for them.
  public func shows(_ flow: FlowRecord, _ filter: FlowFilter) throws(EvidenceFailure) -> Bool {
    guard filter.matches(flow) else { return false }
    let ofContent = FlowFilter(
      terms: filter.terms.filter { $0.isOfContent || $0.key == .direction && !$0.isNegated }
    )
    guard ofContent.terms.contains(where: \.isOfContent) else { return true }
    try self.index.update()
    return try self.index.read { db in
      // A way is no finding here: it says which heads count.
      let query = try FlowQuery(contents: ofContent, db)
      return try Int.fetchOne(
        db,
        sql: "SELECT 1 FROM flow f WHERE f.flow = ?\(query.clause)",
        arguments: [Int64(clamping: flow.flow.number)] + query.arguments
      ) != nil
    }
  }
}

extension CaseReader {
  /// Whether a content was removed on purpose, as the log or, after the seal, `purges.ndjson` says: it may be there
  /// again, or still.
  public func isPurged(_ sha256: String) throws(EvidenceFailure) -> Bool {
    try self.index.update()
    let isInLog = try self.index.read { db in
      try Int.fetchOne(
        db,
        sql: "SELECT 1 FROM purged WHERE sha256 = ?",
        arguments: [sha256]
      ) != nil
    }
    if isInLog { return true }
    return try PurgeLog.contents(in: self.path, keys: self.keys).contains(sha256)
  }
}
