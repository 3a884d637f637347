internal import TideCore
internal import TideCrypto

/// What a `wire` line says: the first bytes of a file of wire/ have this digest.
struct WireExtent: Equatable, Sendable {
  /// The file's number.
  let segment: Int
  /// How many bytes from its start.
  let bytes: UInt64
  /// Their SHA-256.
  let sha256: [UInt8]

  /// Writes the members of its line.
  func write(into json: inout JSONWriter) {
    json.member("segment", self.segment)
    json.member("bytes", self.bytes)
    json.key("sha256")
    json.hex(self.sha256)
  }
}

/// Appends records to the files of wire/; confined to the writer's thread.
struct WireLog: ~Copyable {
  private let root: String
  /// Hides what records hold; nil if the case is not encrypted.
  private let cipher: WireCipher?
  private let access: StorageAccess
  private let settings: RecorderSettings
  private var segment: Int
  private var length: UInt64
  private var pending: [UInt8] = []
  /// Of the file being written, from its start.
  private var hasher = SHA256Hasher()
  /// How many bytes of the file `hasher` has taken; what a continued case has is read when it grows.
  private var hashed: UInt64 = 0
  /// How many bytes of it an extent was taken of.
  private var extended: UInt64 = 0
  private var finished: [WireExtent] = []
  /// The file being written; nil until there is something to write.
  private(set) var file: (any StoredFile)?

  init(
    root: String,
    keys: CaseKeys?,
    tail: WireTail,
    access: StorageAccess,
    settings: RecorderSettings
  ) {
    self.root = root
    self.cipher = keys.map { WireCipher($0) }
    self.access = access
    self.settings = settings
    self.segment = tail.segment
    self.length = tail.length
    self.extended = tail.length
  }

  /// What was written since the last call and is with the system, for the lines that put it under the
  /// chain.
  mutating func takeExtents() -> [WireExtent] {
    var extents = self.finished
    self.finished = []
    if let current = self.takeCurrent() { extents.append(current) }
    return extents
  }

  /// Takes records as `WireFormat.write` makes them.
  mutating func append(records: [UInt8]) throws(Abandoned) {
    guard self.settings.keepsWire, !records.isEmpty else { return }
    let end = self.length + UInt64(WireFormat.headerSize + self.pending.count + records.count)
    guard self.cipher == nil, end < self.settings.segmentSize else {
      // Each is bound to its place, or one of them begins the next file.
      try WireFormat.forEach(Bytes(records)) {
        (kind, content, connection, time) throws(Abandoned) in
        try self.append(kind, content, of: connection, at: time)
      }
      return
    }
    if self.length == 0, self.pending.isEmpty {
      WireFormat.writeHeader(of: self.segment, into: &self.pending)
    }
    try self.flush()
    try self.write(records)
  }

  /// Takes a record.
  mutating func append(
    _ kind: WireFormat.Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    at time: WallTime
  ) throws(Abandoned) {
    guard self.settings.keepsWire, content.count <= WireFormat.mostPiece else { return }
    if self.length + UInt64(self.pending.count) >= self.settings.segmentSize {
      try self.rotate()
    } else if self.pending.count >= 256 << 10 {
      try self.flush()
    }
    if self.length == 0, self.pending.isEmpty {
      WireFormat.writeHeader(of: self.segment, into: &self.pending)
    }
    guard let cipher = self.cipher else {
      WireFormat.write(kind, content, of: connection, at: time, into: &self.pending)
      return
    }
    let place = WirePlace(
      segment: self.segment,
      offset: self.length + UInt64(self.pending.count),
      kind: kind.rawValue,
      connection: connection,
      time: time
    )
    let sealed = cipher.seal(content, at: place)
    WireFormat.write(kind, sealed, of: connection, at: time, into: &self.pending)
  }

  /// Hands what is written to the system.
  mutating func flush() throws(Abandoned) {
    guard !self.pending.isEmpty else { return }
    try self.write(self.pending)
    self.pending.removeAll(keepingCapacity: true)
  }

  private mutating func write(_ bytes: [UInt8]) throws(Abandoned) {
    let file: any StoredFile
    if let open = self.file {
      file = open
    } else {
      try self.access.makeFolder(self.root + "/wire")
      file = try self.access.open(WireFormat.path(of: self.segment, in: self.root))
      self.file = file
    }
    if self.hashed < self.length { try self.hashWhatIsThere() }
    try self.access.append(bytes, to: file)
    self.hasher.update(bytes)
    self.length += UInt64(bytes.count)
    self.hashed = self.length
  }

  private mutating func rotate() throws(Abandoned) {
    try self.flush()
    if let file = self.file { try self.access.sync(file) }
    if let current = self.takeCurrent() { self.finished.append(current) }
    _ = self.hasher.finish()
    self.file = nil
    self.segment += 1
    self.length = 0
    self.hashed = 0
    self.extended = 0
  }

  private mutating func takeCurrent() -> WireExtent? {
    guard self.extended < self.length else { return nil }
    self.extended = self.length
    return WireExtent(
      segment: self.segment,
      bytes: self.length,
      sha256: self.hasher.digestSoFar()
    )
  }

  /// Takes what a recorder before wrote to the file that goes on.
  private mutating func hashWhatIsThere() throws(Abandoned) {
    let path = WireFormat.path(of: self.segment, in: self.root)
    _ = self.hasher.finish()
    try self.access.forEachPiece(of: path, count: self.length) { self.hasher.update($0) }
    self.hashed = self.length
  }
}
