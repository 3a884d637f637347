import TideCore

/// Takes chunked transfer coding off a body (RFC 9112 §7.1), up to where its trailer section begins.
///
/// Nothing is buffered: each octet of a size line changes the state and is forgotten. Extensions are
/// checked and dropped; the next hop gets chunks of our own.
struct ChunkedBody: Sendable {
  /// What the next octets are.
  private enum Phase {
    case size, blank, extensions, sizeLineFeed
    case data, dataCarriageReturn, dataLineFeed
  }

  /// What was found.
  enum Event {
    /// Content at these positions.
    case data(Range<Int>)
    /// The last chunk; the trailer section follows.
    case last
    /// All was consumed.
    case more
  }

  private var phase = Phase.size
  /// The chunk's size as far as it is read, then what is left of its data.
  private var remaining: UInt64 = 0
  private var digits = 0
  /// The octets of the current size line so far.
  private var lineCount = 0

  /// Consumes `span` from `at` on, up to the next event.
  ///
  /// - Throws: `.malformedChunk`.
  mutating func next(
    _ span: Span<UInt8>,
    at: inout Int,
    lineLimit: Int
  ) throws(HTTPFailure) -> Event {
    while at < span.count {
      switch self.phase {
      case .data:
        let start = at
        at += Int(min(self.remaining, UInt64(span.count - at)))
        self.remaining -= UInt64(at - start)
        if self.remaining == 0 { self.phase = .dataCarriageReturn }
        return .data(start..<at)
      case .dataCarriageReturn:
        guard span[at] == Octet.carriageReturn else {
          throw Self.failure("no CRLF after", span[at])
        }
        self.phase = .dataLineFeed
        at += 1
      case .dataLineFeed:
        guard span[at] == Octet.lineFeed else { throw Self.failure("no CRLF after", span[at]) }
        self = ChunkedBody()
        at += 1
      case .size, .blank, .extensions, .sizeLineFeed:
        self.lineCount += 1
        guard self.lineCount <= lineLimit else {
          throw HTTPFailure(.malformedChunk, detail: "a size line of more than \(lineLimit) bytes")
        }
        let isEnd = try self.readSizeLine(span[at])
        at += 1
        if isEnd, self.remaining == 0 { return .last }
      }
    }
    return .more
  }

  /// Reads `chunk-size [ chunk-ext ] CRLF`, an octet at a time; tells whether that was its end.
  private mutating func readSizeLine(_ byte: UInt8) throws(HTTPFailure) -> Bool {
    if self.phase == .sizeLineFeed {
      guard byte == Octet.lineFeed else { throw Self.failure("a bare CR in", byte) }
      self.phase = .data
      return true
    }
    if self.phase == .size, let digit = ASCII.hexValue(byte) {
      // Sixteen digits, and below 2⁶³: some recipients count in signed integers, some wrap around.
      guard self.digits < 16, self.remaining <= UInt64(Int64.max) >> 4 else {
        throw HTTPFailure(.malformedChunk, detail: "a chunk size of 2⁶³ or more")
      }
      self.digits += 1
      self.remaining = self.remaining << 4 | UInt64(digit)
      return false
    }
    guard self.digits > 0 else { throw Self.failure("no digit at the beginning of", byte) }
    switch byte {
    case Octet.carriageReturn where self.phase != .blank: self.phase = .sizeLineFeed
    case Octet.semicolon: self.phase = .extensions
    case Octet.space where self.phase == .size, Octet.tab where self.phase == .size:
      self.phase = .blank  // BWS belongs to an extension: only `;` may follow
    default:
      let isLegal = self.phase == .blank ? Octet.isBlank(byte) : self.phase == .extensions
      guard isLegal, Octet.isFieldText(byte) else {
        throw Self.failure("an illegal octet in", byte)
      }
    }
    return false
  }

  private static func failure(_ clause: String, _ byte: UInt8) -> HTTPFailure {
    HTTPFailure(.malformedChunk, "\(clause) a chunk", quoting: CollectionOfOne(byte))
  }
}
