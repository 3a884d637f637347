internal import TideCoding
internal import TideCore
internal import TideCrypto

/// Where contents lie: `bodies/ab/abcdef…` by the SHA-256 of the bytes as they were on the wire.
///
/// A file is a sequence of Zstandard frames (RFC 8878 §3.1), each of at most 64 KiB of content and
/// stating its size, so that writing and reading need no more memory than that.
enum BodyLayout {
  /// The most content of one frame, in bytes.
  static let frameContent = 64 << 10
  /// Level 1: this runs for every body that passes, and evidence is rarely worth a slower proxy.
  static let level: Int32 = 1

  static func relativePath(_ hex: String) -> String { "bodies/\(hex.prefix(2))/\(hex)" }
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
struct BodyStore {
  private let root: String
  private let access: StorageAccess
  private var known: Set<DigestKey> = []
  private var folders: Set<String> = []
  private var stored: [String] = []
  private var temporaries: UInt64 = 0

  init(root: String, access: StorageAccess) {
    self.root = root
    self.access = access
  }

  /// Keeps a whole content unless it is there already.
  ///
  /// - Returns: its digest.
  mutating func put(_ content: Bytes) throws(Abandoned) -> [UInt8] {
    let digest = Digest.sha256.hash(content)
    guard try !self.isKnown(digest) else { return digest }
    let temporary = self.makeTemporary()
    var start = 0
    repeat {
      let end = min(start + BodyLayout.frameContent, content.count)
      try self.append(content.slice(start..<end), to: temporary)
      start = end
    } while start < content.count
    try self.keep(temporary, as: digest)
    return digest
  }

  func append(_ content: Bytes, to temporary: String) throws(Abandoned) {
    let frame = Zstd.compress(content, level: BodyLayout.level)
    try self.access.append(frame.array, to: temporary)
  }

  mutating func makeTemporary() -> String {
    self.temporaries += 1
    return "\(self.root)/bodies/tmp/\(self.temporaries)"
  }

  /// Gives a finished temporary file its name.
  mutating func keep(_ temporary: String, as digest: [UInt8]) throws(Abandoned) {
    let hex = Hex.encode(digest)
    let folder = String(hex.prefix(2))
    if self.folders.insert(folder).inserted {
      try self.access.makeFolder("\(self.root)/bodies/\(folder)")
    }
    try self.access.rename(temporary, to: "\(self.root)/\(BodyLayout.relativePath(hex))")
    self.stored.append("\(self.root)/\(BodyLayout.relativePath(hex))")
    self.remember(digest)
  }

  /// The paths of what was stored since the last call, for making it durable.
  mutating func takeStored() -> [String] {
    defer { self.stored.removeAll() }
    return self.stored
  }

  /// Whether a content is there already; most that come twice come soon, so it is seldom asked of the
  /// file system.
  mutating func isKnown(_ digest: [UInt8]) throws(Abandoned) -> Bool {
    if self.known.contains(DigestKey(digest)) { return true }
    let path = "\(self.root)/\(BodyLayout.relativePath(Hex.encode(digest)))"
    guard self.access.exists(path) else { return false }
    self.remember(digest)
    return true
  }

  func discard(_ temporary: String) throws(Abandoned) { try self.access.remove(temporary) }

  private mutating func remember(_ digest: [UInt8]) {
    if self.known.count >= 65_536 { self.known.removeAll(keepingCapacity: true) }
    self.known.insert(DigestKey(digest))
  }
}

/// A content that arrives in pieces: hashed as it comes, at most one frame of it in memory.
final class OpenBody {
  let key: BodyKey
  private(set) var size: UInt64 = 0
  /// Whether a piece was dropped: what follows is not kept, for it would not be where it belongs.
  var isCut = false
  private var hasher = SHA256Hasher()
  private var pending = Bytes()
  private var temporary: String?

  init(_ key: BodyKey) { self.key = key }

  func append(_ content: Bytes, _ store: inout BodyStore) throws(Abandoned) {
    guard !self.isCut else { return }
    self.hasher.update(content)
    self.size += UInt64(content.count)
    var rest = content
    while self.pending.count + rest.count > BodyLayout.frameContent {
      let room = BodyLayout.frameContent - self.pending.count
      self.pending.append(rest.slice(0..<room))
      rest = rest.dropping(first: room)
      let temporary = self.temporary ?? store.makeTemporary()
      self.temporary = temporary
      try store.append(self.pending, to: temporary)
      self.pending = Bytes()
    }
    self.pending.append(rest)
  }

  /// Keeps the content under its digest, which it returns.
  func finish(_ store: inout BodyStore) throws(Abandoned) -> [UInt8] {
    let digest = self.hasher.finish()
    let isKnown = try store.isKnown(digest)
    guard let temporary = self.temporary else {
      if !isKnown {
        let temporary = store.makeTemporary()
        try store.append(self.pending, to: temporary)
        try store.keep(temporary, as: digest)
      }
      return digest
    }
    if isKnown {
      try store.discard(temporary)
    } else {
      try store.append(self.pending, to: temporary)
      try store.keep(temporary, as: digest)
    }
    return digest
  }
}
