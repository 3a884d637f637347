internal import TideCore

/// Writes a case's exchanges as an HTTP Archive (HAR 1.2), for people's viewers; no proof by itself.
///
/// A request is as the device sent it, a response as the server sent it, decoded; members of our own
/// begin with `_`, as HAR asks for. WebSockets are as Chromium writes them: `_resourceType` and
/// `_webSocketMessages`.
///
/// Pseudo-fields of HTTP/2 are left out of `headers`: HAR 1.2 has their values as `method`, `url` and
/// `status`, RFC 9113 §8.3 does not count them as fields, and tools that send an archive's requests again
/// fail over names that begin with a colon.
public enum HARExporter {
  /// The most bytes of one content that go into the archive; a larger one is named, not copied.
  static let longestContent = 16 << 20

  /// Writes the exchanges of a case to a file, which it replaces.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - path: the file to write; only its owner may read it.
  ///   - filter: which flows.
  ///   - toolVersion: the version to name as creator.
  /// - Returns: how many entries were written.
  /// - Throws: as `CaseReader`, or what the file system says.
  @discardableResult
  public static func export(
    _ reader: CaseReader,
    to path: String,
    filter: FlowFilter = .all,
    toolVersion: String
  ) throws(EvidenceFailure) -> Int {
    let storage = PosixStorage()
    let temporary = path + ".new"
    try storage.remove(temporary)
    let file = try storage.append(to: temporary)
    var json = JSONWriter()
    json.beginObject()
    json.key("log")
    json.beginObject()
    json.member("version", "1.2")
    json.key("creator")
    json.beginObject()
    json.member("name", "tidewaiter")
    json.member("version", toolVersion)
    json.endObject()
    json.key("entries")
    json.beginArray()
    var count = 0
    try file.writeAll(json.bytes)
    try reader.forEachFlow(filter) { flow throws(EvidenceFailure) in
      guard !flow.method.isEmpty else { return true }
      try file.writeAll(count == 0 ? [0x0A] : [0x2C, 0x0A])
      var entry = JSONWriter()
      let exchange = HAREntry(detail: try reader.flow(flow.flow), reader: reader)
      try exchange.write(into: &entry) { json throws(EvidenceFailure) in
        // A WebSocket may have more messages than memory holds.
        if json.bytes.count > 1 << 20 { try file.writeAll(json.takeAllButLast()) }
      }
      try file.writeAll(entry.bytes)
      count += 1
      return true
    }
    try file.writeAll(Array("\n]}}\n".utf8))
    try file.sync()
    try storage.rename(temporary, to: path)
    return count
  }
}
