public import TideCore

/// How content that goes on and on is made of units, each of which means something by itself.
public enum UnitFraming: Hashable, Sendable {
  /// Length-prefixed messages: gRPC, and gRPC-Web in its binary form.
  case grpc
  /// Server-sent events: `text/event-stream`.
  case events
  /// A line each: newline-delimited JSON and its relatives.
  case lines

  /// The framing by Content-Type; nil if the content has no units that can be told apart.
  ///
  /// What is compressed as a whole has none. A gRPC message is compressed by itself; where there is a
  /// Content-Encoding too, a server that knows no gRPC takes it off all of the content.
  public static func of(_ fields: HeaderFields) -> UnitFraming? {
    // Two types are no type: the recipient may read either.
    guard let type = fields.only("content-type"), let framing = self.of(mediaType: type) else {
      return nil
    }
    let isPlain = fields.all("content-encoding").allSatisfy { value in
      ListElements(value).allSatisfy { $0.isText("identity") }
    }
    return isPlain ? framing : nil
  }

  private static func of(mediaType value: Bytes) -> UnitFraming? {
    var end = value.firstIndex(of: Octet.semicolon) ?? value.count
    while end > 0, Octet.isBlank(value[end - 1]) { end -= 1 }
    let type = value.slice(0..<end)
    if type.isText("text/event-stream") { return .events }
    if self.lineTypes.contains(where: { type.isText($0) }) { return .lines }
    // The suffix names the messages' own format: application/grpc+proto. The text form of gRPC-Web,
    // application/grpc-web-text, is base64.
    let base = type.slice(0..<(type.firstIndex(of: 0x2B) ?? type.count))
    return base.isText("application/grpc") || base.isText("application/grpc-web") ? .grpc : nil
  }

  private static let lineTypes: [StaticString] = [
    "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl",
    "application/jsonlines", "application/x-jsonlines", "application/json-seq",
  ]
}
