public import TideCore

/// What was not seen on a connection, or kept from getting out of sight, as recorded.
public struct CoverageRecord: Sendable {
  /// When, RFC 3339.
  public let time: String
  /// The flow that it showed in; nil if it is the connection's.
  public let flow: FlowID?
  /// What it is.
  public let kind: Coverage
  /// For people.
  public let detail: String

  /// Reads a line; nil if it is of a kind that this version does not know.
  init?(_ event: LogEvent) {
    guard event.type == "coverage",
      let kind = event.members["kind"]?.string.flatMap(Coverage.init(rawValue:))
    else { return nil }
    self.time = event.time
    self.flow = event.flow
    self.kind = kind
    self.detail = event.members["detail"]?.string ?? ""
  }

  func write(into json: inout JSONWriter) {
    json.beginObject()
    json.member("time", self.time)
    json.member("flow", self.flow)
    json.member("kind", self.kind.rawValue)
    json.member("detail", self.detail)
    json.endObject()
  }
}

/// How often something was not seen in a case, or kept from getting out of sight.
public struct CoverageCount: Hashable, Sendable {
  /// What it is.
  public let kind: Coverage
  /// On how many connections.
  public let count: Int
  /// What was said of the first.
  public let example: String
}
