import TideCore

/// Reads one head or trailer section, however its bytes are cut.
///
/// Works on complete lines. A line whose end has not come is tried once, then only searched for its
/// end from where the last search stopped: the time is linear in the bytes even if they come singly.
struct HeadParser: Sendable {
  /// What is being read.
  enum Section: Sendable { case request, response, trailers }

  /// The limits of a section.
  struct Bounds: Sendable {
    var bytes: Int
    var fields: Int
  }

  /// The first line, as positions in the buffer.
  private enum Start {
    case missing
    case request(method: Int, target: Range<Int>, HTTPVersion)
    case response(status: Int, reason: Range<Int>, HTTPVersion)
  }

  private let section: Section
  private var start = Start.missing
  private var slots: [HeaderFields.Slot] = []
  /// Where the first line begins that is not parsed yet.
  private var position = 0
  /// Up to where that line's end has been looked for; `position` if it is new.
  private var searched = 0

  init(_ section: Section) { self.section = section }

  /// Parses on; `buffer` holds the section from its first byte, and more at each call.
  ///
  /// - Returns: the section's size with its empty line, or nil if it has not all come.
  /// - Throws: `.malformedHead`, `.unsupported`, or `.headTooLarge` as soon as the section cannot end
  ///   within its bounds.
  mutating func parse(_ buffer: Bytes, within bounds: Bounds) throws(HTTPFailure) -> Int? {
    try buffer.withSpan { (span) throws(HTTPFailure) in
      try self.parse(span.extracting(0..<min(span.count, bounds.bytes)), within: bounds)
    }
  }

  /// The head in `raw`, which is as long as `parse` said.
  func head(_ raw: Bytes) -> MessageHead? {
    let fields = HeaderFields(buffer: raw, slots: self.slots)
    switch self.start {
    case .missing: return nil
    case .request(let method, let target, let version):
      let start = StartLine.request(method: raw.slice(0..<method), target: raw.slice(target))
      return MessageHead(start: start, version: version, fields: fields, raw: raw)
    case .response(let status, let reason, let version):
      let start = StartLine.response(status: status, reason: raw.slice(reason))
      return MessageHead(start: start, version: version, fields: fields, raw: raw)
    }
  }

  /// The fields in `raw`, which is as long as `parse` said.
  func fields(_ raw: Bytes) -> HeaderFields { HeaderFields(buffer: raw, slots: self.slots) }

  private mutating func parse(
    _ span: Span<UInt8>,
    within bounds: Bounds
  ) throws(HTTPFailure) -> Int? {
    let isFull = span.count == bounds.bytes
    if self.searched > self.position, !isFull, !self.findsLineFeed(span) { return nil }
    if case .missing = self.start, self.section != .trailers {
      self.slots.reserveCapacity(16)
      guard let next = try self.parseStart(span) else { return try self.wait(span, isFull) }
      self.position = next
    }
    while self.position < span.count {
      if span[self.position] == Octet.carriageReturn {
        guard self.position + 1 < span.count else { break }
        guard span[self.position + 1] == Octet.lineFeed else {
          throw HTTPFailure(.malformedHead, detail: "a bare CR at the beginning of a line")
        }
        return self.position + 2
      }
      guard let (slot, next) = try Self.parseField(span, from: self.position) else { break }
      guard self.slots.count < bounds.fields else {
        throw HTTPFailure(.headTooLarge, detail: "more than \(bounds.fields) fields")
      }
      self.slots.append(slot)
      self.position = next
    }
    return try self.wait(span, isFull)
  }

  /// Remembers how far the bytes went, if more may come.
  private mutating func wait(_ span: Span<UInt8>, _ isFull: Bool) throws(HTTPFailure) -> Int? {
    guard !isFull else {
      throw HTTPFailure(.headTooLarge, detail: "no end within \(span.count) bytes")
    }
    self.searched = span.count
    return nil
  }

  private mutating func findsLineFeed(_ span: Span<UInt8>) -> Bool {
    while self.searched < span.count {
      if span[self.searched] == Octet.lineFeed { return true }
      self.searched += 1
    }
    return false
  }

  private mutating func parseStart(_ span: Span<UInt8>) throws(HTTPFailure) -> Int? {
    switch self.section {
    case .request:
      guard let line = try RequestLine.parse(span) else { return nil }
      self.start = .request(method: line.methodEnd, target: line.target, line.version)
      return line.next
    case .response:
      guard let line = try StatusLine.parse(span) else { return nil }
      self.start = .response(status: line.status, reason: line.reason, line.version)
      return line.next
    case .trailers: return 0
    }
  }

  /// Reads `field-name ":" OWS field-value OWS CRLF` (RFC 9112 §5); nil if its end has not come.
  @inline(__always)
  private static func parseField(
    _ span: Span<UInt8>,
    from start: Int
  ) throws(HTTPFailure) -> (HeaderFields.Slot, Int)? {
    var at = start
    while at < span.count, Octet.isToken(span[at]) { at &+= 1 }
    guard at < span.count else { return nil }
    // White space before the colon, an empty name and obs-fold all end here (RFC 9112 §5.1, §5.2).
    guard span[at] == Octet.colon, at > start else { throw self.nameFailure(span, start) }
    let nameEnd = at
    at &+= 1
    while at < span.count, Octet.isBlank(span[at]) { at &+= 1 }
    let valueStart = at
    at = span.endOfFieldText(from: at)
    guard at < span.count else { return nil }
    guard span[at] == Octet.carriageReturn else {
      throw self.valueFailure(span, start..<nameEnd, at)
    }
    guard at + 1 < span.count else { return nil }
    guard span[at + 1] == Octet.lineFeed else {
      throw self.valueFailure(span, start..<nameEnd, at)
    }
    var valueEnd = at
    while valueEnd > valueStart, Octet.isBlank(span[valueEnd - 1]) { valueEnd &-= 1 }
    return (HeaderFields.Slot(name: start..<nameEnd, value: valueStart..<valueEnd), at + 2)
  }

  /// Quotes a name only: what follows a colon, or continues a value, may be a credential.
  private static func nameFailure(_ span: Span<UInt8>, _ start: Int) -> HTTPFailure {
    if Octet.isBlank(span[start]) {
      return HTTPFailure(.malformedHead, detail: "white space at the beginning of a line")
    }
    let line = (start..<min(start + 65, span.count)).map { span[$0] }
    let name = line.prefix { $0 != Octet.colon && $0 != Octet.lineFeed }
    return HTTPFailure(.malformedHead, "not a field name", quoting: name)
  }

  private static func valueFailure(
    _ span: Span<UInt8>,
    _ name: Range<Int>,
    _ at: Int
  ) -> HTTPFailure {
    let byte = ASCII.hex(CollectionOfOne(span[at]))
    let clause = "octet 0x\(byte) may not stand in the value of"
    return HTTPFailure(.malformedHead, clause, quoting: name.map { span[$0] })
  }
}
