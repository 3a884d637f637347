internal import TideCore

/// Where exporters take heads and contents from: the case, with placeholders if it is to be share-safe.
struct ExportSource {
  let reader: CaseReader
  let shareSafe: ShareSafe?

  /// A message's head.
  func head(_ message: ExportFlow.Message?, of flow: ExportFlow) -> Bytes {
    self.section(message?.head, message, of: flow, isTrailer: false)
  }

  /// A message's trailer section.
  func trailers(_ message: ExportFlow.Message?, of flow: ExportFlow) -> Bytes {
    self.section(message?.trailers, message, of: flow, isTrailer: true)
  }

  private func section(
    _ section: ExportFlow.Section?,
    _ message: ExportFlow.Message?,
    of flow: ExportFlow,
    isTrailer: Bool
  ) -> Bytes {
    guard let section, let message else { return Bytes() }
    let bytes = section.bytes(self.reader)
    return self.shareSafe?.scrubbed(
      head: bytes,
      of: flow.record.flow,
      message.direction,
      isTrailer: isTrailer
    ) ?? bytes
  }

  /// A message's content: as it was on the wire, or without its content codings.
  ///
  /// Share-safe contents never have codings.
  func content(
    _ message: ExportFlow.Message?,
    of flow: ExportFlow,
    _ head: RawHead,
    isDecoded: Bool
  ) throws(EvidenceFailure) -> ExportContent {
    guard let message, let body = message.body else { return ExportContent(Bytes(), self.reader) }
    let coding = head.first("content-encoding")
    guard let shareSafe = self.shareSafe else {
      return ExportContent(decoding: body, coding: isDecoded ? coding : nil, self.reader)
    }
    let content = ExportContent(decoding: body, coding: coding, self.reader)
    return ExportContent(
      try shareSafe.scrubbed(
        content,
        of: flow.record.flow,
        message.direction,
        type: head.mediaType
      ),
      self.reader
    )
  }

  /// The payload of a WebSocket message.
  func payload(
    _ message: SocketMessageRecord,
    of flow: ExportFlow
  ) throws(EvidenceFailure) -> ExportContent {
    let content = ExportContent(
      message.sha256.map {
        FlowDetail.BodyReference(
          sha256: $0,
          size: message.size,
          isComplete: !message.isTruncated
        )
      },
      self.reader
    )
    guard let shareSafe = self.shareSafe else { return content }
    return ExportContent(
      try shareSafe.scrubbed(content, of: flow.record.flow, message.direction, type: ""),
      self.reader
    )
  }
}

extension JSONWriter {
  /// Writes the members of a flow: its record, its findings, and what else the log says of it.
  mutating func write(_ flow: ExportFlow, _ shareSafe: ShareSafe?) {
    flow.record.write(into: &self)
    self.member("connection", flow.record.connection)
    self.key("found")
    self.beginArray()
    for finding in flow.findings { self.raw(finding) }
    self.endArray()
    self.key("redactions")
    self.beginArray()
    for redaction in flow.redactions { self.raw(redaction) }
    self.endArray()
    self.member("notes", flow.notes)
    if flow.leftOut > 0 { self.member("left_out", flow.leftOut) }
    guard let shareSafe else { return }
    self.write(origin: shareSafe.origin, lines: flow.lines)
    // The connection's lines are the same for each of its flows.
    self.key("connection_lines")
    self.beginArray()
    for line in flow.connection.lines { self.value(line.sequence) }
    self.endArray()
  }
}
