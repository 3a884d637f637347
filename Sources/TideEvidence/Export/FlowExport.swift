/// What HAR, WARC and NDJSON have in common: a file, the walk through the log, and what is counted on the way.
struct FlowExport {
  let file: ExportFile
  let source: ExportSource
  private var walk: ExportWalk
  private var tally = ExportTally()

  /// Begins an export.
  ///
  /// - Throws: `badName` if the file is there already; as `CaseReader`, or what the file system says.
  init(
    _ reader: CaseReader,
    to path: String,
    filter: FlowFilter,
    options: ExportOptions,
    progress: ExportProgress?
  ) throws(EvidenceFailure) {
    self.file = try ExportFile(path, replaces: options.replaces, of: reader, progress: progress)
    self.source = ExportSource(reader: reader, shareSafe: options.shareSafe)
    self.walk = try ExportWalk(
      reader,
      filter: filter,
      shareSafe: options.shareSafe,
      progress: progress
    )
    progress?.begin("exporting")
  }

  /// Calls `body` with each flow, for it to be written.
  mutating func forEachFlow(
    _ body: (ExportFlow, inout ExportTally) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    var tally = self.tally
    try self.walk.forEachFlow { flow throws(EvidenceFailure) in
      try body(flow, &tally)
      tally.flows += 1
    }
    self.tally = tally
  }

  /// Ends the file.
  func finish() throws(EvidenceFailure) -> ExportSummary {
    ExportSummary(try self.file.finish(), self.tally)
  }
}
