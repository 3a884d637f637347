internal import TideCore

/// A line of a log that reads as an event.
struct LogEvent: Sendable {
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

  /// The digests, in hexadecimal, of the contents in bodies/ that the line refers to.
  var contents: [String] {
    switch self.type {
    case "body", "head", "trailers", "message", "recovered":
      self.members["sha256"]?.string.map { [$0] } ?? []
    case "handshake":
      (self.members["chain"]?.array ?? []).compactMap(\.string)
    default: []
    }
  }
}
