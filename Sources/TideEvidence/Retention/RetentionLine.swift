internal import TideCore

/// A line of the log as far as retention must know it.
enum RetentionLine: Equatable {
  /// A recorder began: all flows and connections before are over.
  case start
  case flowStart(FlowID, ConnectionID)
  case flowEnd(FlowID)
  case connectionStart(ConnectionID)
  case connectionEnd(ConnectionID)
  /// Something was found in a flow, or replaced.
  case finding(FlowID)
  /// A flow's body or message is in bodies/.
  case content(FlowID, String)
  /// Contents that stay whatever happens to others: heads, certificates, what was cut off.
  case kept([String])

  /// Reads a line; nil if retention asks nothing of it.
  init?(_ line: LogLine) {
    guard let start = LineStart(line.bytes), Self.types.contains(where: { start.isType($0) }) else {
      return nil
    }
    // Nearly all heads stand in their line.
    if start.isType("head") || start.isType("trailers"), !start.isEncrypted, !start.endsWithDigest {
      return nil
    }
    guard let event = LogEvent(line) else { return nil }
    switch event.type {
    case "start": self = .start
    case "flow-start":
      guard let flow = event.flow, let connection = event.connection else { return nil }
      self = .flowStart(flow, connection)
    case "flow-end":
      guard let flow = event.flow else { return nil }
      self = .flowEnd(flow)
    case "connection":
      guard let connection = event.connection else { return nil }
      self = .connectionStart(connection)
    case "connection-end":
      guard let connection = event.connection else { return nil }
      self = .connectionEnd(connection)
    case "finding", "redaction":
      guard let flow = event.flow else { return nil }
      self = .finding(flow)
    case "body", "message":
      guard let flow = event.flow, let digest = event.contents.first else { return nil }
      self = .content(flow, digest)
    default:
      guard !event.contents.isEmpty else { return nil }
      self = .kept(event.contents)
    }
  }

  private static let types: [StaticString] = [
    "body", "message", "head", "trailers", "flow-start", "flow-end", "connection",
    "connection-end", "finding", "redaction", "handshake", "start", "recovered",
  ]
}

extension LogReader {
  /// Calls `body` with each line that retention asks about, its number and its time, until it returns false.
  func forEachRetentionLine(
    _ body: (RetentionLine, (sequence: UInt64, time: String)) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    try self.forEachLine { line throws(EvidenceFailure) in
      guard line.isWhole else { return false }
      guard let content = RetentionLine(line), let start = LineStart(line.bytes) else {
        return true
      }
      return try body(content, (start.sequence, start.time))
    }
  }
}
