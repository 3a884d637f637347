internal import TideCore

/// A line of the log as far as the index must know it: most are looked at and not read.
enum IndexedLine: Sendable {
  /// The index has nothing of it.
  case ignored
  /// That it is there, and of which connection.
  case listed(sequence: UInt64, type: String, ConnectionID)
  /// A head, and what is in it.
  case head(LogEvent, ContentWords.Head)
  /// A body or a message, and its words; nil if its head was not among the lines read with it.
  case content(LogEvent, [UInt8]?)
  /// What it says.
  case event(LogEvent)

  /// Types of which only the place is kept, as lines of their connection.
  private static let listed: [StaticString] = [
    "connection", "dns", "decided", "hello", "handshake",
  ]

  init(
    _ line: LogLine,
    in root: String,
    _ contents: inout ContentWords
  ) throws(EvidenceFailure) {
    if let start = LineStart(line.bytes) {
      if start.isType("segment") || start.isType("connection-end") {
        self = .ignored
        return
      }
      if let type = Self.listed.first(where: { start.isType($0) }),
        let connection = start.connection
      {
        self = .listed(sequence: start.sequence, type: type.description, connection)
        return
      }
    }
    let event = try LogEvent(line, in: root)
    switch event.type {
    case "segment", "connection-end": self = .ignored
    case "head":
      self = contents.head(event).map { .head(event, $0) } ?? .event(event)
    case "body": self = .content(event, contents.words(ofBody: event))
    case "message": self = .content(event, contents.words(ofMessage: event))
    default:
      if event.type == "flow-end" { contents.end(event) }
      if let connection = event.connection,
        Self.listed.contains(where: { $0.description == event.type })
      {
        self = .listed(sequence: event.sequence, type: event.type, connection)
      } else {
        self = .event(event)
      }
    }
  }
}

/// What every line begins with, read without reading the rest: `{"seq":7,"time":"…","type":"…","prev":"…"`.
struct LineStart {
  /// The line's number.
  let sequence: UInt64
  private let line: Bytes
  private let timeRange: Range<Int>
  private let type: Range<Int>
  /// Where the members of its own begin, with their comma.
  private let end: Int

  /// Reads the start of a line as we write it; nil for any other form, which may be as good.
  init?(_ line: Bytes) {
    let found: (UInt64, Range<Int>, Range<Int>, Int)? = line.withSpan { span in
      var cursor = LineCursor()
      guard cursor.take("{\"seq\":", in: span), let sequence = cursor.number(in: span),
        cursor.take(",\"time\":\"", in: span), let time = cursor.text(in: span),
        cursor.take(",\"type\":\"", in: span), let type = cursor.text(in: span),
        cursor.take(",\"prev\":\"", in: span), cursor.text(in: span) != nil
      else { return nil }
      return (sequence, time, type, cursor.index)
    }
    guard let (sequence, time, type, end) = found else { return nil }
    self.sequence = sequence
    self.line = line
    self.timeRange = time
    self.type = type
    self.end = end
  }

  /// When it was written, RFC 3339.
  var time: String { self.line.slice(self.timeRange).text }

  /// Whether its own members cannot be seen.
  var isEncrypted: Bool { self.continues(",\"sealed\":\"", at: self.end) }

  /// Whether its last member of its own is `sha256`.
  var endsWithDigest: Bool {
    self.continues("\"sha256\":\"", at: self.line.count - LineTail.length - 65 - 10)
  }

  private func continues(_ text: StaticString, at place: Int) -> Bool {
    place >= self.end && self.continues(text, from: place)
  }

  private func continues(_ text: StaticString, from place: Int) -> Bool {
    self.line.withSpan { span in
      var cursor = LineCursor(index: place)
      return cursor.take(text, in: span)
    }
  }

  /// Whether the line is of a type.
  func isType(_ name: StaticString) -> Bool {
    self.type.count == name.utf8CodeUnitCount && self.continues(name, from: self.type.lowerBound)
  }

  /// Its connection, if that is its first member.
  var connection: ConnectionID? {
    self.line.withSpan { span in
      var cursor = LineCursor(index: self.end)
      guard cursor.take(",\"connection\":\"c-", in: span), let number = cursor.number(in: span)
      else { return nil }
      return ConnectionID(number)
    }
  }
}
