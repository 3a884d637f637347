import TideCore

/// Where server-sent events end: at a blank line (HTML, "Parsing an event stream").
///
/// A line ends with LF, CR or CRLF. Whether a CR is followed by its LF may only be known with the next read,
/// so a blank line's CR waits for it, unless the line before ended with a CR alone: then the sender
/// writes CR, and an event must not wait for the next one to be complete.
struct EventUnits {
  private enum State {
    /// Nothing of the event has come.
    case start
    /// As `start`, right after a CR that ended the event before.
    case startAfterReturn
    /// Within a line.
    case line
    /// After a line that ended with LF or CRLF.
    case afterLine
    /// After a line that ended with CR, so far.
    case afterReturn
    /// After a blank line that ended with CR, so far.
    case blank
  }

  private var state = State.start

  var isBetweenUnits: Bool {
    switch self.state {
    case .start, .startAfterReturn: true
    case .line, .afterLine, .afterReturn, .blank: false
    }
  }

  mutating func receive(_ bytes: Bytes, _ pieces: inout [UnitPiece]) {
    var start = 0
    while start < bytes.count {
      let (end, endsUnit) = bytes.withSpan { self.read($0, from: start) }
      pieces.append(UnitPiece(bytes: bytes.slice(start..<end), endsUnit: endsUnit))
      start = end
    }
  }

  /// Reads on to the end of the event, or of what is there; an event can end where the reading begins.
  private mutating func read(_ span: Span<UInt8>, from start: Int) -> (end: Int, endsUnit: Bool) {
    var at = start
    while at < span.count {
      let byte = span[at]
      switch (self.state, byte) {
      case (.blank, Octet.lineFeed), (.start, Octet.lineFeed), (.afterLine, Octet.lineFeed):
        self.state = .start
        return (at + 1, true)
      case (.blank, _):
        self.state = .start
        return (at, true)
      case (.afterReturn, Octet.carriageReturn), (.startAfterReturn, Octet.carriageReturn):
        self.state = .startAfterReturn
        return (at + 1, true)
      case (.start, Octet.carriageReturn), (.afterLine, Octet.carriageReturn):
        self.state = .blank
        at += 1
      case (.startAfterReturn, Octet.lineFeed), (.afterReturn, Octet.lineFeed),
        (.line, Octet.lineFeed):
        // After a CR it belongs to the line end before it.
        self.state = .afterLine
        at += 1
      case (.line, Octet.carriageReturn):
        self.state = .afterReturn
        at += 1
      case (.start, _), (.startAfterReturn, _), (.afterLine, _), (.afterReturn, _), (.line, _):
        self.state = .line
        at = span.firstLineEnd(from: at + 1)
      }
    }
    return (at, false)
  }
}
