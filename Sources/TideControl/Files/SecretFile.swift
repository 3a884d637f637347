internal import Glibc
public import TideCore

/// Files and folders that only their owner may read, whatever the umask: keys, cases, the control socket.
public enum SecretFile {
  /// Makes sure that `path` is a folder that only its owner can enter (0700).
  ///
  /// Makes it and what lies above it where missing; takes others' rights away from one that is there.
  ///
  /// - Throws: `.wrongKind` if something else is there, `.system` otherwise.
  public static func makeFolder(_ path: String) throws(FileFailure) {
    var made = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      made += part
      if !part.isEmpty, unsafe mkdir(made, 0o700) != 0, errno != EEXIST {
        throw .system(errno, path: made, doing: "make the folder")
      }
      made += "/"
    }
    guard let folder = Descriptor(owning: unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    else {
      if errno == ENOTDIR { throw FileFailure(.wrongKind, path: path, detail: "is not a folder") }
      throw .system(errno, path: path, doing: "open the folder")
    }
    let state = try Self.state(of: folder, path: path)
    guard state.st_mode & 0o077 != 0 else { return }
    guard fchmod(folder.number, 0o700) == 0 else {
      throw .system(errno, path: path, doing: "keep others out of the folder")
    }
  }

  /// Writes a file that only its owner can read (0600), whole or not at all.
  ///
  /// The bytes go to a new file beside it, to the disk, and then into place, so that neither a crash
  /// nor a reader ever meets half a key.
  ///
  /// - Parameters:
  ///   - bytes: the content.
  ///   - path: the file.
  ///   - replacing: whether a file that is there gives way; else it is left as it is.
  /// - Throws: `.exists` if a file is there and does not give way, `.system` otherwise.
  public static func write(
    _ bytes: Bytes,
    to path: String,
    replacing: Bool = false
  ) throws(FileFailure) {
    let draft = "\(path).\(getpid()).\(UInt64.random(in: .min ... .max))"
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    guard let file = Descriptor(owning: unsafe open(draft, flags, 0o600)) else {
      throw .system(errno, path: path, doing: "make the file")
    }
    do throws(FileFailure) {
      // The umask can only take bits away; this puts them back.
      guard fchmod(file.number, 0o600) == 0 else {
        throw .system(errno, path: path, doing: "protect the file")
      }
      try Self.writeAll(bytes, to: file, path: path)
      guard fsync(file.number) == 0 else {
        throw .system(errno, path: path, doing: "bring the file to the disk")
      }
      // `link` refuses to replace, which `rename` cannot be told to in POSIX.
      guard (replacing ? unsafe rename(draft, path) : unsafe link(draft, path)) == 0 else {
        throw .system(errno, path: path, doing: "put the file into place")
      }
    } catch {
      unsafe unlink(draft)
      throw error
    }
    if !replacing { unsafe unlink(draft) }
    try Self.syncFolder(of: path)
  }

  /// Reads a secret whole, and refuses one that others can read.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - what: what it holds, for the message: `CA key`.
  ///   - limit: the most bytes that it can sensibly have.
  ///   - othersMayRead: whether what it holds is of no use to others.
  /// - Returns: the content.
  /// - Throws: `.readableByOthers`, `.missing`, `.wrongKind`, `.tooLarge`, `.system`.
  public static func read(
    _ path: String,
    holding what: String,
    limit: Int = 64 << 10,
    othersMayRead: Bool = false
  ) throws(FileFailure) -> Bytes {
    // Without O_NONBLOCK a FIFO in the file's place would hold us for ever.
    guard let file = Descriptor(owning: unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) else {
      throw .system(errno, path: path, doing: "read the \(what)")
    }
    let state = try Self.state(of: file, path: path)
    guard state.st_mode & S_IFMT == S_IFREG else {
      throw FileFailure(.wrongKind, path: path, detail: "is not a regular file")
    }
    guard othersMayRead || state.st_mode & 0o077 == 0 else {
      let mode = String(state.st_mode & 0o7777, radix: 8)
      throw FileFailure(
        .readableByOthers,
        path: path,
        detail: "mode \(String(repeating: "0", count: max(0, 4 - mode.count)))\(mode) "
          + "lets others read the \(what)",
        remedy: "run: chmod 600 \(path)"
      )
    }
    return try Self.readAll(file, path: path, limit: limit)
  }

  private static func state(of file: Descriptor, path: String) throws(FileFailure) -> stat {
    var state = stat()
    guard unsafe fstat(file.number, &state) == 0 else {
      throw .system(errno, path: path, doing: "look at it")
    }
    return state
  }

  private static func readAll(
    _ file: Descriptor,
    path: String,
    limit: Int
  ) throws(FileFailure) -> Bytes {
    var content = Bytes()
    while true {
      let part = try unsafe Bytes(capacity: 16 << 10) { room throws(FileFailure) in
        let count = unsafe Glibc.read(file.number, room.baseAddress, room.count)
        guard count >= 0 else { throw .system(errno, path: path, doing: "read it") }
        return count
      }
      if part.isEmpty { return content }
      content.append(part)
      guard content.count <= limit else {
        throw FileFailure(.tooLarge, path: path, detail: "is larger than \(limit) bytes")
      }
    }
  }

  private static func writeAll(
    _ bytes: Bytes,
    to file: Descriptor,
    path: String
  ) throws(FileFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe Glibc.write(file.number, buffer.baseAddress, buffer.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(errno, path: path, doing: "write the file") }
      rest = rest.dropping(first: count)
    }
  }

  /// Brings the name to the disk, which `fsync` of the file alone does not.
  private static func syncFolder(of path: String) throws(FileFailure) {
    let end = path.lastIndex(of: "/")
    let name = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard let folder = Descriptor(owning: unsafe open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      fsync(folder.number) == 0
    else { throw .system(errno, path: name, doing: "bring the folder to the disk") }
  }
}
