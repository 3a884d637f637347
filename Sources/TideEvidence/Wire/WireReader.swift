internal import TideCore

/// Reads one file of wire/, record by record.
struct WireReader: ~Copyable {
  private let path: String
  private let segment: Int
  private var file: FileReader
  private var pending = Bytes()
  private var hasHeader = false
  /// How many bytes from the start are whole: the header and the records read.
  private(set) var offset: UInt64 = 0
  /// How many bytes after them are half a header or half a record; known once there is no next.
  private(set) var tornBytes: UInt64 = 0

  init(root: String, segment: Int) throws(EvidenceFailure) {
    let path = WireFormat.path(of: segment, in: root)
    self.file = try FileReader(path: path)
    self.path = path
    self.segment = segment
  }

  /// The next record; nil where there is no whole one.
  ///
  /// - Throws: `malformed` if what is there cannot be a header or a record, not even half of one.
  mutating func next() throws(EvidenceFailure) -> WireRecord? {
    if !self.hasHeader {
      guard try self.fill(WireFormat.headerSize) else {
        try self.checkMagic()
        return self.end()
      }
      try self.checkMagic()
      guard self.number(at: 8, 4) == UInt64(WireFormat.version),
        self.number(at: 12, 4) == UInt64(clamping: self.segment)
      else { throw self.malformed("not a file of this version, or not the one of its name") }
      self.take(WireFormat.headerSize)
      self.hasHeader = true
    }
    guard try self.fill(WireFormat.recordHeaderSize) else { return self.end() }
    let kind = self.pending[0]
    let length = Int(clamping: self.number(at: 17, 4))
    // What a power failure can leave is zeros: 0 is no kind, so that they do not read as records.
    guard kind != 0, length <= WireFormat.mostContent else {
      throw self.malformed("no record at byte \(self.offset)")
    }
    guard try self.fill(WireFormat.recordHeaderSize + length) else { return self.end() }
    let record = WireRecord(
      kind: kind,
      connection: ConnectionID(self.number(at: 1, 8)),
      time: WallTime(nanoseconds: Int64(bitPattern: self.number(at: 9, 8))),
      content: self.pending.slice(
        WireFormat.recordHeaderSize..<WireFormat.recordHeaderSize + length
      )
    )
    self.take(WireFormat.recordHeaderSize + length)
    return record
  }

  /// Whether that many bytes are there, after reading on if need be.
  private mutating func fill(_ count: Int) throws(EvidenceFailure) -> Bool {
    while self.pending.count < count {
      guard let piece = try self.file.next() else { return false }
      self.pending.append(piece)
    }
    return true
  }

  private mutating func take(_ count: Int) {
    self.pending = self.pending.dropping(first: count)
    self.offset += UInt64(count)
  }

  private mutating func end() -> WireRecord? {
    self.tornBytes = UInt64(self.pending.count)
    return nil
  }

  private func checkMagic() throws(EvidenceFailure) {
    guard self.pending.prefix(8).elementsEqual(WireFormat.magic.prefix(self.pending.count)) else {
      throw self.malformed("not one of ours")
    }
  }

  private func number(at index: Int, _ size: Int) -> UInt64 {
    self.pending.slice(index..<index + size).reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func malformed(_ what: String) -> EvidenceFailure {
    EvidenceFailure(.malformed, detail: "\(self.path): \(what)")
  }
}

/// Where wire/ of a case that is continued goes on.
struct WireTail: Sendable {
  /// Of a case that has none yet.
  static let none = WireTail()

  /// The segment to write to next.
  private(set) var segment = 1
  /// How many bytes of it are whole; 0 if it has no header yet.
  private(set) var length: UInt64 = 0
  /// How many bytes after them were half a record.
  private(set) var tornBytes: UInt64 = 0

  /// Reads the last segment; one that does not read as ours is left alone, and the next one begun.
  static func find(in root: String) throws(EvidenceFailure) -> WireTail {
    var tail = WireTail()
    guard let last = try WireFormat.segments(in: root).last else { return tail }
    tail.segment = last
    var reader = try WireReader(root: root, segment: last)
    do throws(EvidenceFailure) {
      while try reader.next() != nil {}
      tail.length = reader.offset
      tail.tornBytes = reader.tornBytes
    } catch {
      guard error.code == .malformed else { throw error }
      tail.segment = last + 1
    }
    return tail
  }

  /// Cuts what is torn.
  func repair(_ root: String) throws(EvidenceFailure) {
    guard self.tornBytes > 0 else { return }
    let file = try PosixStorage().append(to: WireFormat.path(of: self.segment, in: root))
    try file.truncate(to: self.length)
  }

  /// Writes the members of the line that says what was cut.
  func write(into json: inout JSONWriter) {
    json.member("segment", self.segment)
    json.member("bytes", self.tornBytes)
  }
}
