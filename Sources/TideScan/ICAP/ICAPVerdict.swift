import TideCore
import TideProxy

/// What an ICAP answer means for the message that was asked about.
enum ICAPVerdict {
  /// Fields in which a service says what it found: of c-icap, and of the servers that came before it.
  private static let infections: [StaticString] = [
    "x-infection-found", "x-virus-id", "x-violations-found", "x-blocked-reason",
  ]

  /// Reads an answer.
  ///
  /// - Throws: `refused` if the service could not do its work, `malformed` if what it did is none.
  static func of(
    _ response: ICAPResponse,
    to request: ScanRequest
  ) throws(ScanFailure) -> ScanAnswer {
    switch response.status {
    case 204: return ScanAnswer()
    case 200: break
    default:
      throw ScanFailure(.refused, "the service answered \(response.status)")
    }
    guard let head = response.head else {
      throw ScanFailure(.malformed, "an answer without a message")
    }
    let threat = self.threat(response.fields)
    switch (request.direction, head.start) {
    case (.request, .response(let status, _)):
      return ScanAnswer(verdict: .refuse(reason: threat ?? "answered with \(status) in its place"))
    case (.response, .request):
      throw ScanFailure(.malformed, "a request in the place of a response")
    case (.request, .request(let method, let target)):
      // Where a request goes was decided before, and is not for a scanner to change.
      guard method == request.request.method, self.isSame(target, request) else {
        throw ScanFailure(.refused, "the service wants to send the request elsewhere")
      }
      if let threat, response.content.isEmpty {
        return ScanAnswer(verdict: .refuse(reason: threat))
      }
    case (.response, .response):
      if let threat { return ScanAnswer(verdict: .refuse(reason: threat)) }
    }
    guard self.isChanged(head, response.content, request) else { return ScanAnswer() }
    return ScanAnswer(verdict: .replace(head, content: response.content))
  }

  /// What was found, for people; nil if nothing was.
  private static func threat(_ fields: HeaderFields) -> String? {
    for name in self.infections {
      guard let value = fields.first(name), !value.isEmpty else { continue }
      let text = Array(value)
      let mark = Array("Threat=".utf8)
      guard
        let start = text.indices.first(where: { text[$0...].starts(with: mark) })
      else { return self.named(ScanFailure.quoted(text)) }
      return self.named(ScanFailure.quoted(text[(start + mark.count)...].prefix { $0 != 0x3B }))
    }
    return nil
  }

  private static func named(_ threat: String) -> String {
    threat.isEmpty ? "a threat without a name" : threat
  }

  private static func isSame(_ target: Bytes, _ request: ScanRequest) -> Bool {
    if target == request.request.target { return true }
    let line = ICAPExchange.requestHead(request).prefix { $0 != 0x0D }
    let words = line.split(separator: 0x20)
    return words.count == 3 && target.elementsEqual(words[1])
  }

  /// Whether a service that may not say 204 has changed anything: the fields by which hops frame and name
  /// themselves do not count.
  private static func isChanged(
    _ head: MessageHead,
    _ content: Bytes,
    _ request: ScanRequest
  ) -> Bool {
    let original = request.head
    return content != request.content || head.status != original.status
      || Self.lines(head.fields) != Self.lines(original.fields)
  }

  private static func lines(_ fields: HeaderFields) -> Set<[UInt8]> {
    var lines: Set<[UInt8]> = []
    for index in 0..<fields.count {
      let isHops =
        fields.isNamed("via", at: index) || fields.isNamed("connection", at: index)
        || fields.isNamed("transfer-encoding", at: index)
        || fields.isNamed("content-length", at: index) || fields.isNamed("trailer", at: index)
        || fields.isNamed("host", at: index)
      guard !isHops else { continue }
      lines.insert(
        fields.name(at: index).map(ASCII.lowercased) + [0x3A] + fields.value(at: index).array
      )
    }
    return lines
  }
}
