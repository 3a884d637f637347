internal import TideCore
internal import TideCrypto

/// Writes a case's flows as a web archive (WARC 1.1, ISO 28500), each record compressed by itself if the
/// file's name ends in `.gz`.
///
/// An exchange is a `request` and a `response` record as HTTP/1.1 messages, with a `metadata` record for what
/// HTTP does not say; a WebSocket's messages are `resource` records; what is no exchange is a `metadata`
/// record alone. A payload's digest is the one under which bodies/ has it.
public enum WARCExporter {
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
    let source = export.source
    let writer = WARCWriter(
      file: export.file,
      isCompressed: path.hasSuffix(".gz"),
      seed: try self.seed(reader, options)
    )
    let info = try self.writeInfo(reader, path, options, writer)
    try export.forEachFlow { flow, tally throws(EvidenceFailure) in
      let records = WARCFlow(flow: flow, source: source, writer: writer, info: info)
      try records.write(&tally)
    }
    return try export.finish()
  }

  /// What the identifiers of records are made from: the same case and options give the same ones.
  private static func seed(
    _ reader: CaseReader,
    _ options: ExportOptions
  ) throws(EvidenceFailure) -> [UInt8] {
    let description = try Folder.read(reader.path + "/case.json", limit: 16 << 20)
    var hasher = SHA256Hasher()
    hasher.update(description)
    hasher.update(Array((options.shareSafe == nil ? "warc" : "warc share-safe").utf8))
    return hasher.finish()
  }

  /// Writes the `warcinfo` record and returns its identifier.
  private static func writeInfo(
    _ reader: CaseReader,
    _ path: String,
    _ options: ExportOptions,
    _ writer: WARCWriter
  ) throws(EvidenceFailure) -> String {
    let description =
      JSONValue(try Folder.read(reader.path + "/case.json", limit: 16 << 20))?.object
      ?? JSONObject()
    var fields = [
      "software: tidewaiter/\(options.toolVersion)",
      "format: WARC File Format 1.1",
      "conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
      "isPartOf: \(WARCWriter.oneLine(description["case"]?.string ?? ""))",
      "description: HTTP recorded by an intercepting proxy. Transfer codings (RFC 9112 section 7) are taken "
        + "off and Content-Length says so. Messages of HTTP/2 (WARC-Protocol: h2) are rewritten as HTTP/1.1. "
        + "A request is as the device sent it, a response as the server sent it.",
    ]
    if let shareSafe = options.shareSafe {
      let origin = shareSafe.origin
      fields += [
        "tidewaiter-share-safe: true",
        "tidewaiter-original-manifest-sha256: \(origin.manifestSHA256 ?? "-")",
        "tidewaiter-original-tree-size: \(origin.treeSize)",
        "tidewaiter-original-tree-root: \(origin.treeRoot ?? "-")",
      ]
    } else if let name = description["operator"]?.string, !name.isEmpty {
      fields.append("operator: \(WARCWriter.oneLine(name))")
    }
    let id = writer.identifier("info")
    var record = WARCWriter.Record(type: "warcinfo", id: id, date: WallTime.now.rfc3339)
    record.fields.append(("Content-Type", "application/warc-fields"))
    if path != "-" {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      record.fields.append(("WARC-Filename", WARCWriter.oneLine(name)))
    }
    try writer.write(record, Bytes(fields.map { $0 + "\r\n" }.joined()))
    return id
  }
}
