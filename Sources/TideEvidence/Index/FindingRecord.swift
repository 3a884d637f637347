public import TideCore

/// A finding as recorded: a line of `findings --json` and of `findings.ndjson`.
public struct FindingRecord: Sendable {
  /// The number of its line in the log.
  public let sequence: UInt64
  /// The flow it was made in.
  public let flow: FlowID
  /// When, RFC 3339.
  public let time: String
  /// What it is.
  public let kind: String
  /// How sure.
  public let certainty: String
  /// Which way the message goes.
  public let direction: String
  /// In which part of the message.
  public let location: String
  /// Where inside the part.
  public let path: String
  /// The layers around the value, outermost first.
  public let encoding: [String]
  /// What the rules say.
  public let decided: String
  /// What was done.
  public let applied: String
  /// The rule that decided; nil if none matched.
  public let rule: String?
  /// The finding as one JSON object, with the names of the product's contract.
  public let json: [UInt8]

  init?(sequence: UInt64, line: String) {
    let bytes = Bytes(line)
    guard let members = JSONValue(bytes)?.object,
      let flow = members["flow"]?.string.flatMap({ FlowID(text: $0) })
    else { return nil }
    func text(_ name: String) -> String { members[name]?.string ?? "" }
    self.sequence = sequence
    self.flow = flow
    self.time = text("time")
    self.kind = text("kind")
    self.certainty = text("certainty")
    self.direction = text("direction")
    self.location = text("location")
    self.path = text("path")
    self.encoding = (members["encoding"]?.array ?? []).compactMap(\.string)
    self.decided = text("decided")
    self.applied = text("applied")
    self.rule = members["rule"]?.string
    self.json = bytes.array
  }
}
