import TideCore

/// One value that was replaced in what went on, as recorded.
public struct ReplacedValue: Sendable {
  /// What it was.
  public let kind: String
  /// In which part of the message, and where inside it.
  public let location: String
  /// Where inside the part; may be empty.
  public let path: String
  /// What stands there now.
  public let pseudonym: String
  /// The rule that asked for it; nil if it is not known.
  public let rule: String?
  /// The whole line, a JSON object.
  public let json: [UInt8]

  init?(_ event: LogEvent) {
    let members = event.members
    guard let kind = members["kind"]?.string, let pseudonym = members["pseudonym"]?.string else {
      return nil
    }
    self.kind = kind
    self.location = members["location"]?.string ?? ""
    self.path = members["path"]?.string ?? ""
    self.pseudonym = pseudonym
    self.rule = members["rule"]?.string
    self.json = event.line.bytes.array
  }
}
