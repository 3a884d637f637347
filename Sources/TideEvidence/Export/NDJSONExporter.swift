internal import TideCore

/// Writes a case's flows as one JSON object a line, for scripts.
///
/// Each has the members of `flows --json`, then `connection`, `found` (as `findings --json`), `redactions`, `notes`,
/// and `messages`: heads and trailers in base64, contents by their SHA-256 and, if asked for, in base64 too.
public enum NDJSONExporter {
  /// Writes the flows of a case to a file.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - path: the file to write, for its owner alone; `-` for standard output.
  ///   - filter: which flows.
  ///   - options: what else is asked for.
  ///   - progress: is told how far it is.
  /// - Returns: what was written.
  /// - Throws: `badName` if the file is there already; as `CaseReader`, or what the file system says.
  @discardableResult
  public static func export(
    _ reader: CaseReader,
    to path: String,
    filter: FlowFilter = .all,
    options: ExportOptions,
    progress: ExportProgress? = nil
  ) throws(EvidenceFailure) -> ExportSummary {
    var export = try FlowExport(
      reader,
      to: path,
      filter: filter,
      options: options,
      progress: progress
    )
    let (source, file) = (export.source, export.file)
    try export.forEachFlow { flow, tally throws(EvidenceFailure) in
      var line = NDJSONLine(
        flow: flow,
        source: source,
        file: file,
        hasContents: options.hasContents
      )
      try line.write(&tally)
    }
    return try export.finish()
  }
}

/// One flow as a line.
private struct NDJSONLine {
  let flow: ExportFlow
  let source: ExportSource
  let file: ExportFile
  let hasContents: Bool
  private var json = JSONWriter()

  init(flow: ExportFlow, source: ExportSource, file: ExportFile, hasContents: Bool) {
    self.flow = flow
    self.source = source
    self.file = file
    self.hasContents = hasContents
  }

  mutating func write(_ tally: inout ExportTally) throws(EvidenceFailure) {
    self.json.beginObject()
    self.json.write(self.flow, self.source.shareSafe)
    self.json.key("messages")
    self.json.beginArray()
    for message in self.flow.messages { try self.write(message, &tally) }
    self.json.endArray()
    self.json.member("socket_message_count", self.flow.socketMessages)
    if self.hasContents, self.flow.socketMessages > 0 { try self.writeSocketMessages(&tally) }
    self.json.endObject()
    self.json.endLine()
    try self.file.write(self.json.bytes)
  }

  private mutating func flush() throws(EvidenceFailure) {
    if self.json.bytes.count > 1 << 18 { try self.file.write(self.json.takeAllButLast()) }
  }

  private mutating func write(
    _ message: ExportFlow.Message,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    let head = self.source.head(message, of: self.flow)
    self.json.beginObject()
    self.json.member("direction", message.direction.rawValue)
    self.json.member("stage", message.stage.rawValue)
    self.json.member("time", message.time)
    self.json.key("head")
    self.json.base64(head)
    self.json.key("trailers")
    self.json.base64(self.source.trailers(message, of: self.flow))
    self.json.key("body")
    if let body = message.body {
      self.json.beginObject()
      // A digest of a short content would give away what a placeholder stands for.
      if self.source.shareSafe == nil { self.json.member("sha256", body.sha256) }
      self.json.member("size", body.size)
      self.json.member("complete", body.isComplete)
      if self.hasContents {
        let content = try self.source.content(
          message,
          of: self.flow,
          RawHead(head),
          isDecoded: false
        )
        try self.write(content, &tally)
      }
      self.json.endObject()
    } else {
      self.json.null()
    }
    self.json.endObject()
    try self.flush()
  }

  /// Writes the member `data`, in base64; null if the case does not have it.
  private mutating func write(
    _ content: ExportContent,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    self.json.key("data")
    switch try content.survey() {
    case .missing:
      tally.missing += 1
      self.json.null()
    case .tooLarge:
      tally.tooLarge += 1
      self.json.null()
    case .empty: self.json.base64(Bytes())
    case .readable(_, _, let kept?): self.json.base64(kept)
    case .readable(_, _, nil):
      self.json.beginString()
      var rest = Bytes()
      try content.forEachPiece { piece throws(EvidenceFailure) in
        rest.append(piece)
        let whole = rest.count / 3 * 3
        self.json.digits(rest.slice(0..<whole))
        rest = rest.dropping(first: whole)
        try self.flush()
      }
      self.json.digits(rest)
      self.json.endString()
    }
  }

  private mutating func writeSocketMessages(
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    self.json.key("socket_messages")
    self.json.beginArray()
    try self.source.reader.forEachSocketMessage(
      of: self.flow.record.flow
    ) { message throws(EvidenceFailure) in
      self.json.beginObject()
      self.json.member("time", message.time)
      self.json.member("direction", message.direction.rawValue)
      self.json.member("stage", message.stage.rawValue)
      self.json.member("kind", message.kind.rawValue)
      self.json.member("size", message.size)
      self.json.member("truncated", message.isTruncated)
      try self.write(try self.source.payload(message, of: self.flow), &tally)
      self.json.endObject()
      try self.flush()
      return true
    }
    self.json.endArray()
  }
}
