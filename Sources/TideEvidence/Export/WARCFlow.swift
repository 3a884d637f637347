internal import TideCore
internal import TideCrypto

/// One flow as records of a web archive.
struct WARCFlow {
  let flow: ExportFlow
  let source: ExportSource
  let writer: WARCWriter
  /// The identifier of the `warcinfo` record.
  let info: String

  private var number: String { self.flow.record.flow.description }
  private var uri: String { WARCWriter.uri(self.flow.url) }
  /// Records of one capture share its date (ISO 28500 §5.4).
  private var date: String { self.flow.record.started }

  /// Writes the records.
  func write(_ tally: inout ExportTally) throws(EvidenceFailure) {
    let request = self.writer.identifier("\(self.number) request")
    let response = self.writer.identifier("\(self.number) response")
    var first: String?
    if self.flow.isExchange {
      if let message = self.flow.message(.request) {
        let other = self.flow.response == nil ? nil : response
        try self.write(message, request, concurrent: other, &tally)
        first = request
      }
      if let message = self.flow.response {
        try self.write(message, response, concurrent: first, &tally)
        first = first ?? response
      }
    }
    try self.writeMetadata(concurrent: first)
    if self.flow.socketMessages > 0 { try self.writeSocketMessages(first, &tally) }
  }

  private func record(
    _ type: String,
    _ id: String,
    date: String? = nil,
    concurrent: String?
  ) -> WARCWriter.Record {
    var record = WARCWriter.Record(type: type, id: id, date: date ?? self.date)
    record.fields.append(("WARC-Target-URI", self.uri))
    if let address = self.flow.record.address {
      record.fields.append(("WARC-IP-Address", address))
    }
    record.fields.append(("WARC-Warcinfo-ID", self.info))
    if let concurrent { record.fields.append(("WARC-Concurrent-To", concurrent)) }
    return record
  }

  /// Writes a request or a response.
  private func write(
    _ message: ExportFlow.Message,
    _ id: String,
    concurrent: String?,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    let isRequest = message.direction == .request
    var record = self.record(
      isRequest ? "request" : "response",
      id,
      concurrent: concurrent
    )
    let type = isRequest ? "request" : "response"
    record.fields.append(("Content-Type", "application/http; msgtype=\(type)"))
    for name in self.protocols { record.fields.append(("WARC-Protocol", name)) }
    if let cipher = self.flow.connection.security?.cipher {
      record.fields.append(("WARC-Cipher-Suite", WARCWriter.oneLine(cipher)))
    }
    let head = self.source.head(message, of: self.flow)
    // Frames of a WebSocket are no payload of HTTP: its messages are records of their own.
    let body = self.flow.isWebSocket ? nil : message
    let content = try self.source.content(body, of: self.flow, RawHead(head), isDecoded: false)
    let read = try self.read(content, &tally)
    if read.truncation == nil, body?.body?.isComplete == false {
      record.fields.append(("WARC-Truncated", "disconnect"))
    } else if let truncation = read.truncation {
      record.fields.append(("WARC-Truncated", truncation))
    }
    record.payloadDigest = read.digest
    let start = WARCHead(
      head,
      self.flow.record,
      message.direction,
      contentSize: read.truncation == nil ? read.count : nil,
      isDecoded: self.source.shareSafe != nil
    ).bytes
    var hasher = SHA256Hasher()
    hasher.update(start)
    if let kept = read.kept {
      hasher.update(kept)
    } else if read.count > 0 {
      try content.forEachPiece { piece throws(EvidenceFailure) in hasher.update(piece) }
    }
    try self.writer.write(
      record,
      count: start.count + read.count,
      digest: Hex.encode(hasher.finish())
    ) { write throws(EvidenceFailure) in
      try write(start)
      if let kept = read.kept {
        try write(kept)
      } else if read.count > 0 {
        try content.forEachPiece(write)
      }
    }
  }

  /// A content's size and digest, and the content itself if it is small.
  private struct Reading {
    var count = 0
    var digest = ""
    var kept: Bytes? = Bytes()
    /// Why there is less than there was: a value of `WARC-Truncated`.
    var truncation: String?
  }

  private func read(
    _ content: ExportContent,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) -> Reading {
    var reading = Reading()
    var hasher = SHA256Hasher()
    var kept: [UInt8]? = []
    do throws(EvidenceFailure) {
      try content.forEachPiece { piece throws(EvidenceFailure) in
        hasher.update(piece)
        reading.count += piece.count
        if reading.count <= 1 << 20 { kept?.append(contentsOf: piece) } else { kept = nil }
      }
      reading.kept = kept.map { Bytes($0) }
      reading.digest = Hex.encode(hasher.finish())
    } catch {
      guard error.code == .notFound || error.code == .malformed else { throw error }
      tally.missing += 1
      reading = Reading()
      reading.digest = Hex.encode(Digest.sha256.hash(Bytes()))
      reading.truncation = "unspecified"
    }
    return reading
  }

  /// What the messages were carried by, in the words of archives.
  private var protocols: [String] {
    let security = self.flow.connection.security.flatMap { facts in
      ["TLSv1.3": "tls/1.3", "TLSv1.2": "tls/1.2", "TLSv1.1": "tls/1.1"][facts.version]
    }
    let http = ["h2": "h2", "grpc": "h2", "websocket": "ws"][self.flow.record.protocolName]
    return [http ?? "http/1.1"] + (self.flow.scheme == "https" ? [security].compactMap(\.self) : [])
  }

  /// Writes what HTTP does not say: the record that NDJSON has, trailers included.
  private func writeMetadata(concurrent: String?) throws(EvidenceFailure) {
    var json = JSONWriter()
    json.beginObject()
    json.write(self.flow, self.source.shareSafe)
    for (direction, name) in [
      (Direction.request, "request_trailers"), (.response, "response_trailers"),
    ] {
      let message = direction == .request ? self.flow.message(.request) : self.flow.response
      let trailers = self.source.trailers(message, of: self.flow)
      json.key(text: name)
      if trailers.isEmpty { json.null() } else { json.value(trailers.text) }
    }
    json.endObject()
    var record = self.record(
      "metadata",
      self.writer.identifier("\(self.number) metadata"),
      concurrent: concurrent
    )
    record.fields.append(("Content-Type", "application/json"))
    try self.writer.write(record, Bytes(json.bytes))
  }

  private func writeSocketMessages(
    _ handshake: String?,
    _ tally: inout ExportTally
  ) throws(EvidenceFailure) {
    var index = 0
    try self.source.reader.forEachSocketMessage(
      of: self.flow.record.flow
    ) { message throws(EvidenceFailure) in
      guard message.stage == .original else { return true }
      index += 1
      var record = self.record(
        "resource",
        self.writer.identifier("\(self.number) message \(index)"),
        date: message.time,
        concurrent: handshake
      )
      let isText = message.kind == .text
      record.fields.append(
        ("Content-Type", isText ? "text/plain; charset=utf-8" : "application/octet-stream")
      )
      let way = message.direction == .request ? "send" : "receive"
      record.fields.append(("WebSocket-Direction", way))
      record.fields.append(("WebSocket-Opcode", String(message.kind.opcode)))
      let reading = try self.read(try self.source.payload(message, of: self.flow), &tally)
      if let truncation = reading.truncation {
        record.fields.append(("WARC-Truncated", truncation))
      } else if message.isTruncated {
        record.fields.append(("WARC-Truncated", "length"))
      }
      record.payloadDigest = reading.digest
      try self.writer.write(record, reading.kept ?? Bytes())
      return true
    }
  }
}

/// A head as a web archive has it: of HTTP/1.1, for a content without transfer coding.
struct WARCHead {
  let bytes: Bytes

  /// Makes a head.
  ///
  /// - Parameters:
  ///   - head: as recorded; empty if none is kept.
  ///   - record: what is known of the flow beside.
  ///   - direction: whether it is a request's or a response's.
  ///   - contentSize: how many bytes follow; nil if that is not what the message had.
  ///   - isDecoded: whether content codings were taken off too.
  init(
    _ head: Bytes,
    _ record: FlowRecord,
    _ direction: Direction,
    contentSize: Int?,
    isDecoded: Bool
  ) {
    let raw = RawHead(head)
    let hasCoding = raw.first("transfer-encoding") != nil
    let isUnchanged = !raw.isHTTP2 && !hasCoding && !isDecoded && !raw.startLine.isEmpty
    if isUnchanged {
      self.bytes = head
      return
    }
    var lines = [raw.startLine.isEmpty ? Self.startLine(head, record, direction) : raw.startLine]
    if raw.isHTTP2, direction == .request, raw.first("host") == nil {
      lines.append("Host: \(Self.pseudoField(":authority", head) ?? record.host)")
    }
    var cookies: [String] = []
    for (name, value) in raw.fields {
      switch name.lowercased() {
      case "transfer-encoding": continue
      case "content-length" where contentSize ?? 0 > 0: continue
      case "content-encoding" where isDecoded: continue
      // HTTP/2 may split Cookie; HTTP/1.1 has one (RFC 9113 §8.2.3).
      case "cookie" where raw.isHTTP2: cookies.append(value)
      default: lines.append("\(name): \(value)")
      }
    }
    if !cookies.isEmpty { lines.append("cookie: \(cookies.joined(separator: "; "))") }
    let wasFramed = hasCoding || (raw.isHTTP2 && direction == .request && contentSize ?? 0 > 0)
    if let contentSize, contentSize > 0 || (wasFramed && raw.first("content-length") == nil) {
      lines.append("Content-Length: \(contentSize)")
    }
    self.bytes = Bytes(lines.map { $0 + "\r\n" }.joined() + "\r\n")
  }

  private static func startLine(
    _ head: Bytes,
    _ record: FlowRecord,
    _ direction: Direction
  ) -> String {
    switch direction {
    case .request:
      let method = self.pseudoField(":method", head) ?? record.method
      let path = self.pseudoField(":path", head) ?? record.urlPath
      return "\(method) \(path) HTTP/1.1"
    case .response:
      let status = self.pseudoField(":status", head) ?? String(record.status ?? 0)
      return "HTTP/1.1 \(status) "
    }
  }

  private static func pseudoField(_ name: String, _ head: Bytes) -> String? {
    for line in head.split(separator: 0x0A) {
      let text = String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      guard text.hasPrefix(":") else { return nil }
      guard text.hasPrefix(name + ":") else { continue }
      return String(text.dropFirst(name.count + 1).drop { $0 == " " })
    }
    return nil
  }
}
