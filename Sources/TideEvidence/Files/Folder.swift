internal import Glibc
internal import TideCore

/// A file in a folder tree.
struct FolderEntry {
  /// Relative to the tree's root, with `/`.
  let path: String
  let size: UInt64
}

/// Reading folders and whole files.
enum Folder {
  /// The names in a folder, sorted; empty if there is no such folder.
  static func names(in path: String) throws(EvidenceFailure) -> [String] {
    guard let stream = unsafe opendir(path) else {
      if errno == ENOENT { return [] }
      throw .system("list it", path)
    }
    defer { unsafe closedir(stream) }
    guard let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      // By address, not by copying the field: an entry is shorter than its type says (readdir(3)).
      let start = unsafe UnsafeRawPointer(entry) + nameOffset
      let name = unsafe String(cString: start.assumingMemoryBound(to: CChar.self))
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Every regular file below a folder, sorted by path; symbolic links are not followed.
  static func files(below root: String) throws(EvidenceFailure) -> [FolderEntry] {
    var entries: [FolderEntry] = []
    var pending = [""]
    while let folder = pending.popLast() {
      for name in try self.names(in: root + "/" + folder) {
        let path = folder.isEmpty ? name : folder + "/" + name
        var status = stat()
        guard unsafe lstat(root + "/" + path, &status) == 0 else { continue }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: pending.append(path)
        case S_IFREG: entries.append(FolderEntry(path: path, size: UInt64(status.st_size)))
        default: continue
        }
      }
    }
    return entries.sorted { $0.path < $1.path }
  }

  /// The size of a file; nil if there is none.
  static func size(of path: String) -> UInt64? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return UInt64(clamping: status.st_size)
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Refuses a secret that others than its owner may read.
  static func requirePrivate(_ path: String) throws(EvidenceFailure) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw .system("read it", path) }
    guard status.st_mode & 0o077 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      throw EvidenceFailure(
        .io,
        detail: "\(path): mode 0\(mode) lets others read the key; run: chmod 600 \(path)"
      )
    }
  }

  /// The whole of a file that must not be larger than `limit`.
  static func read(_ path: String, limit: Int = 64 << 20) throws(EvidenceFailure) -> Bytes {
    var file = try FileReader(path: path)
    var whole: [UInt8] = []
    while let part = try file.next() {
      guard whole.count + part.count <= limit else {
        throw EvidenceFailure(.malformed, detail: "\(path): larger than \(limit) bytes")
      }
      whole.append(contentsOf: part)
    }
    return Bytes(whole)
  }

  /// Makes a file for its owner alone that is either whole or not there.
  static func write(_ bytes: [UInt8], to path: String) throws(EvidenceFailure) {
    let storage = PosixStorage()
    let temporary = path + ".new"
    try storage.remove(temporary)
    let file = try storage.append(to: temporary)
    try file.writeAll(bytes)
    try file.sync()
    try storage.rename(temporary, to: path)
    try self.sync(parentOf: path)
  }

  /// Makes a folder and those above it, for their owner alone.
  static func make(_ path: String) throws(EvidenceFailure) {
    if self.isFolder(path) { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try self.make(String(path[..<slash]))
    }
    try PosixStorage().makeFolder(path)
  }

  /// Makes a renamed or new file's name outlast a power failure.
  static func sync(parentOf path: String) throws(EvidenceFailure) {
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let descriptor = unsafe open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open it", parent) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system("make it durable", parent) }
  }
}

/// Reads a file from a place on, piece by piece; owns one file descriptor.
struct FileReader: ~Copyable {
  private let descriptor: Int32
  private let path: String
  private let pieceSize: Int

  init(
    path: String,
    from offset: UInt64 = 0,
    pieceSize: Int = 256 << 10
  ) throws(EvidenceFailure) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("read it", path) }
    if offset > 0, lseek(descriptor, off_t(clamping: offset), SEEK_SET) < 0 {
      defer { close(descriptor) }
      throw .system("read it", path)
    }
    self.descriptor = descriptor
    self.path = path
    self.pieceSize = pieceSize
  }

  deinit { close(self.descriptor) }

  /// The next bytes, at most `pieceSize`; nil at the end.
  mutating func next() throws(EvidenceFailure) -> Bytes? {
    while true {
      var count = 0
      let piece = unsafe Bytes(capacity: self.pieceSize) { room in
        count = unsafe read(self.descriptor, room.baseAddress, room.count)
        return max(0, count)
      }
      if count > 0 { return piece }
      if count == 0 { return nil }
      guard errno == EINTR else { throw .system("read it", self.path) }
    }
  }
}

/// Holds a file locked for one writer; owns one file descriptor.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// Opens and locks a file that exists, or that is made if `isNew`.
  ///
  /// - Throws: `inUse` if another process, or another part of this one, holds it.
  init(path: String, isNew: Bool) throws(EvidenceFailure) {
    let flags = O_RDWR | O_CLOEXEC | (isNew ? O_CREAT | O_EXCL : 0)
    let descriptor = unsafe open(path, flags, 0o600)
    guard descriptor >= 0 else { throw .system("open it", path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let number = errno
      close(descriptor)
      guard number == EWOULDBLOCK else { throw .system(number, "lock it", path) }
      throw EvidenceFailure(
        .inUse,
        detail: "\(path): another tidewaiter is recording into this case; stop it first"
      )
    }
    self.descriptor = descriptor
  }

  deinit { close(self.descriptor) }

  /// Lets another writer in.
  func release() { flock(self.descriptor, LOCK_UN) }
}
