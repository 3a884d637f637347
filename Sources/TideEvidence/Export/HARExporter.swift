internal import TideCore
internal import TideCrypto

/// Writes a case's exchanges as an HTTP Archive (HAR 1.2), for people's viewers; no proof by itself.
///
/// A request is as the device sent it, a response as the server sent it, decoded; members of our own
/// begin with `_`, as HAR asks for.
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
      var entry = JSONWriter()
      try HAREntry(detail: try reader.flow(flow.flow), reader: reader).write(into: &entry)
      try file.writeAll((count == 0 ? [] : [0x2C]) + [0x0A] + entry.bytes)
      count += 1
      return true
    }
    try file.writeAll(Array("\n]}}\n".utf8))
    try file.sync()
    try storage.rename(temporary, to: path)
    return count
  }
}

/// One exchange as a HAR entry.
private struct HAREntry {
  let detail: FlowDetail
  let reader: CaseReader

  private var record: FlowRecord { self.detail.record }

  func write(into json: inout JSONWriter) throws(EvidenceFailure) {
    let request = self.detail.message(.request)
    let response = self.detail.message(.response) ?? self.detail.message(.response, .sent)
    json.beginObject()
    json.member("startedDateTime", self.record.started)
    self.writeTimes(responseTime: response?.time, into: &json)
    json.key("request")
    try self.write(request: request, into: &json)
    json.key("response")
    try self.write(response: response, into: &json)
    json.key("cache")
    json.beginObject()
    json.endObject()
    if let address = self.record.address { json.member("serverIPAddress", address) }
    json.member("connection", self.record.connection.description)
    json.key("_tidewaiter")
    json.beginObject()
    self.record.write(into: &json)
    json.member("request_sha256", request?.body?.sha256)
    json.member("response_sha256", response?.body?.sha256)
    json.endObject()
    json.endObject()
  }

  /// Times in milliseconds: sending is not told apart from waiting, -1 is "does not apply".
  private func writeTimes(responseTime: String?, into json: inout JSONWriter) {
    func milliseconds(_ from: String?, _ to: String?) -> Double {
      guard let from = from.flatMap({ WallTime(rfc3339: $0) }),
        let to = to.flatMap({ WallTime(rfc3339: $0) })
      else { return 0 }
      return Double(max(0, to.nanoseconds - from.nanoseconds) / 1_000) / 1_000
    }
    let wait = milliseconds(self.record.started, responseTime ?? self.record.ended)
    let receive = responseTime == nil ? 0 : milliseconds(responseTime, self.record.ended)
    json.key("time")
    json.raw(String(wait + receive).utf8)
    json.key("timings")
    json.beginObject()
    for name: StaticString in ["blocked", "dns", "connect", "ssl"] { json.member(name, -1) }
    json.member("send", 0)
    json.key("wait")
    json.raw(String(wait).utf8)
    json.key("receive")
    json.raw(String(receive).utf8)
    json.endObject()
  }

  private func write(
    request message: FlowDetail.Message?,
    into json: inout JSONWriter
  ) throws(EvidenceFailure) {
    let head = RawHead(message?.head ?? Bytes())
    json.beginObject()
    json.member("method", self.record.method)
    json.member("url", self.record.url)
    json.member("httpVersion", self.version(head.startLine.split(separator: " ").last))
    self.write(head, cookieField: "cookie", into: &json)
    json.key("queryString")
    json.beginArray()
    for pair in self.queryPairs {
      json.beginObject()
      json.member("name", pair.name)
      json.member("value", pair.value)
      json.endObject()
    }
    json.endArray()
    if let body = message?.body, body.size > 0 {
      json.key("postData")
      json.beginObject()
      json.member("mimeType", head.first("content-type") ?? "")
      json.key("params")
      json.beginArray()
      json.endArray()
      try self.write(content: body, head, encodingName: "_encoding", into: &json)
      json.endObject()
    }
    self.writeSizes(message, into: &json)
    json.endObject()
  }

  private func write(
    response message: FlowDetail.Message?,
    into json: inout JSONWriter
  ) throws(EvidenceFailure) {
    let head = RawHead(message?.head ?? Bytes())
    let words = head.startLine.split(separator: " ", maxSplits: 2)
    json.beginObject()
    json.member("status", self.record.status ?? 0)
    json.member("statusText", words.count == 3 ? String(words[2]) : "")
    json.member("httpVersion", self.version(words.first))
    self.write(head, cookieField: "set-cookie", into: &json)
    json.key("content")
    json.beginObject()
    json.member("mimeType", head.first("content-type") ?? "")
    if let body = message?.body, body.size > 0 {
      try self.write(content: body, head, encodingName: "encoding", into: &json)
    } else {
      json.member("size", 0)
    }
    json.endObject()
    json.member("redirectURL", head.first("location") ?? "")
    self.writeSizes(message, into: &json)
    if let error = self.record.error { json.member("_error", "\(error.code): \(error.detail)") }
    json.endObject()
  }

  private func version(_ word: Substring?) -> String {
    guard let word, word.hasPrefix("HTTP/") else { return self.record.protocolName.uppercased() }
    return String(word)
  }

  private func write(_ head: RawHead, cookieField: String, into json: inout JSONWriter) {
    json.key("headers")
    json.beginArray()
    for field in head.fields {
      json.beginObject()
      json.member("name", field.name)
      json.member("value", field.value)
      json.endObject()
    }
    json.endArray()
    json.key("cookies")
    json.beginArray()
    for field in head.fields
    where ASCII.equalsIgnoringCase(field.name.utf8, cookieField.utf8) {
      // Set-Cookie has one cookie and then attributes (RFC 6265 §4.1.1), Cookie has cookies only.
      let pairs = field.value.split(separator: ";")
      for pair in cookieField == "cookie" ? pairs[...] : pairs.prefix(1) {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        json.beginObject()
        json.member("name", String((parts.first ?? "").drop { $0 == " " }))
        json.member("value", parts.count == 2 ? String(parts[1]) : "")
        json.endObject()
      }
    }
    json.endArray()
  }

  private func writeSizes(_ message: FlowDetail.Message?, into json: inout JSONWriter) {
    let headSize = message?.head.count ?? 0
    json.member("headersSize", headSize > 0 ? headSize : -1)
    json.member("bodySize", message?.body.map { Int(clamping: $0.size) } ?? 0)
  }

  private var queryPairs: [(name: String, value: String)] {
    guard let mark = self.record.url.firstIndex(of: "?") else { return [] }
    let query = self.record.url[self.record.url.index(after: mark)...].prefix { $0 != "#" }
    return query.split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (Self.unescaped(parts[0]), parts.count == 2 ? Self.unescaped(parts[1]) : "")
    }
  }

  /// Percent-decoded (RFC 3986 §2.1), `+` as a space, if that gives UTF-8; else as it is.
  private static func unescaped(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == 0x25, rest.count >= 2, let high = ASCII.hexValue(rest[rest.startIndex]),
        let low = ASCII.hexValue(rest[rest.startIndex + 1])
      {
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == 0x2B ? 0x20 : byte)
      }
    }
    return String(validating: bytes, as: UTF8.self) ?? String(text)
  }

  /// Writes `size` and `text`: as text if the decoded content is UTF-8, in base64 if not.
  private func write(
    content body: FlowDetail.BodyReference,
    _ head: RawHead,
    encodingName: StaticString,
    into json: inout JSONWriter
  ) throws(EvidenceFailure) {
    guard body.size <= UInt64(HARExporter.longestContent) else {
      json.member("size", body.size)
      json.member("comment", "not copied for its size: \(BodyLayout.relativePath(body.sha256))")
      return
    }
    let content = CaseReader.decoded(
      try self.reader.body(body.sha256, limit: HARExporter.longestContent),
      head.first("content-encoding"),
      limit: HARExporter.longestContent
    )
    json.member("size", content.count)
    if !content.contains(0), let text = String(validating: content, as: UTF8.self) {
      json.member("text", text)
    } else {
      json.key("text")
      json.base64(content)
      json.member(encodingName, "base64")
    }
    if !body.isComplete { json.member("comment", "cut: the rest was not recorded") }
  }
}
