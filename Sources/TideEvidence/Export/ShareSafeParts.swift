internal import TideCore

/// The parts of a flow that findings are made in.
struct ShareSafeParts {
  private let flow: ExportFlow
  private let reader: CaseReader
  private var heads: [Direction: RawHead] = [:]

  init(_ flow: ExportFlow, _ reader: CaseReader) {
    self.flow = flow
    self.reader = reader
  }

  mutating func head(_ direction: Direction) -> RawHead {
    if let known = self.heads[direction] { return known }
    let message = direction == .request ? self.flow.message(.request) : self.flow.response
    let head = RawHead(message?.head.bytes(self.reader) ?? Bytes())
    self.heads[direction] = head
    return head
  }

  mutating func content(_ direction: Direction) -> ExportContent {
    let message = direction == .request ? self.flow.message(.request) : self.flow.response
    let coding = self.head(direction).first("content-encoding")
    return ExportContent(decoding: message?.body, coding: coding, self.reader)
  }

  /// What a finding outside the content may have been made in.
  mutating func part(_ location: FindingLocation, _ direction: Direction, path: String) -> [Bytes] {
    switch location {
    case .path, .query:
      guard let start = self.flow.record.url.firstRange(of: "://")?.upperBound else { return [] }
      let target = self.flow.record.url[start...].drop { $0 != "/" && $0 != "?" }
      // A target in absolute form is the URL itself (RFC 9112 §3.2.2).
      return [Bytes(String(target)), Bytes(self.flow.record.url)]
    case .header:
      let name = path.prefix { $0 != " " }
      return self.head(direction).fields.filter {
        ASCII.equalsIgnoringCase($0.name.utf8, name.utf8)
      }.map { Bytes($0.value) }
    case .cookie:
      return self.head(direction).fields.filter {
        ["cookie", "set-cookie"].contains($0.name.lowercased())
      }.map { Bytes($0.value) }
    case .trailer:
      let message = direction == .request ? self.flow.message(.request) : self.flow.response
      // A trailer section has no start line.
      let section = message?.trailers.bytes(self.reader).array ?? []
      let trailers = RawHead(Bytes(Array("-\r\n".utf8) + section))
      return trailers.fields.map { Bytes($0.value) }
    case .body, .websocket: return []
    }
  }
}
