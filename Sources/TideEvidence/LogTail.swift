internal import Glibc
internal import TideCore

/// The end of a log that is to be continued.
struct LogTail: Sendable {
  /// Of a case that has no log yet.
  static let none = LogTail()

  /// The segment to write to next.
  private(set) var segment = 1
  /// How many bytes of that segment are whole lines.
  private(set) var length: UInt64 = 0
  /// How many bytes after them are a line that was cut.
  private(set) var tornBytes: UInt64 = 0
  /// Where the chain stands.
  private(set) var chain = ChainState.start
  /// The number for the next flow.
  private(set) var nextFlow: UInt64 = 1
  /// The number for the next connection.
  private(set) var nextConnection: UInt64 = 1
  /// How many findings the log has.
  private(set) var findings: UInt64 = 0

  /// Reads the end of a case's log.
  ///
  /// The first line of every segment but the first carries the counters, so that one segment is read,
  /// two if the last one holds no whole line yet.
  static func find(in root: String) throws(EvidenceFailure) -> LogTail {
    let log = try LogReader(root: root)
    var tail = LogTail()
    for (index, segment) in log.segments.enumerated().reversed() {
      var lines = 0
      var last: LogLine?
      var found = LogTail()
      found.segment = segment
      _ = try log.forEachLine(
        of: LogPosition(segment: segment, offset: 0)
      ) { line throws(EvidenceFailure) in
        guard line.isWhole else {
          found.tornBytes = UInt64(line.bytes.count)
          return false
        }
        try found.count(line, root)
        found.length = line.next.offset
        lines += 1
        last = line
        return true
      }
      if let last {
        found.chain = try Self.state(of: last, root)
        if tail.segment > segment {
          // The later segment was begun but holds no whole line: it is where writing goes on.
          found.segment = tail.segment
          found.length = 0
          found.tornBytes = tail.tornBytes
        }
        return found
      }
      tail = found
      guard index > 0 else { return tail }
    }
    return tail
  }

  /// Cuts what is torn and puts findings.ndjson right.
  func repair(_ root: String) throws(EvidenceFailure) {
    if self.tornBytes > 0 {
      // Not synced: if power fails before the next sync, the same is cut once more.
      let file = try PosixStorage().append(to: LogReader.path(of: self.segment, in: root))
      try file.truncate(to: self.length)
    }
    try FindingsFile.repair(root, count: self.findings)
  }

  /// Counts a flow that is written.
  mutating func see(_ flow: FlowID) { self.nextFlow = max(self.nextFlow, flow.number &+ 1) }

  /// Counts a connection that is written.
  mutating func see(_ connection: ConnectionID) {
    self.nextConnection = max(self.nextConnection, connection.number &+ 1)
  }

  /// Counts a finding that is written.
  mutating func seeFinding() { self.findings += 1 }

  private mutating func count(_ line: LogLine, _ root: String) throws(EvidenceFailure) {
    let event = try LogEvent(line, in: root)
    switch event.type {
    case "flow-start":
      if let flow = event.flow { self.see(flow) }
      if let connection = event.connection { self.see(connection) }
    case "connection":
      if let connection = event.connection { self.see(connection) }
    case "finding":
      self.findings += 1
    case "segment":
      self.nextFlow = max(self.nextFlow, event.members["next_flow"]?.unsigned ?? 1)
      self.nextConnection = max(
        self.nextConnection,
        event.members["next_connection"]?.unsigned ?? 1
      )
      self.findings = event.members["findings"]?.unsigned ?? 0
    default: break
    }
  }

  /// Where the chain stands after a line, which must have the hash it states.
  private static func state(
    of line: LogLine,
    _ root: String
  ) throws(EvidenceFailure) -> ChainState {
    let event = try LogEvent(line, in: root)
    guard let (hashed, hash) = LineTail.split(line.bytes),
      let previous = event.members["prev"]?.string,
      LineTail.hash(hashed, after: Array(previous.utf8)) == hash
    else {
      throw EvidenceFailure(
        .malformed,
        detail:
          "\(LogReader.path(of: line.position.segment, in: root)): its last line was altered; "
          + "see `tidewaiter evidence verify`; a case that is altered is not continued"
      )
    }
    return ChainState(sequence: event.sequence, hash: hash)
  }
}

/// A line of a log that reads as an event.
struct LogEvent {
  let sequence: UInt64
  let time: String
  let type: String
  let members: JSONObject
  let line: LogLine

  init(_ line: LogLine, in root: String) throws(EvidenceFailure) {
    guard let event = LogEvent(line) else {
      let path = LogReader.path(of: line.position.segment, in: root)
      throw EvidenceFailure(
        .malformed,
        detail: "\(path): not an event at byte \(line.position.offset)"
      )
    }
    self = event
  }

  init?(_ line: LogLine) {
    guard let value = JSONValue(line.bytes), case .object(let members) = value,
      let sequence = members["seq"]?.unsigned, sequence < UInt64.max >> 1,
      let time = members["time"]?.string, let type = members["type"]?.string
    else { return nil }
    self.sequence = sequence
    self.time = time
    self.type = type
    self.members = members
    self.line = line
  }

  var flow: FlowID? { self.members["flow"]?.string.flatMap { FlowID(text: $0) } }

  var connection: ConnectionID? {
    guard let text = self.members["connection"]?.string, text.hasPrefix("c-") else { return nil }
    return UInt64(text.dropFirst(2)).map { ConnectionID($0) }
  }
}
