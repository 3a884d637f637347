import TideCore

/// A request line (RFC 9112 §3), as positions in its buffer.
struct RequestLine {
  /// Longer than any registered method; a client that sends more is not speaking HTTP.
  static let maxMethod = 32

  let methodEnd: Int
  let target: Range<Int>
  let version: HTTPVersion
  let next: Int

  /// Reads `method SP request-target SP HTTP-version CRLF`; nil if its end has not come.
  static func parse(_ span: Span<UInt8>) throws(HTTPFailure) -> RequestLine? {
    var at = 0
    while at < span.count, at < Self.maxMethod, Octet.isToken(span[at]) { at &+= 1 }
    guard at < span.count else { return nil }
    guard span[at] == Octet.space, at > 0 else {
      throw HTTPFailure(.malformedHead, "not a request line", quoting: span.line(from: 0))
    }
    let methodEnd = at
    at = span.endOfTargetText(from: at + 1)
    guard at < span.count else { return nil }
    guard span[at] == Octet.space, at > methodEnd + 1 else {
      throw HTTPFailure(
        .malformedHead,
        "not a request target and version",
        quoting: span.line(from: methodEnd + 1)
      )
    }
    let target = methodEnd + 1..<at
    guard let version = try span.version(from: at + 1) else { return nil }
    let end = at + 9
    guard end < span.count else { return nil }
    guard let next = try span.endOfLine(at: end) else { return nil }
    return RequestLine(methodEnd: methodEnd, target: target, version: version, next: next)
  }

  /// Refuses a request that names no host, or more than one (RFC 9112 §3.2).
  ///
  /// A CONNECT may leave Host out, as old clients do: it is routed by its target, and Host goes no further.
  static func checkHost(_ head: MessageHead) throws(HTTPFailure) {
    let slots = head.fields.slots
    var count = 0
    for index in slots.indices
    where slots[index].name.count == 4 && head.fields.isNamed("host", at: index) {
      count += 1
    }
    guard count < 2 else { throw HTTPFailure(.malformedHead, detail: "more than one Host") }
    guard count == 1 || head.version == .http10 || AnsweredMethod(head.method) == .connect else {
      throw HTTPFailure(.malformedHead, detail: "no Host")
    }
  }
}

/// A status line (RFC 9112 §4), as positions in its buffer.
struct StatusLine {
  let status: Int
  let reason: Range<Int>
  let version: HTTPVersion
  let next: Int

  /// Reads `HTTP-version SP 3DIGIT [ SP [ reason-phrase ] ] CRLF`; nil if its end has not come.
  ///
  /// The space after the code is not optional in the grammar, but many servers leave it out.
  static func parse(_ span: Span<UInt8>) throws(HTTPFailure) -> StatusLine? {
    guard let version = try span.version(from: 0) else { return nil }
    var status = 0
    for at in 8..<12 {
      guard at < span.count else { return nil }
      let isRight = at == 8 ? span[at] == Octet.space : ASCII.isDigit(span[at])
      guard isRight else {
        throw HTTPFailure(.malformedHead, "not a status line", quoting: span.line(from: 0))
      }
      if at > 8 { status = status * 10 + Int(span[at] & 0x0F) }
    }
    guard status >= 100 else {
      throw HTTPFailure(.malformedHead, detail: "status \(status) is below 100")
    }
    guard 12 < span.count else { return nil }
    var at = 12
    if span[12] == Octet.space {
      at = 13
      at = span.endOfFieldText(from: at)
      guard at < span.count else { return nil }
    }
    guard let next = try span.endOfLine(at: at) else { return nil }
    return StatusLine(status: status, reason: min(13, at)..<at, version: version, next: next)
  }
}

extension Span<UInt8> {
  /// Reads `HTTP/1.x` at `start` (RFC 9112 §2.3); nil if it has not all come.
  fileprivate func version(from start: Int) throws(HTTPFailure) -> HTTPVersion? {
    let name: StaticString = "HTTP/1."
    for offset in 0..<8 {
      guard start + offset < self.count else { return nil }
      let byte = self[start + offset]
      let isRight =
        switch offset {
        case 5, 7: ASCII.isDigit(byte)
        default: name.withUTF8Buffer { unsafe $0[offset] == byte }
        }
      guard isRight else {
        throw HTTPFailure(.malformedHead, "not a version", quoting: self.line(from: start))
      }
    }
    guard self[start + 5] == 0x31 else {
      throw HTTPFailure(.unsupported, "a version", quoting: self.line(from: start))
    }
    // A later minor version is what we speak and more (RFC 9110 §2.5).
    return self[start + 7] == 0x30 ? .http10 : .http11
  }

  /// The position after the CRLF at `at`; nil if it has not all come.
  fileprivate func endOfLine(at: Int) throws(HTTPFailure) -> Int? {
    guard at < self.count else { return nil }
    guard self[at] == Octet.carriageReturn else {
      throw HTTPFailure(.malformedHead, "no CRLF at its end", quoting: self.line(from: 0))
    }
    guard at + 1 < self.count else { return nil }
    guard self[at + 1] == Octet.lineFeed else {
      throw HTTPFailure(.malformedHead, "a bare CR", quoting: self.line(from: 0))
    }
    return at + 2
  }

  /// Up to 65 bytes of the line at `start`, for a failure to quote.
  fileprivate func line(from start: Int) -> ArraySlice<UInt8> {
    (start..<Swift.min(start + 65, self.count)).map { self[$0] }.prefix { $0 != Octet.lineFeed }
  }
}
