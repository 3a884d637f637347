internal import TideCore

/// Writes a case's flows as an HTTP Archive (HAR 1.2), for people's viewers; no proof by itself.
///
/// A request is as the device sent it, a response as the server sent it, decoded; members of our own
/// begin with `_`, as HAR asks for. WebSockets are as Chromium writes them: `_resourceType` and
/// `_webSocketMessages`. What is no HTTP exchange, a tunnel or a refused CONNECT, is an entry of the method
/// CONNECT.
///
/// Pseudo-fields of HTTP/2 are left out of `headers`: HAR 1.2 has their values as `method`, `url` and
/// `status`, RFC 9113 §8.3 does not count them as fields, and tools that send an archive's requests again
/// fail over names that begin with a colon.
public enum HARExporter {
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
    try file.write(self.opening(options))
    try export.forEachFlow { flow, tally throws(EvidenceFailure) in
      try file.write(tally.flows == 0 ? [0x0A] : [0x2C, 0x0A])
      var entry = HAREntry(flow: flow, source: source, file: file)
      try entry.write(&tally)
    }
    try file.write("\n]}}\n")
    return try export.finish()
  }

  /// Everything up to the first entry.
  private static func opening(_ options: ExportOptions) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.key("log")
    json.beginObject()
    json.member("version", "1.2")
    json.key("creator")
    json.beginObject()
    json.member("name", "tidewaiter")
    json.member("version", options.toolVersion)
    json.endObject()
    json.key("pages")
    json.beginArray()
    json.endArray()
    if let shareSafe = options.shareSafe {
      json.key("_tidewaiter")
      json.beginObject()
      json.write(origin: shareSafe.origin)
      json.endObject()
    }
    json.key("entries")
    json.beginArray()
    return json.bytes
  }
}
