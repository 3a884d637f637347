internal import Glibc
internal import TideCore

/// What has to come between a sync that failed and the next one.
///
/// After a failure the system takes what it could not write for written, and the next sync succeeds without it.
/// It still has it in memory, though, and what is written once more it has to write.
enum Rewriting {
  /// Writes a file, or its end, over itself.
  static func rewrite(_ path: String, from start: UInt64) throws(EvidenceFailure) {
    guard !Folder.isFolder(path) else { return }
    let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw .system("open it for writing", path) }
    defer { close(descriptor) }
    var reader = try FileReader(path: path, from: start)
    var place = off_t(clamping: start)
    while let piece = try reader.next() {
      var rest = piece
      while !rest.isEmpty {
        let written = unsafe rest.withUnsafeBytes { buffer in
          unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, place)
        }
        guard written > 0 else {
          guard errno == EINTR else { throw .system("write", path) }
          continue
        }
        place += off_t(written)
        rest = rest.dropping(first: written)
      }
    }
  }
}
