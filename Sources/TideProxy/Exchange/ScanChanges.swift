import TideCoding
import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// What becomes of a message that a scanner found something in, or made another of.
extension ConnectionMachine {
  /// Replaces what scanners found, at its place, in the held content; false if the message was stopped.
  ///
  /// Nobody here can tell what it is, and so find it again: letters and digits of it become others, all else
  /// stays, so that the content is as well-formed as before. What has no place cannot be replaced.
  func maskScanned(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    let names = self.context.scanners.map(\.name)
    let found = relay.findings.filter { names.contains($0.inspector) }
    guard let first = found.first else { return true }
    relay.findings.removeAll { names.contains($0.inspector) }
    let what = "what scanner \(first.inspector) found"
    guard found.allSatisfy({ !$0.range.isEmpty }) else {
      return self.cannotRedact(relay, exchange, what)
    }
    let body = relay.takeHeld()
    guard let masked = Self.masked(body, relay.head.fields, found.map(\.range), self.context.limits)
    else {
      relay.hold(body)
      return self.cannotRedact(relay, exchange, what)
    }
    relay.hold(masked)
    if masked.count != body.count, relay.declaredSize != nil,
      let index = relay.outgoing?.fields.firstIndex(named: "content-length")
    {
      relay.outgoing?.fields.replaceValue(at: index, with: Bytes(String(masked.count)))
    }
    // What is replaced for our own findings as well is recorded after that.
    if self.context.keepsBodies, !relay.findings.contains(where: { $0.location == .body }) {
      self.record(.body(exchange.flow, relay.direction, .sent, masked))
    }
    return true
  }

  /// Content with ranges of what its coding holds masked; nil if they are not in it, or it cannot be decoded.
  private static func masked(
    _ body: Bytes,
    _ fields: HeaderFields,
    _ ranges: [Range<Int>],
    _ limits: Limits
  ) -> Bytes? {
    var codings: [ContentCoding] = []
    for value in fields.all("content-encoding") {
      guard let chain = ContentCoding.chain(value) else { return nil }
      codings += chain
    }
    var decoder = ContentDecoder(
      codings,
      limits: DecodingLimits(decodedBytes: limits.decodedBytes, ratio: limits.decodedRatio)
    )
    var pieces: [Bytes] = []
    do throws(CodingFailure) {
      try decoder.decode(body, &pieces)
      try decoder.finish()
    } catch {
      return nil
    }
    var plain: [UInt8] = []
    for piece in pieces { plain += piece.array }
    for range in ranges {
      guard range.lowerBound >= 0, range.upperBound <= plain.count else { return nil }
      var isEscaped = false
      for index in range {
        let byte = plain[index]
        plain[index] = isEscaped ? 0x78 : self.mask(byte)
        isEscaped = byte == 0x5C && !isEscaped
      }
    }
    return ContentEncoder.encode(Bytes(plain), codings, like: body)
  }

  /// What stands for a byte that was found: `1` for a digit, so that a number stays one, `x` for letters, for
  /// what escapes others and for what is no ASCII.
  private static func mask(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x30...0x39: 0x31
    case 0x41...0x5A: 0x58
    case 0x61...0x7A, 0x25, 0x5C, 0x80...: 0x78
    default: byte
    }
  }

  /// Puts a scanner's form of a message in its place; false if it cannot be redacted and was stopped.
  func replace(
    _ relay: MessageRelay,
    _ exchange: Exchange,
    by head: MessageHead,
    _ content: Bytes
  ) -> Bool {
    var content = content
    relay.effective = Self.replaced(relay.head, by: head)
    // What rules want replaced is looked for anew: positions of the original mean nothing here.
    if relay.plan.mayRedact, !self.redactReplacement(&content, relay, exchange) { return false }
    let hasContent = Self.frame(&relay.effective, content, exchange, relay)
    switch relay.direction {
    case .request: break
    case .response:
      exchange.status = relay.effective.status
      if case .http1 = exchange.wire {
        relay.rewrite = .response(.length(UInt64(content.count)))
      }
    }
    relay.isHeadLast = !hasContent
    relay.trailers = nil
    relay.dropHeld()
    if hasContent { relay.hold(content) }
    relay.outgoing = self.rewritten(relay, exchange)
    relay.isReplaced = true
    if self.context.keepsBodies {
      self.record(.body(exchange.flow, relay.direction, .sent, content))
    }
    return true
  }

  /// A head with a scanner's fields: a request keeps its line, and each version its own form.
  private static func replaced(_ original: MessageHead, by head: MessageHead) -> MessageHead {
    var fields = HeaderFields()
    for index in 0..<head.fields.count {
      var name = head.fields.name(at: index)
      if original.version == .http2 {
        if original.pseudo != nil, head.fields.isNamed("host", at: index) { continue }
        name = Bytes(name.map(ASCII.lowercased))
      }
      fields.append(name: name, value: head.fields.value(at: index))
    }
    let isRequest = !original.method.isEmpty
    return MessageHead(
      start: isRequest ? original.start : head.start,
      version: original.version,
      fields: fields,
      pseudo: original.pseudo
    )
  }

  /// Frames content that is there as a whole; whether any is sent with the head.
  private static func frame(
    _ head: inout MessageHead,
    _ content: Bytes,
    _ exchange: Exchange,
    _ relay: MessageRelay
  ) -> Bool {
    let hadLength = head.fields.firstIndex(named: "content-length") != nil
    head.fields.removeAll("transfer-encoding")
    head.fields.removeAll("content-length")
    head.fields.removeAll("trailer")
    let isBare = relay.direction == .response && (head.status == 204 || head.status == 304)
    if !isBare, hadLength || !content.isEmpty || relay.direction == .response {
      head.fields.append(name: "content-length", value: Bytes(String(content.count)))
    }
    let isForHead = relay.direction == .response && exchange.answersHead
    return !isBare && !isForHead && !content.isEmpty
  }

  private func redactReplacement(
    _ content: inout Bytes,
    _ relay: MessageRelay,
    _ exchange: Exchange
  ) -> Bool {
    let inspection = exchange.inspection
    let inHead = inspection.inspect(head: relay.effective, direction: relay.direction)
    if !inHead.isEmpty {
      if let redacted = inspection.redact(
        head: relay.effective,
        direction: relay.direction,
        findings: inHead
      ) {
        relay.effective = redacted.head
      } else if !self.cannotRedact(relay, exchange, "the head") {
        return false
      }
    }
    var found: [Finding] = []
    if let body = inspection.makeBodyInspection(head: relay.effective, direction: relay.direction) {
      body.receive(content, &found)
      body.finish(&found)
    }
    guard !found.isEmpty else { return true }
    guard
      let redacted = inspection.redact(
        body: content,
        head: relay.effective,
        direction: relay.direction,
        findings: found
      )
    else { return self.cannotRedact(relay, exchange, "the body") }
    content = redacted.body
    return true
  }
}
