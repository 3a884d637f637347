internal import TideCore

extension PcapngExporter {
  /// Writes the connections of a case to a file, as the other exporters do.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - path: the file to write, for its owner alone; `-` for standard output.
  ///   - filter: which flows; a connection is exported whole if one of its flows matches.
  ///   - options: what else is asked for.
  ///   - progress: is told how far it is.
  /// - Returns: what was written, connections as flows.
  /// - Throws: `notFound` if the case has no wire/; `badName` if the file is there already; as `CaseReader`,
  ///   or what the file system says.
  @discardableResult
  public static func export(
    _ reader: CaseReader,
    to path: String,
    filter: FlowFilter = .all,
    options: ExportOptions,
    progress: ExportProgress? = nil
  ) throws(EvidenceFailure) -> ExportSummary {
    let file = try ExportFile(path, replaces: options.replaces, of: reader, progress: progress)
    progress?.begin("exporting")
    let written = try self.write(
      reader,
      to: file,
      filter: filter,
      toolVersion: options.toolVersion
    ) { done, whole in
      progress?.advance(flows: 0, fraction: Double(done) / Double(max(1, whole)))
    }
    return ExportSummary(try file.finish(), ExportTally(flows: written.connections))
  }
}
