internal import GRDB
public import TideCore
internal import TideCrypto

/// Reads a case, one that is being recorded too: asks the index, which it brings up to date first.
public final class CaseReader: Sendable {
  /// Where the case is.
  public let path: String
  let log: LogReader
  /// Those of an encrypted case.
  let keys: CaseKeys?
  let index: EvidenceIndex

  /// Opens a case for reading; any number may read it at once.
  ///
  /// - Parameters:
  ///   - path: its folder.
  ///   - key: opens an encrypted case; one that is not encrypted needs none.
  /// - Throws: `notACase`, `locked` if it is encrypted and there is no key, `wrongKey`, or `index` if the index can be
  ///   neither opened nor made.
  public init(_ path: String, key: CaseKey? = nil) throws(EvidenceFailure) {
    guard Folder.isFolder(path + "/log"), Folder.size(of: path + "/case.json") != nil else {
      throw EvidenceFailure(.notACase, detail: "\(path): there is no case here")
    }
    let keys = try CaseEncryption.keys(of: path, key)
    self.path = path
    self.keys = keys
    self.log = try LogReader(root: path, keys: keys)
    self.index = try EvidenceIndex(root: path, keys: keys)
  }

  /// The case's secret, under which findings name the values that they found; nil if it is not with the case.
  ///
  /// - Throws: `malformed` if the file is not the case's, or what the file system says.
  public var secret: [UInt8]? {
    get throws(EvidenceFailure) {
      guard Folder.size(of: self.path + "/" + SecretFile.name) != nil else { return nil }
      return try SecretFile.read(self.path, self.keys)
    }
  }

  /// The regions that `region:watched` stands for in this case.
  public var watched: [String] {
    get throws(EvidenceFailure) {
      let description = JSONValue(try Folder.read(self.path + "/case.json", limit: 16 << 20))
      return (description?.object["watched"]?.array ?? []).compactMap(\.string)
    }
  }

  /// All that the case has of a flow but for the content of its messages.
  ///
  /// - Parameters:
  ///   - id: the flow.
  ///   - socketMessages: of how many of its WebSocket messages at most; `forEachSocketMessage` has all.
  /// - Returns: the flow.
  /// - Throws: `notFound` if it has no such flow; as `forEachFlow`.
  public func flow(
    _ id: FlowID,
    socketMessages: Int = 0
  ) throws(EvidenceFailure) -> FlowDetail {
    try self.index.update()
    let found = try self.index.read { db -> (FlowDetail, [LogPosition])? in
      var dictionary = IndexDictionary(db)
      guard let record = try IndexedFlow.fetch(id, &dictionary, db)?.record else { return nil }
      var detail = FlowDetail(record: record)
      let number = Int64(clamping: id.number)
      detail.findings = try Row.fetchAll(
        db,
        sql: """
          SELECT l.seq, l.line FROM finding n JOIN finding_line l ON l.seq = n.seq
          WHERE n.flow = ? ORDER BY n.seq
          """,
        arguments: [number]
      ).compactMap { row in
        FindingRecord(sequence: UInt64(clamping: row["seq"] as Int64), line: row["line"])
      }
      detail.socketMessageCount =
        try Int.fetchOne(
          db,
          sql: "SELECT COUNT(*) FROM flow_line WHERE flow = ? AND type = 'message'",
          arguments: [number]
        ) ?? 0
      let positions = try Row.fetchAll(
        db,
        sql: """
          SELECT segment, offset FROM connection_line
          WHERE connection = ? AND type IN ('dns', 'decided', 'hello', 'handshake', 'coverage')
          ORDER BY seq
          """,
        arguments: [Int64(clamping: record.connection.number)]
      ).map { LogPosition($0) }
      let notes = try Row.fetchAll(
        db,
        sql: """
          SELECT segment, offset FROM flow_line
          WHERE flow = ? AND type IN ('note', 'redaction') ORDER BY seq
          """,
        arguments: [number]
      ).map { LogPosition($0) }
      return (detail, positions + record.lines + notes)
    }
    guard let (start, positions) = found else {
      throw EvidenceFailure(.notFound, detail: "\(self.path): there is no flow \(id)")
    }
    var detail = start
    for position in positions {
      guard let line = try self.log.line(at: position) else { continue }
      try detail.take(try LogEvent(line, in: self.path), self)
    }
    guard socketMessages > 0 else { return detail }
    try self.forEachSocketMessage(of: id) { message throws(EvidenceFailure) in
      detail.socketMessages.append(message)
      return detail.socketMessages.count < socketMessages
    }
    return detail
  }

  /// Calls `body` with a content, piece by piece.
  ///
  /// - Throws: `notFound`, or `malformed` if it does not decompress.
  public func forEachPiece(
    ofBody sha256: String,
    _ body: (Bytes) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    var reader = try BodyReader(root: self.path, sha256: sha256, keys: self.keys)
    while let piece = try reader.next() { try body(piece) }
  }

  /// A whole content.
  ///
  /// - Parameters:
  ///   - sha256: its digest.
  ///   - limit: the most bytes to return.
  /// - Returns: the content.
  /// - Throws: `notFound`; `malformed` if it does not decompress or is larger than `limit`.
  public func body(_ sha256: String, limit: Int = 64 << 20) throws(EvidenceFailure) -> Bytes {
    var whole: [UInt8] = []
    try self.forEachPiece(ofBody: sha256) { piece throws(EvidenceFailure) in
      guard whole.count + piece.count <= limit else {
        throw EvidenceFailure(.malformed, detail: "body \(sha256): larger than \(limit) bytes")
      }
      whole.append(contentsOf: piece)
    }
    return Bytes(whole)
  }

  /// The lines of the log that are about no flow and no connection, such as `mark`, `gap`, `start`.
  public func entries(ofType type: String) throws(EvidenceFailure) -> [[UInt8]] {
    try self.index.update()
    let positions = try self.index.read { db in
      try Row.fetchAll(
        db,
        sql: "SELECT segment, offset FROM entry WHERE type = ? ORDER BY seq",
        arguments: [type]
      ).map { LogPosition($0) }
    }
    var lines: [[UInt8]] = []
    for position in positions {
      if let line = try self.log.line(at: position) { lines.append(line.bytes.array) }
    }
    return lines
  }
}

extension FlowDetail {
  /// Takes one line about the flow or its connection.
  fileprivate mutating func take(_ event: LogEvent, _ reader: CaseReader) throws(EvidenceFailure) {
    let members = event.members
    switch event.type {
    case "note":
      if let text = members["text"]?.string { self.notes.append(text) }
    case "redaction":
      if let redaction = ReplacedValue(event) { self.redactions.append(redaction) }
    case "coverage":
      if let coverage = CoverageRecord(event) { self.coverage.append(coverage) }
    case "dns", "decided", "hello", "handshake":
      self.connection.append(event.line.bytes.array)
      if let ja4 = members["ja4"]?.string, event.type == "hello" { self.fingerprint = ja4 }
      if let handshake = HandshakeRecord(event) { self.handshakes.append(handshake) }
    case "head", "body", "trailers":
      guard let index = self.messages.place(of: event) else { return }
      switch event.type {
      case "head":
        // Of several heads (1xx first, RFC 9110 §15.2) the last is the message's.
        self.messages[index].time = event.time
        self.messages[index].head = try reader.content(of: event)
      case "trailers":
        self.messages[index].trailers = try reader.content(of: event)
      default: self.messages[index].body = BodyReference(event)
      }
    default: return
    }
  }
}

extension CaseReader {
  /// The bytes of a head or trailer section, wherever they lie.
  fileprivate func content(of event: LogEvent) throws(EvidenceFailure) -> Bytes {
    if let data = event.members["data"]?.string {
      return Bytes(Base64.standard.decode(data.utf8) ?? [])
    }
    guard let sha256 = event.members["sha256"]?.string else { return Bytes() }
    return try self.body(sha256)
  }
}
