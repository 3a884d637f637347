internal import Glibc
internal import Synchronization

/// The real file system.
struct PosixStorage: Storage {
  /// How many files are synced one by one; more by one flush of the file system that they are on.
  static let mostSyncedPaths = 64

  private let failed = FailedSyncs()
  private let fileSystems: FileSystems?

  /// - Parameter flush: `syncfs`, or nil if there is none.
  init(flush: (@Sendable (Int32) -> Int32)? = FileSystems.syncfs) {
    self.fileSystems = flush.map { FileSystems(flush: $0) }
  }

  func append(to path: String) throws(EvidenceFailure) -> any StoredFile {
    let descriptor = unsafe Glibc.open(
      path,
      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
      0o600
    )
    guard descriptor >= 0 else { throw .system("open it for writing", path) }
    return PosixFile(descriptor: descriptor, path: path)
  }

  func rename(_ path: String, to final: String) throws(EvidenceFailure) {
    guard unsafe Glibc.rename(path, final) == 0 else { throw .system("take its final name", path) }
  }

  func makeFolder(_ path: String) throws(EvidenceFailure) {
    guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw .system("make the folder", path)
    }
  }

  func sync(_ paths: [String]) throws(EvidenceFailure) {
    // A name lasts once the folder that it is in does (fsync(2)).
    var folders: Set<String> = []
    for path in paths {
      if let slash = path.lastIndex(of: "/") { folders.insert(String(path[..<slash])) }
    }
    // One flush costs less than a journal commit for each of many small bodies.
    if paths.count > Self.mostSyncedPaths, let fileSystems = self.fileSystems {
      return try self.syncing(paths) { () throws(EvidenceFailure) in
        try fileSystems.flush(folders)
      }
    }
    for path in paths { try self.sync(path) }
    for folder in folders.subtracting(paths) { try self.sync(folder) }
  }

  private func sync(_ path: String) throws(EvidenceFailure) {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open it", path) }
    defer { close(descriptor) }
    try self.syncing([path]) { () throws(EvidenceFailure) in
      guard fsync(descriptor) == 0 else { throw .system("make it durable", path) }
    }
  }

  /// Syncs; what a sync before failed to make durable is written once more first.
  private func syncing(
    _ paths: [String],
    _ sync: () throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    let before = self.failed.among(paths)
    for path in before { try Rewriting.rewrite(path, from: 0) }
    do throws(EvidenceFailure) {
      try sync()
    } catch {
      self.failed.insert(paths)
      throw error
    }
    self.failed.remove(before)
  }

  func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  func remove(_ path: String) throws(EvidenceFailure) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .system("remove it", path) }
  }
}

/// Files of which a sync failed.
private final class FailedSyncs: Sendable {
  private let paths = Mutex<Set<String>>([])

  func among(_ paths: [String]) -> [String] {
    self.paths.withLock { failed in failed.isEmpty ? [] : paths.filter { failed.contains($0) } }
  }

  func insert(_ paths: [String]) { self.paths.withLock { $0.formUnion(paths) } }
  func remove(_ paths: [String]) { self.paths.withLock { $0.subtract(paths) } }
}

/// Owns one file descriptor.
final class PosixFile: StoredFile {
  private struct Synced {
    /// Up to where a sync has succeeded.
    var count: UInt64 = 0
    var hasFailed = false
    /// Up to where it was given back to the system's cache.
    var dropped: UInt64 = 0
  }

  /// How much of the end of a file is left in the system's cache: whoever follows a case reads there.
  private static let cachedTail: UInt64 = 16 << 20

  private let descriptor: Int32
  private let path: String
  private let synced: Mutex<Synced>

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
    self.synced = Mutex(Synced())
  }

  deinit { close(self.descriptor) }

  func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int {
    while true {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(
          self.descriptor,
          buffer.baseAddress.map { unsafe $0 + start },
          buffer.count - start
        )
      }
      if written > 0 { return written }
      guard written < 0, errno == EINTR else { throw .system("write", self.path) }
    }
  }

  func truncate(to count: UInt64) throws(EvidenceFailure) {
    guard ftruncate(self.descriptor, off_t(clamping: count)) == 0 else {
      throw .system("cut it", self.path)
    }
    self.synced.withLock { synced in
      synced.count = min(synced.count, count)
      synced.dropped = min(synced.dropped, count)
    }
  }

  func sync() throws(EvidenceFailure) {
    let before = self.synced.withLock { $0 }
    if before.hasFailed { try Rewriting.rewrite(self.path, from: before.count) }
    let count = Self.size(self.descriptor)
    guard fdatasync(self.descriptor) == 0 else {
      let number = errno
      self.synced.withLock { $0.hasFailed = true }
      throw .system(number, "make it durable", self.path)
    }
    self.synced.withLock { $0 = Synced(count: count, dropped: $0.dropped) }
    self.dropBehind(count)
  }

  /// Gives the memory back that what is durable takes in the system's cache.
  ///
  /// A case grows by gigabytes that nobody reads soon: it would push out what others on the machine do read,
  /// and each write would want a new page, which under a hypervisor costs several times the copy into it.
  private func dropBehind(_ count: UInt64) {
    let dropped = self.synced.withLock { $0.dropped }
    guard count >= dropped + 2 * Self.cachedTail else { return }
    let end = count - Self.cachedTail
    // Advice: where it is not taken, nothing is lost.
    _ = posix_fadvise(
      self.descriptor,
      off_t(clamping: dropped),
      off_t(clamping: end - dropped),
      POSIX_FADV_DONTNEED
    )
    self.synced.withLock { $0.dropped = end }
  }

  private static func size(_ descriptor: Int32) -> UInt64 {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return 0 }
    return UInt64(clamping: status.st_size)
  }
}
