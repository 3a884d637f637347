internal import TideCore

/// A place in a log.
struct LogPosition: Equatable, Sendable {
  /// The segment's number, from 1.
  var segment: Int
  /// In bytes from the segment's start.
  var offset: UInt64
}

/// One line of a log, without its newline.
struct LogLine {
  let position: LogPosition
  /// The line as it lies in the log: what hashes are of.
  let stored: Bytes
  /// The line with what is encrypted in it; empty if that cannot be opened.
  let bytes: Bytes
  /// Whether a newline ended it; if not, it is torn.
  let isWhole: Bool

  init(position: LogPosition, bytes: Bytes, isWhole: Bool, opener: LineOpener? = nil) {
    self.position = position
    self.stored = bytes
    self.bytes = opener.map { isWhole ? $0.open(bytes) ?? Bytes() : bytes } ?? bytes
    self.isWhole = isWhole
  }

  /// Where the next line begins.
  var next: LogPosition {
    LogPosition(
      segment: self.position.segment,
      offset: self.position.offset + UInt64(self.stored.count) + (self.isWhole ? 1 : 0)
    )
  }
}

/// Reads the lines of a folder's log in order, a piece of a segment at a time.
struct LogReader: Sendable {
  /// The most bytes of one line that are believed: a raw hello is at most 128 KiB, base64 a third more.
  static let longestLine = 4 << 20

  /// The case's folder.
  let root: String
  /// Those of an encrypted case, whose lines are read as they would be without encryption; nil to read them as they are.
  let keys: CaseKeys?
  /// The numbers of the segments that are there, in order.
  let segments: [Int]

  init(root: String, keys: CaseKeys?) throws(EvidenceFailure) {
    self.root = root
    self.keys = keys
    self.segments = try Folder.names(in: root + "/log").compactMap { name in
      guard name.hasSuffix(".ndjson"), name.utf8.count >= 13 else { return nil }
      return Int(name.dropLast(7))
    }
  }

  static func path(of segment: Int, in root: String) -> String {
    root + "/" + self.relativePath(of: segment)
  }

  static func relativePath(of segment: Int) -> String {
    let digits = String(segment)
    return "log/" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".ndjson"
  }

  /// Calls `body` with each line from `position` on, until it returns false.
  func forEachLine(
    from position: LogPosition = LogPosition(segment: 1, offset: 0),
    _ body: (LogLine) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) {
    for segment in self.segments where segment >= position.segment {
      let offset = segment == position.segment ? position.offset : 0
      let goesOn = try self.forEachLine(
        of: LogPosition(segment: segment, offset: offset),
        body
      )
      guard goesOn else { return }
    }
  }

  /// The line at a place.
  func line(at position: LogPosition) throws(EvidenceFailure) -> LogLine? {
    var found: LogLine?
    _ = try self.forEachLine(of: position, pieceSize: 16 << 10) { line throws(EvidenceFailure) in
      found = line
      return false
    }
    return found
  }

  /// The lines of one segment from a place on; false if `body` ended it.
  func forEachLine(
    of start: LogPosition,
    pieceSize: Int = 256 << 10,
    _ body: (LogLine) throws(EvidenceFailure) -> Bool
  ) throws(EvidenceFailure) -> Bool {
    let path = Self.path(of: start.segment, in: self.root)
    var file = try FileReader(path: path, from: start.offset, pieceSize: pieceSize)
    let opener = self.keys.map { LineOpener($0) }
    var position = start
    var rest = Bytes()
    while let piece = try file.next() {
      var piece = piece
      while let end = piece.firstNewline {
        var bytes = rest
        rest = Bytes()
        bytes.append(piece.slice(0..<end))
        piece = piece.dropping(first: end + 1)
        let line = LogLine(position: position, bytes: bytes, isWhole: true, opener: opener)
        position = line.next
        guard try body(line) else { return false }
      }
      rest.append(piece)
      guard rest.count <= Self.longestLine else {
        throw EvidenceFailure(
          .malformed,
          detail: "\(path): a line of more than \(Self.longestLine) bytes at \(position.offset)"
        )
      }
    }
    if rest.isEmpty { return true }
    return try body(LogLine(position: position, bytes: rest, isWhole: false))
  }
}

extension Bytes {
  fileprivate var firstNewline: Int? {
    unsafe self.withContiguousStorageIfAvailable { unsafe $0.firstIndex(of: 0x0A) } ?? nil
  }
}
