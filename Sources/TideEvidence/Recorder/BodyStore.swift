internal import TideCoding
internal import TideCore
internal import TideCrypto

/// Where contents lie: `bodies/ab/abcdef…` by the SHA-256 of the bytes as they were on the wire.
///
/// A file is a sequence of Zstandard frames (RFC 8878 §3.1), each of at most 64 KiB of content and
/// stating its size, so that writing and reading need no more memory than that. What is not over yet is
/// in `bodies/tmp/`, named by flow, direction and stage, so that it can be told whose it was after a kill.
enum BodyLayout {
  /// The most content of one frame, in bytes.
  static let frameContent = 64 << 10
  /// The most of a content that is not over that waits in memory, in bytes.
  static let mostInMemory = 1 << 20
  /// Level 1: this runs for every body that passes, and evidence is rarely worth a slower proxy.
  static let level: Int32 = 1

  /// How long the path of a content's folder is.
  static let folderLength = "bodies/ab".utf8.count

  /// The file of the content with this digest, in hexadecimal.
  static func relativePath(_ hex: String, _ keys: CaseKeys?) -> String {
    let name = self.name(hex, keys)
    return "bodies/\(name.prefix(2))/\(name)"
  }

  /// The name of that file: the digest, or what an encrypted case puts in its place.
  static func name(_ hex: String, _ keys: CaseKeys?) -> String {
    guard let keys, let digest = Hex.decode(hex.utf8) else { return hex }
    return Hex.encode(keys.name(of: digest))
  }

  /// `bodies/tmp/f-000042.request.original`.
  static func temporaryPath(_ key: BodyKey) -> String {
    "bodies/tmp/\(key.flow).\(key.direction.rawValue).\(key.stage.rawValue)"
  }

  /// One frame of a file, with at most `frameContent` bytes of content.
  static func frame(_ content: Bytes) -> Bytes { Zstd.compress(content, level: self.level) }

  /// A frame as it lies in a file.
  static func stored(_ frame: Bytes, _ sealer: inout BodySealer?) -> [UInt8] {
    guard sealer != nil else { return frame.array }
    var sealed: [UInt8] = []
    sealer?.write(frame, into: &sealed)
    return sealed
  }

  /// Whether a content is there, whole and as its digest says.
  static func holds(
    _ digest: String,
    in root: String,
    _ keys: CaseKeys?
  ) throws(EvidenceFailure) -> Bool {
    var hasher = SHA256Hasher()
    do throws(EvidenceFailure) {
      var body = try BodyReader(root: root, sha256: digest, keys: keys)
      while let piece = try body.next() { hasher.update(piece) }
    } catch {
      guard error.code == .malformed || error.code == .notFound else { throw error }
      return false
    }
    return Hex.encode(hasher.finish()) == digest
  }

  /// The key in the name of a temporary file; nil if it is another one.
  static func key(ofTemporary name: String) -> BodyKey? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].hasPrefix("f-"), let flow = FlowID(text: parts[0]),
      let direction = Direction(rawValue: String(parts[1])),
      let stage = BodyStage(rawValue: String(parts[2]))
    else { return nil }
    let key = BodyKey(flow: flow, direction: direction, stage: stage)
    // Only as we spell it: under its key it must be found again.
    return self.temporaryPath(key) == "bodies/tmp/" + name ? key : nil
  }
}

/// A digest as a key: 32 bytes without an array.
struct DigestKey: Hashable, Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  init(_ digest: [UInt8]) {
    func word(_ index: Int) -> UInt64 {
      digest.dropFirst(index * 8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
    self.words = (word(0), word(1), word(2), word(3))
  }

  static func == (a: DigestKey, b: DigestKey) -> Bool { a.words == b.words }

  func hash(into hasher: inout Hasher) { hasher.combine(self.words.0) }
}

/// Writes contents; confined to the writer's thread.
///
/// No file stays open: a content, or some frames of one that is not over, is an open, a write and a close. So thousands of bodies that grow at once
/// need no descriptors, and `pendingBytes` of memory, which its owner keeps within bounds.
struct BodyStore: ~Copyable {
  /// How much memory is kept for the next content.
  private static let mostSpareBytes = 2 << 20
  private static let mostSpareRooms = 8

  private let root: String
  private let keys: CaseKeys?
  private let access: StorageAccess
  /// How many files were begun, of an encrypted case.
  private var files: UInt64 = 0
  private var known: Set<DigestKey> = []
  /// Whether what is not `known` is not there: so it is until some are forgotten.
  private var knowsAll: Bool
  /// The first bytes of the digests whose folders are there.
  private var folders: Set<UInt8> = []
  private let compressor = ZstdCompressor(level: BodyLayout.level)
  /// What is compressed and goes to a file; kept for its memory alone.
  private var frames: [UInt8] = []
  private var recent = RecentContents()
  /// Room for large contents, each for `mostInMemory` and a frame more: to take it from the system anew each time
  /// costs as much as to hash what it holds.
  private var spareRooms: [[UInt8]] = []
  private var stored: [String] = []
  /// Contents that lines name since a plan to remove some was begun; nil if there is none.
  private var named: Set<DigestKey>?
  /// The memory of all contents that are not over.
  var pendingBytes = 0
  /// Counts the sweeps that spill what has waited long.
  var sweep: UInt64 = 1

  init(root: String, keys: CaseKeys?, isNew: Bool, access: StorageAccess) {
    self.root = root
    self.keys = keys
    self.knowsAll = isNew
    self.access = access
  }

  /// Keeps a whole content unless it is there already.
  ///
  /// - Returns: its digest.
  mutating func put(_ content: Bytes) throws(Abandoned) -> [UInt8] {
    let digest = self.recent.digest(of: content)
    guard try !self.isKnown(digest) else { return digest }
    var sealer = self.makeSealer()
    self.fillFrames(content, &sealer)
    if let sealer { self.frames.append(contentsOf: sealer.end(digest: digest)) }
    // Under its name at once: what a crash leaves of it no line names, and it is read before it stands for the
    // same content (`isKnown`).
    let path = try self.makePath(of: digest)
    try self.access.append(self.frames, to: path)
    self.giveBackFrames()
    self.stored.append(path)
    self.remember(digest)
    return digest
  }

  /// What encrypts the next file; nil if the case is not encrypted.
  mutating func makeSealer() -> BodySealer? {
    guard let keys = self.keys else { return nil }
    self.files += 1
    return BodySealer(keys, number: keys.fileNumber(self.files))
  }

  /// Adds frames to the file of a content that is not over.
  mutating func append(
    _ content: Bytes,
    to key: BodyKey,
    _ sealer: inout BodySealer?
  ) throws(Abandoned) {
    self.fillFrames(content, &sealer)
    try self.access.append(self.frames, to: self.temporaryPath(key))
    self.giveBackFrames()
  }

  /// Room for a large content that is not over.
  mutating func takeRoom() -> [UInt8] {
    if let room = self.spareRooms.popLast() { return room }
    var room: [UInt8] = []
    room.reserveCapacity(BodyLayout.mostInMemory + BodyLayout.frameContent)
    return room
  }

  /// Takes back room that nobody else has.
  mutating func giveRoom(_ room: consuming [UInt8]) {
    guard room.capacity > BodyLayout.mostInMemory, self.spareRooms.count < Self.mostSpareRooms
    else { return }
    room.removeAll(keepingCapacity: true)
    self.spareRooms.append(room)
  }

  /// Compresses a content, as it lies in a file, into `frames`; an empty one is an empty frame.
  private mutating func fillFrames(_ content: Bytes, _ sealer: inout BodySealer?) {
    self.frames.removeAll(keepingCapacity: true)
    var start = 0
    repeat {
      let end = min(start + BodyLayout.frameContent, content.count)
      let part = content.slice(start..<end)
      if sealer == nil {
        self.compressor.compress(part, into: &self.frames)
      } else {
        sealer?.write(self.compressor.compress(part), into: &self.frames)
      }
      start = end
    } while start < content.count
  }

  /// One large content would else stay for good.
  private mutating func giveBackFrames() {
    if self.frames.capacity > Self.mostSpareBytes { self.frames = [] }
  }

  /// Gives the file of a content that is over its name; or removes it if the content is there already.
  ///
  /// - Parameters:
  ///   - key: whose it is.
  ///   - digest: of the content.
  ///   - sealer: what encrypted it; nil if it is not encrypted, or has its end.
  /// - Throws: if the recorder is closed before it succeeds.
  mutating func keep(
    _ key: BodyKey,
    as digest: [UInt8],
    _ sealer: BodySealer? = nil
  ) throws(Abandoned) {
    let temporary = self.temporaryPath(key)
    if try self.isKnown(digest) {
      try self.access.remove(temporary)
    } else {
      if let sealer { try self.access.append(sealer.end(digest: digest), to: temporary) }
      try self.keep(temporary, as: digest)
    }
  }

  /// The paths of what was stored since the last call, for making it durable.
  mutating func takeStored() -> [String] {
    defer { self.stored.removeAll() }
    return self.stored
  }

  /// Begins to note which contents lines name.
  mutating func beginToName() { self.named = [] }

  /// The contents that lines name since then; notes no more.
  mutating func takeNamed() -> Set<DigestKey> {
    defer { self.named = nil }
    return self.named ?? []
  }

  /// Takes note that a content was removed.
  mutating func forget(_ hex: String) {
    if let digest = Hex.decode(hex.utf8) { self.known.remove(DigestKey(digest)) }
  }

  private func temporaryPath(_ key: BodyKey) -> String {
    "\(self.root)/\(BodyLayout.temporaryPath(key))"
  }

  /// Gives a finished temporary file its name.
  private mutating func keep(_ temporary: String, as digest: [UInt8]) throws(Abandoned) {
    let path = try self.makePath(of: digest)
    try self.access.rename(temporary, to: path)
    self.stored.append(path)
    self.remember(digest)
  }

  /// Where a content goes, in a folder that is there.
  private mutating func makePath(of digest: [UInt8]) throws(Abandoned) -> String {
    let name = self.keys?.name(of: digest) ?? digest
    if let first = name.first, self.folders.insert(first).inserted {
      try self.access.makeFolder("\(self.root)/bodies/\(Hex.encode([first]))")
    }
    return "\(self.root)/\(BodyLayout.relativePath(Hex.encode(name), nil))"
  }

  /// Whether a content is there already; most that come twice come soon, so it is seldom asked of the
  /// file system.
  ///
  /// A file that some recorder before left is read: of one that no line names yet, a power failure may have
  /// left the name and not the content.
  private mutating func isKnown(_ digest: [UInt8]) throws(Abandoned) -> Bool {
    self.named?.insert(DigestKey(digest))
    if self.known.contains(DigestKey(digest)) { return true }
    guard !self.knowsAll else { return false }
    let hex = Hex.encode(digest)
    let path = "\(self.root)/\(BodyLayout.relativePath(hex, self.keys))"
    guard self.access.exists(path) else { return false }
    guard try self.access.holds(hex, in: self.root, self.keys) else {
      try self.access.remove(path)
      return false
    }
    self.remember(digest)
    return true
  }

  private mutating func remember(_ digest: [UInt8]) {
    if self.known.count >= 65_536 {
      self.known.removeAll(keepingCapacity: true)
      self.knowsAll = false
    }
    self.known.insert(DigestKey(digest))
  }
}
