internal import TideCore
internal import TideCrypto

/// A content that arrives in pieces: at most one frame of it in memory, the rest in a temporary file.
///
/// Most contents are small and over before they leave memory: those are hashed at once, and written to
/// one file when they are over.
final class OpenBody {
  let key: BodyKey
  private(set) var size: UInt64 = 0
  /// Whether a piece was dropped: what follows is not kept, for it would not be where it belongs.
  var isCut: Bool
  /// Of what was spilled; nil if nothing was.
  private var hasher: SHA256Hasher?
  /// Of what was spilled in an encrypted case.
  private var sealer: BodySealer?
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

  func append(_ content: Bytes, _ store: inout BodyStore) throws(Abandoned) {
    guard !self.isCut else { return }
    let before = self.pending.capacity
    if self.pending.isEmpty { self.sweep = store.sweep }
    self.size += UInt64(content.count)
    var rest = content
    while self.pending.count + rest.count > BodyLayout.frameContent {
      let room = BodyLayout.frameContent - self.pending.count
      self.pending.append(contentsOf: rest.slice(0..<room))
      rest = rest.dropping(first: room)
      try self.writeFrame(&store)
      self.pending.removeAll(keepingCapacity: true)
      self.sweep = store.sweep
    }
    self.pending.append(contentsOf: rest)
    store.pendingBytes += self.pending.capacity - before
  }

  /// Writes what is in memory to the temporary file, and gives the memory back.
  func spill(_ store: inout BodyStore) throws(Abandoned) {
    if !self.pending.isEmpty { try self.writeFrame(&store) }
    self.release(&store)
  }

  /// Keeps the content under its digest, which it returns.
  func finish(_ store: inout BodyStore) throws(Abandoned) -> [UInt8] {
    guard self.hasher != nil else {
      let digest = try store.put(Bytes(self.pending))
      self.release(&store)
      return digest
    }
    try self.spill(&store)
    let digest = self.hasher?.finish() ?? []
    try store.keep(self.key, as: digest, self.sealer)
    return digest
  }

  private func writeFrame(_ store: inout BodyStore) throws(Abandoned) {
    if self.hasher == nil {
      self.hasher = SHA256Hasher()
      self.sealer = store.makeSealer()
    }
    self.hasher?.update(self.pending)
    try store.append(Bytes(self.pending), to: self.key, &self.sealer)
  }

  private func release(_ store: inout BodyStore) {
    store.pendingBytes -= self.pending.capacity
    self.pending = []
  }
}
