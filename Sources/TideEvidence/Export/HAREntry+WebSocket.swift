internal import TideCore
internal import TideCrypto

extension HAREntry {
  /// Writes the messages as they came: `{type, time, opcode, data}`, `time` in seconds since 1970.
  ///
  /// As in Chromium's developer tools, the data of an opcode other than 1 (text) is in base64. Control
  /// frames are there too, by their opcodes.
  func writeSocketMessages(
    into json: inout JSONWriter,
    flush: (inout JSONWriter) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    json.key("_webSocketMessages")
    json.beginArray()
    try self.reader.forEachSocketMessage(of: self.record.flow) { message throws(EvidenceFailure) in
      guard message.stage == .original else { return true }
      try self.write(message, into: &json)
      try flush(&json)
      return true
    }
    json.endArray()
  }

  private func write(
    _ message: SocketMessageRecord,
    into json: inout JSONWriter
  ) throws(EvidenceFailure) {
    var payload = Bytes()
    if let digest = message.sha256 {
      payload = try self.reader.body(digest, limit: HARExporter.longestContent)
    }
    json.beginObject()
    json.member("type", message.direction == .request ? "send" : "receive")
    json.key("time")
    let time = WallTime(rfc3339: message.time)?.nanoseconds ?? 0
    json.raw(Self.seconds(microseconds: time / 1_000).utf8)
    json.member("opcode", message.kind.opcode)
    json.key("data")
    if message.kind == .text { json.value(payload.text) } else { json.base64(payload) }
    if message.isTruncated { json.member("_size", message.size) }
    json.endObject()
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
  fileprivate var opcode: Int {
    switch self {
    case .text: 1
    case .binary: 2
    case .close: 8
    case .ping: 9
    case .pong: 10
    }
  }
}
