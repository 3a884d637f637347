internal import TideCore

/// One flow as a HAR entry, written as it is made: a content or a WebSocket may be larger than memory.
struct HAREntry {
  private let flow: ExportFlow
  private let source: ExportSource
  private let file: ExportFile
  private let timings: HARTimings
  var json = JSONWriter()

  init(flow: ExportFlow, source: ExportSource, file: ExportFile) {
    self.flow = flow
    self.source = source
    self.file = file
    self.timings = HARTimings(flow)
  }

  /// Writes the entry.
  mutating func write(_ tally: inout ExportTally) throws(EvidenceFailure) {
    let request = self.flow.message(.request)
    let response = self.flow.response
    self.json.beginObject()
    self.json.member("startedDateTime", self.timings.started)
    self.timings.write(into: &self.json)
    self.json.key("request")
    try self.write(request: request, &tally)
    self.json.key("response")
    try self.write(response: response, &tally)
    self.json.key("cache")
    self.json.beginObject()
    self.json.endObject()
    if let address = self.flow.record.address { self.json.member("serverIPAddress", address) }
    self.json.member("connection", self.flow.record.connection.description)
    if self.flow.isWebSocket {
      self.json.member("_resourceType", "websocket")
      try self.writeSocketMessages(&tally)
    }
    self.json.key("_tidewaiter")
    self.json.beginObject()
    self.json.write(self.flow, self.source.shareSafe)
    if self.source.shareSafe == nil {
      // A digest of a short content would give away what a placeholder stands for.
      self.json.member("request_sha256", request?.body?.sha256)
      self.json.member("response_sha256", response?.body?.sha256)
    }
    self.json.endObject()
    self.json.endObject()
    try self.file.write(self.json.bytes)
    self.json.removeAll()
  }

  /// Hands on what is written so far but for the last byte.
  private mutating func flush(above size: Int = 1 << 18) throws(EvidenceFailure) {
    if self.json.bytes.count > size { try self.file.write(self.json.takeAllButLast()) }
  }

  private mutating func write(
    request message: ExportFlow.Message?,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    let bytes = self.source.head(message, of: self.flow)
    let head = RawHead(bytes)
    let record = self.flow.record
    self.json.beginObject()
    self.json.member("method", self.flow.isExchange ? record.method : "CONNECT")
    self.json.member("url", self.flow.url)
    self.json.member("httpVersion", self.version(head, head.startLine.split(separator: " ").last))
    self.write(head, cookieField: "cookie")
    self.json.key("queryString")
    self.json.beginArray()
    for pair in self.queryPairs {
      self.json.beginObject()
      self.json.member("name", pair.name)
      self.json.member("value", pair.value)
      self.json.endObject()
    }
    self.json.endArray()
    // The bodies of a WebSocket are frames, masked: its messages stand in `_webSocketMessages`.
    if let body = message?.body, body.size > 0, !self.flow.isWebSocket {
      self.json.key("postData")
      self.json.beginObject()
      self.json.member("mimeType", head.first("content-type") ?? "")
      self.json.key("params")
      self.json.beginArray()
      self.json.endArray()
      try self.write(content: message, head, encodingName: "_encoding", size: "_size", &tally)
      self.json.endObject()
    }
    self.writeSizes(message, headSize: bytes.count)
    self.json.endObject()
  }

  private mutating func write(
    response message: ExportFlow.Message?,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    let bytes = self.source.head(message, of: self.flow)
    let head = RawHead(bytes)
    let words = head.startLine.split(separator: " ", maxSplits: 2)
    self.json.beginObject()
    self.json.member("status", self.flow.record.status ?? 0)
    self.json.member("statusText", words.count == 3 ? String(words[2]) : "")
    self.json.member("httpVersion", self.version(head, words.first))
    self.write(head, cookieField: "set-cookie")
    self.json.key("content")
    self.json.beginObject()
    self.json.member("mimeType", head.first("content-type") ?? "")
    if let body = message?.body, body.size > 0, !self.flow.isWebSocket {
      try self.write(content: message, head, encodingName: "encoding", size: "size", &tally)
    } else {
      self.json.member("size", 0)
    }
    self.json.endObject()
    self.json.member("redirectURL", head.first("location") ?? "")
    self.writeSizes(message, headSize: bytes.count)
    if let error = self.flow.record.error {
      self.json.member("_error", "\(error.code): \(error.detail)")
    }
    self.json.endObject()
  }

  /// As a start line spells it; where there is none, what the protocol implies, or nothing.
  private func version(_ head: RawHead, _ word: Substring?) -> String {
    if head.isHTTP2 { return "HTTP/2" }
    if let word, word.hasPrefix("HTTP/") { return String(word) }
    return ["http/1.1": "HTTP/1.1", "h2": "HTTP/2", "grpc": "HTTP/2"][
      self.flow.record.protocolName
    ] ?? ""
  }

  private mutating func write(_ head: RawHead, cookieField: String) {
    self.json.key("headers")
    self.json.beginArray()
    for field in head.fields {
      self.json.beginObject()
      self.json.member("name", field.name)
      self.json.member("value", field.value)
      self.json.endObject()
    }
    self.json.endArray()
    self.json.key("cookies")
    self.json.beginArray()
    for field in head.fields
    where ASCII.equalsIgnoringCase(field.name.utf8, cookieField.utf8) {
      // Set-Cookie has one cookie and then attributes (RFC 6265 §4.1.1), Cookie has cookies only.
      let pairs = field.value.split(separator: ";")
      for pair in cookieField == "cookie" ? pairs[...] : pairs.prefix(1) {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        self.json.beginObject()
        self.json.member("name", String((parts.first ?? "").drop { $0 == " " }))
        self.json.member("value", parts.count == 2 ? String(parts[1]) : "")
        self.json.endObject()
      }
    }
    self.json.endArray()
  }

  private mutating func writeSizes(_ message: ExportFlow.Message?, headSize: Int) {
    self.json.member("headersSize", headSize > 0 ? headSize : -1)
    let bodySize = self.flow.isWebSocket ? nil : message?.body.map { Int(clamping: $0.size) }
    self.json.member("bodySize", bodySize ?? 0)
  }

  private var queryPairs: [(name: String, value: String)] {
    let url = self.flow.record.url
    guard let mark = url.firstIndex(of: "?") else { return [] }
    let query = url[url.index(after: mark)...].prefix { $0 != "#" }
    return query.split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (Self.unescaped(parts[0]), parts.count == 2 ? Self.unescaped(parts[1]) : "")
    }
  }

  /// Percent-decoded, if that gives UTF-8; else as it is.
  private static func unescaped(_ text: Substring) -> String {
    String(validating: PercentText.decoded(Array(text.utf8)), as: UTF8.self) ?? String(text)
  }

  /// Writes the size and `text`: as text if the decoded content is UTF-8, in base64 if not.
  private mutating func write(
    content message: ExportFlow.Message?,
    _ head: RawHead,
    encodingName: StaticString,
    size: StaticString,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    let content = try self.source.content(message, of: self.flow, head, isDecoded: true)
    var comment = message?.body?.isComplete == false ? "cut: the rest was not recorded" : nil
    switch try content.survey() {
    case .empty: self.json.member(size, 0)
    case .readable(let count, let isText, let kept):
      self.json.member(size, count)
      try self.write(content, isText: isText, kept)
      if !isText { self.json.member(encodingName, "base64") }
    case .tooLarge:
      tally.tooLarge += 1
      self.json.member(size, Int(clamping: message?.body?.size ?? 0))
      comment = "not copied for its size: bodies/ has it by its SHA-256"
    case .missing:
      tally.missing += 1
      self.json.member(size, Int(clamping: message?.body?.size ?? 0))
      comment = "not in the case any more, or damaged"
    }
    if let comment { self.json.member("comment", comment) }
  }

  /// Writes the member `text`, a piece of the content at a time.
  private mutating func write(
    _ content: ExportContent,
    isText: Bool,
    _ kept: Bytes?
  ) throws(EvidenceFailure) {
    self.json.key("text")
    self.json.beginString()
    if let kept {
      if isText { self.json.text(kept) } else { self.json.digits(kept) }
    } else {
      // Base64 goes by threes: what is over waits for the next piece.
      var rest = Bytes()
      try content.forEachPiece { piece throws(EvidenceFailure) in
        if isText {
          self.json.text(piece)
        } else {
          rest.append(piece)
          let whole = rest.count / 3 * 3
          self.json.digits(rest.slice(0..<whole))
          rest = rest.dropping(first: whole)
        }
        try self.flush()
      }
      self.json.digits(rest)
    }
    self.json.endString()
    try self.flush()
  }
}

/// The messages of a WebSocket.
extension HAREntry {
  /// Writes the messages as they came: `{type, time, opcode, data}`, `time` in seconds since 1970.
  ///
  /// As in Chromium's developer tools, the data of an opcode other than 1 (text) is in base64. Control
  /// frames are there too, by their opcodes.
  private mutating func writeSocketMessages(
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    self.json.key("_webSocketMessages")
    self.json.beginArray()
    if self.flow.socketMessages > 0 {
      try self.source.reader.forEachSocketMessage(
        of: self.flow.record.flow
      ) { message throws(EvidenceFailure) in
        guard message.stage == .original else { return true }
        try self.write(message, &tally)
        try self.flush()
        return true
      }
    }
    self.json.endArray()
  }

  private mutating func write(
    _ message: SocketMessageRecord,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    var payload = Bytes()
    switch try self.source.payload(message, of: self.flow).survey() {
    case .empty: break
    case .readable(_, _, let kept?): payload = kept
    // The recorder keeps less of one message than this.
    case .readable(_, _, nil), .tooLarge: tally.tooLarge += 1
    case .missing: tally.missing += 1
    }
    self.json.beginObject()
    self.json.member("type", message.direction == .request ? "send" : "receive")
    self.json.key("time")
    let time = WallTime(rfc3339: message.time)?.nanoseconds ?? 0
    self.json.raw(Self.seconds(microseconds: time / 1_000).utf8)
    self.json.member("opcode", message.kind.opcode)
    self.json.key("data")
    if message.kind == .text { self.json.value(payload.text) } else { self.json.base64(payload) }
    if message.isTruncated { self.json.member("_size", message.size) }
    self.json.endObject()
  }

  /// Exact to the microsecond, where a floating-point number would not print as it was.
  private static func seconds(microseconds: Int64) -> String {
    let fraction = String((microseconds % 1_000_000).magnitude)
    return "\(microseconds / 1_000_000)."
      + String(repeating: "0", count: 6 - fraction.count) + fraction
  }
}

extension SocketMessage.Kind {
  /// The number that frames bear (RFC 6455 §5.2).
  var opcode: Int {
    switch self {
    case .text: 1
    case .binary: 2
    case .close: 8
    case .ping: 9
    case .pong: 10
    }
  }
}
