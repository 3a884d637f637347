internal import TideCore
internal import TideCrypto

/// A content that arrives in pieces: up to a MiB of it in memory, the rest in a temporary file.
///
/// Most contents are over before they leave memory: those are hashed at once, and written to one file when
/// they are over, or to none if the case has them. Most of those are one piece and over in the batch that it came with: it is
/// not copied.
final class OpenBody {
  /// From here on it has room for all that it may come to: to grow by halves is to copy it twice.
  private static let large = 256 << 10

  let key: BodyKey
  private(set) var size: UInt64 = 0
  /// Whether a piece was dropped: what follows is not kept, for it would not be where it belongs.
  var isCut: Bool
  /// Of what was spilled; nil if nothing was.
  private var hasher: SHA256Hasher?
  /// Of what was spilled in an encrypted case.
  private var sealer: BodySealer?
  /// The only piece so far, shared with whoever read it; for no longer than its batch lasts (`own`).
  private var borrowed = Bytes()
  /// Copied, not shared: a slice would keep all of what was read with it.
  private var pending: [UInt8] = []
  /// The sweep that comes after the first of `pending`.
  private var sweep: UInt64 = 0

  init(_ key: BodyKey, isCut: Bool) {
    self.key = key
    self.isCut = isCut
  }

  /// The memory that pieces take.
  var pendingBytes: Int { self.pending.capacity }

  /// Whether some piece has waited since before the last sweep.
  func hasWaited(_ store: borrowing BodyStore) -> Bool {
    !self.pending.isEmpty && self.sweep < store.sweep
  }

  /// Takes the next piece.
  ///
  /// - Returns: whether it is shared with whoever read it, and `own` is to be called when its batch ends.
  func append(_ content: Bytes, _ store: inout BodyStore) throws(Abandoned) -> Bool {
    guard !self.isCut, !content.isEmpty else { return false }
    if self.size == 0, content.count <= BodyLayout.frameContent {
      self.size = UInt64(content.count)
      self.borrowed = content
      return true
    }
    self.own(&store)
    let before = self.pending.capacity
    if self.pending.isEmpty { self.sweep = store.sweep }
    self.size += UInt64(content.count)
    if self.pending.count + content.count > self.pending.capacity, self.pending.count >= Self.large
    {
      var room = store.takeRoom()
      room.append(contentsOf: self.pending)
      self.pending = room
    }
    self.pending.append(contentsOf: content)
    store.pendingBytes += self.pending.capacity - before
    guard self.pending.count > BodyLayout.mostInMemory else { return false }
    try self.write(self.pending.count / BodyLayout.frameContent * BodyLayout.frameContent, &store)
    self.sweep = store.sweep
    return false
  }

  /// Copies what it shares.
  func own(_ store: inout BodyStore) {
    guard !self.borrowed.isEmpty else { return }
    let content = self.borrowed
    self.borrowed = Bytes()
    self.sweep = store.sweep
    self.pending.append(contentsOf: content)
    store.pendingBytes += self.pending.capacity
  }

  /// Writes what is in memory to the temporary file, and gives the memory back.
  func spill(_ store: inout BodyStore) throws(Abandoned) {
    self.own(&store)
    if !self.pending.isEmpty { try self.write(self.pending.count, &store) }
    self.release(&store)
  }

  /// Keeps the content under its digest, which it returns.
  func finish(_ store: inout BodyStore) throws(Abandoned) -> [UInt8] {
    guard self.hasher != nil else {
      let digest = try store.put(self.borrowed.isEmpty ? Bytes(self.pending) : self.borrowed)
      self.borrowed = Bytes()
      self.release(&store)
      return digest
    }
    try self.spill(&store)
    let digest = self.hasher?.finish() ?? []
    try store.keep(self.key, as: digest, self.sealer)
    return digest
  }

  /// Moves the first `count` bytes to the temporary file.
  private func write(_ count: Int, _ store: inout BodyStore) throws(Abandoned) {
    if self.hasher == nil {
      self.hasher = SHA256Hasher()
      self.sealer = store.makeSealer()
    }
    let before = self.pending.capacity
    do {
      let content = Bytes(self.pending).slice(0..<count)
      self.hasher?.update(content)
      try store.append(content, to: self.key, &self.sealer)
    }
    self.pending.removeSubrange(0..<count)
    store.pendingBytes += self.pending.capacity - before
  }

  private func release(_ store: inout BodyStore) {
    store.pendingBytes -= self.pending.capacity
    var room: [UInt8] = []
    swap(&room, &self.pending)
    store.giveRoom(room)
  }
}
