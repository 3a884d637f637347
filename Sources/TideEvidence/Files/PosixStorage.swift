internal import Glibc

/// The real file system.
struct PosixStorage: Storage {
  /// How many files are synced one by one; more by one flush of all file systems.
  static let mostSyncedPaths = 256

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
    guard paths.count <= Self.mostSyncedPaths else {
      // One flush of all file systems costs less than a journal commit for each of many small bodies.
      Glibc.sync()
      return
    }
    for path in paths {
      let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .system("open it", path) }
      defer { close(descriptor) }
      guard fsync(descriptor) == 0 else { throw .system("make it durable", path) }
    }
  }

  func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  func remove(_ path: String) throws(EvidenceFailure) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .system("remove it", path) }
  }
}

/// Owns one file descriptor.
final class PosixFile: StoredFile {
  private let descriptor: Int32
  private let path: String

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
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
  }

  func sync() throws(EvidenceFailure) {
    guard fdatasync(self.descriptor) == 0 else { throw .system("make it durable", self.path) }
  }
}
