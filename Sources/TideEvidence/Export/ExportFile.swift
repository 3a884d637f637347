internal import Glibc
internal import TideCore
internal import TideCrypto

/// A file that an export writes: for its owner alone, whole or not there; or standard output.
///
/// Written beside its place as `NAME.part`, which is removed if the export fails and replaced by the next
/// one if this one is killed. What exists and is no regular file (`/dev/null`, a pipe) is written to as it is.
final class ExportFile {
  private static let pieceSize = 256 << 10

  let path: String
  private let temporary: String?
  private let replaces: Bool
  private let file: any StoredFile
  private let progress: ExportProgress?
  private var buffer: [UInt8] = []
  private var hasher = SHA256Hasher()
  private var isOver = false
  private var count: UInt64 = 0

  /// Begins a file.
  ///
  /// - Parameters:
  ///   - path: its name; `-` for standard output.
  ///   - replaces: whether a file of that name is replaced.
  ///   - root: the case's folder, which an export must not lie in: its seal covers every file.
  ///   - progress: is told of every piece.
  /// - Throws: `badName` if there is such a file or it would lie in the case, or what the file system says.
  init(
    _ path: String,
    replaces: Bool,
    in root: String,
    progress: ExportProgress?
  ) throws(EvidenceFailure) {
    self.path = path
    self.replaces = replaces
    self.progress = progress
    self.buffer.reserveCapacity(Self.pieceSize + (64 << 10))
    if path == "-" || Self.isSpecial(path) {
      self.temporary = nil
      let descriptor = path == "-" ? dup(1) : unsafe open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .system("write to it", path) }
      self.file = PosixFile(descriptor: descriptor, path: path)
      return
    }
    guard !Self.lies(path, in: root) else {
      throw EvidenceFailure(
        .badName,
        detail:
          "\(path): an export does not go into the case's folder, whose seal covers every file"
      )
    }
    try Self.refuseExisting(path, replaces: replaces)
    let temporary = path + ".part"
    try PosixStorage().remove(temporary)
    self.temporary = temporary
    self.file = try PosixStorage().append(to: temporary)
  }

  /// Begins a file of what a reader has.
  convenience init(
    _ path: String,
    replaces: Bool,
    of reader: CaseReader,
    progress: ExportProgress?
  ) throws(EvidenceFailure) {
    try self.init(path, replaces: replaces, in: reader.path, progress: progress)
  }

  deinit {
    guard !self.isOver, let temporary = self.temporary else { return }
    unsafe unlink(temporary)
  }

  func write(_ bytes: [UInt8]) throws(EvidenceFailure) {
    self.buffer.append(contentsOf: bytes)
    if self.buffer.count >= Self.pieceSize { try self.flush() }
  }

  func write(_ bytes: Bytes) throws(EvidenceFailure) {
    self.buffer.append(contentsOf: bytes)
    if self.buffer.count >= Self.pieceSize { try self.flush() }
  }

  func write(_ text: String) throws(EvidenceFailure) { try self.write(Array(text.utf8)) }

  /// Ends the file: makes it durable and gives it its name.
  ///
  /// - Returns: what was written.
  func finish() throws(EvidenceFailure) -> WrittenFile {
    try self.flush()
    if let temporary = self.temporary {
      try self.file.sync()
      try Self.refuseExisting(self.path, replaces: self.replaces)
      try PosixStorage().rename(temporary, to: self.path)
      self.isOver = true
      try Folder.sync(parentOf: self.path)
    }
    let sha256 = Hex.encode(self.hasher.finish())
    return WrittenFile(path: self.path, bytes: self.count, sha256: sha256)
  }

  private func flush() throws(EvidenceFailure) {
    guard !self.buffer.isEmpty else { return }
    self.hasher.update(self.buffer)
    try self.file.writeAll(self.buffer)
    self.count += UInt64(self.buffer.count)
    self.buffer.removeAll(keepingCapacity: true)
    self.progress?.advance(bytes: self.count)
  }

  private static func refuseExisting(_ path: String, replaces: Bool) throws(EvidenceFailure) {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw EvidenceFailure(.badName, detail: "\(path): is a folder; name a file")
    }
    guard replaces else {
      throw EvidenceFailure(.badName, detail: "\(path): is there already; --force replaces it")
    }
  }

  /// Whether there is something at `path` that is neither a file nor a folder.
  private static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return false }
    return ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
  }

  private static func lies(_ path: String, in folder: String) -> Bool {
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    guard let parent = self.real(parent.isEmpty ? "/" : parent), let folder = self.real(folder)
    else { return false }
    return parent == folder || parent.hasPrefix(folder + "/")
  }

  private static func real(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}
