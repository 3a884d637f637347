internal import TideCore

/// Reads one file of wire/, record by record.
struct WireReader: ~Copyable {
  private let path: String
  private let segment: Int
  /// Shows what records hold; nil if they are read as they lie there.
  private let cipher: WireCipher?
  private var file: FileReader
  private var pending = Bytes()
  private var hasHeader = false
  /// How many bytes from the start are whole: the header and the records read.
  private(set) var offset: UInt64 = 0
  /// What comes after them; known once there is no next.
  private(set) var rest = WireRest.nothing

  /// Begins to read.
  ///
  /// - Parameters:
  ///   - root: the case's folder.
  ///   - segment: the file's number.
  ///   - keys: those of an encrypted case; nil if what records hold is not asked for.
  /// - Throws: what the file system says.
  init(root: String, segment: Int, keys: CaseKeys?) throws(EvidenceFailure) {
    let path = WireFormat.path(of: segment, in: root)
    self.file = try FileReader(path: path)
    self.path = path
    self.segment = segment
    self.cipher = keys.map { WireCipher($0) }
  }

  /// The next record; nil where there is no whole one, or one that is not as it was encrypted.
  ///
  /// - Throws: `malformed` if the file has another header than its own, as one of a later version has.
  mutating func next() throws(EvidenceFailure) -> WireRecord? {
    if !self.hasHeader {
      let isWhole = try self.fill(WireFormat.headerSize)
      // What a power failure can leave is zeros: no header begins with one.
      if self.pending.first == 0 { return try self.endAtNoRecord() }
      try self.checkMagic()
      guard isWhole else { return self.end() }
      guard self.number(at: 8, 4) == UInt64(WireFormat.version),
        self.number(at: 12, 4) == UInt64(clamping: self.segment)
      else { throw self.malformed("not a file of this version, or not the one of its name") }
      self.take(WireFormat.headerSize)
      self.hasHeader = true
    }
    guard try self.fill(WireFormat.recordHeaderSize) else { return self.end() }
    let kind = self.pending[0]
    let length = Int(clamping: self.number(at: 17, 4))
    // Nor is 0 a kind: zeros do not read as records.
    guard kind != 0, length <= WireFormat.mostContent else { return try self.endAtNoRecord() }
    guard try self.fill(WireFormat.recordHeaderSize + length) else { return self.end() }
    let connection = ConnectionID(self.number(at: 1, 8))
    let time = WallTime(nanoseconds: Int64(bitPattern: self.number(at: 9, 8)))
    var content = self.pending.slice(
      WireFormat.recordHeaderSize..<WireFormat.recordHeaderSize + length
    )
    if let cipher = self.cipher {
      let place = WirePlace(
        segment: self.segment,
        offset: self.offset,
        kind: kind,
        connection: connection,
        time: time
      )
      guard let opened = cipher.open(content, at: place) else {
        return try self.endAtNoRecord()
      }
      content = opened
    }
    self.take(WireFormat.recordHeaderSize + length)
    return WireRecord(kind: kind, connection: connection, time: time, content: content)
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
    if !self.pending.isEmpty { self.rest = .half(UInt64(self.pending.count)) }
    return nil
  }

  /// Counts what is left: nothing in it tells where a record would begin.
  private mutating func endAtNoRecord() throws(EvidenceFailure) -> WireRecord? {
    var count = UInt64(self.pending.count)
    while let piece = try self.file.next() { count += UInt64(piece.count) }
    self.rest = .noRecord(count)
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

/// What comes after the last whole record of a file of wire/.
enum WireRest: Equatable {
  /// Nothing.
  case nothing
  /// So many bytes, half a header or half a record: what a killed recorder leaves.
  case half(UInt64)
  /// So many bytes that begin as no record does: what a power failure leaves.
  case noRecord(UInt64)

  /// How many bytes it is.
  var count: UInt64 {
    switch self {
    case .nothing: 0
    case .half(let count), .noRecord(let count): count
    }
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
  /// How many bytes after them were no whole record.
  private(set) var tornBytes: UInt64 = 0

  /// Reads the last segment; one with another header is left alone, and the next one begun.
  static func find(in root: String, keys: CaseKeys?) throws(EvidenceFailure) -> WireTail {
    var tail = WireTail()
    guard let last = try WireFormat.segments(in: root).last else { return tail }
    tail.segment = last
    var reader = try WireReader(root: root, segment: last, keys: keys)
    do throws(EvidenceFailure) {
      while try reader.next() != nil {}
      tail.length = reader.offset
      tail.tornBytes = reader.rest.count
    } catch {
      guard error.code == .malformed else { throw error }
      tail.segment = last + 1
    }
    return tail
  }

  /// Cuts what is torn.
  func repair(_ root: String) throws(EvidenceFailure) {
    guard self.tornBytes > 0 else { return }
    // Not synced: if power fails before the next sync, the same is cut once more.
    let file = try PosixStorage().append(to: WireFormat.path(of: self.segment, in: root))
    try file.truncate(to: self.length)
  }

  /// Writes the members of the line that says what was cut.
  func write(into json: inout JSONWriter) {
    json.member("segment", self.segment)
    json.member("bytes", self.tornBytes)
  }
}
