internal import TideCore
internal import TideCrypto

/// One exchange as a HAR entry.
struct HAREntry {
  let detail: FlowDetail
  let reader: CaseReader

  var record: FlowRecord { self.detail.record }

  private var isWebSocket: Bool {
    self.record.protocolName == "websocket" || self.detail.socketMessageCount > 0
  }

  /// Writes the entry; `flush` may take what is written so far but for its last byte.
  func write(
    into json: inout JSONWriter,
    flush: (inout JSONWriter) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
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
    if self.isWebSocket {
      json.member("_resourceType", "websocket")
      try self.writeSocketMessages(into: &json, flush: flush)
    }
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
    json.member("httpVersion", self.version(head, head.startLine.split(separator: " ").last))
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
    // The bodies of a WebSocket are frames, masked: its messages stand in `_webSocketMessages`.
    if let body = message?.body, body.size > 0, !self.isWebSocket {
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
    json.member("httpVersion", self.version(head, words.first))
    self.write(head, cookieField: "set-cookie", into: &json)
    json.key("content")
    json.beginObject()
    json.member("mimeType", head.first("content-type") ?? "")
    if let body = message?.body, body.size > 0, !self.isWebSocket {
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

  /// As a start line spells it; where there is none, what the protocol implies, or nothing.
  private func version(_ head: RawHead, _ word: Substring?) -> String {
    if head.isHTTP2 { return "HTTP/2" }
    if let word, word.hasPrefix("HTTP/") { return String(word) }
    return ["http/1.1": "HTTP/1.1", "h2": "HTTP/2", "grpc": "HTTP/2"][self.record.protocolName]
      ?? ""
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
    let bodySize = self.isWebSocket ? nil : message?.body.map { Int(clamping: $0.size) }
    json.member("bodySize", bodySize ?? 0)
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
