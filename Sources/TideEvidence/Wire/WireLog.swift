internal import TideCore

/// Appends records to the files of wire/; confined to the writer's thread.
struct WireLog: ~Copyable {
  private let root: String
  private let access: StorageAccess
  private let settings: RecorderSettings
  private var segment: Int
  private var length: UInt64
  private var pending: [UInt8] = []
  /// The file being written; nil until there is something to write.
  private(set) var file: (any StoredFile)?

  init(root: String, tail: WireTail, access: StorageAccess, settings: RecorderSettings) {
    self.root = root
    self.access = access
    self.settings = settings
    self.segment = tail.segment
    self.length = tail.length
  }

  /// Takes a record.
  mutating func append(
    _ kind: WireFormat.Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    at time: WallTime
  ) throws(Abandoned) {
    guard self.settings.keepsWire, content.count <= WireFormat.mostContent else { return }
    if self.length + UInt64(self.pending.count) >= self.settings.segmentSize {
      try self.rotate()
    } else if self.pending.count >= 256 << 10 {
      try self.flush()
    }
    if self.length == 0, self.pending.isEmpty {
      WireFormat.writeHeader(of: self.segment, into: &self.pending)
    }
    WireFormat.write(kind, content, of: connection, at: time, into: &self.pending)
  }

  /// Hands what is written to the system.
  mutating func flush() throws(Abandoned) {
    guard !self.pending.isEmpty else { return }
    let file: any StoredFile
    if let open = self.file {
      file = open
    } else {
      try self.access.makeFolder(self.root + "/wire")
      file = try self.access.open(WireFormat.path(of: self.segment, in: self.root))
      self.file = file
    }
    try self.access.append(self.pending, to: file)
    self.length += UInt64(self.pending.count)
    self.pending.removeAll(keepingCapacity: true)
  }

  private mutating func rotate() throws(Abandoned) {
    try self.flush()
    if let file = self.file { try self.access.sync(file) }
    self.file = nil
    self.segment += 1
    self.length = 0
  }
}
