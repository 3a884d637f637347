import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

extension CAStore {
  /// Every CA of an installation that is no more, or of one case: what was taken away.
  func destroy() throws(CommandFailure) -> [String] {
    var removed: [String] = []
    let cases = self.caseName == nil ? self.cases : []
    for name in cases {
      let folder = "\(self.root)/cases/\(name)"
      removed += try Self.empty(folder)
      unsafe rmdir(folder)
    }
    removed += try Self.empty(self.directory)
    if self.caseName != nil { unsafe rmdir(self.directory) }
    // Stays if anything is in it that is not ours.
    unsafe rmdir(self.root + "/cases")
    return removed
  }

  /// Destroys the keys of a case's CA, whose case is sealed; its certificate stays with the evidence.
  func destroyKeys() throws(CommandFailure) {
    guard self.caseName != nil else { return }
    for path in Self.files(in: self.directory) where path.contains(".key") {
      try SecretFolder.wipe(path)
    }
    try SecretFolder.sync(self.directory)
  }

  /// The cases that have a CA of their own, by the time it was made, the newest last.
  var cases: [String] {
    let folder = self.root + "/cases"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    func made(_ name: String) -> Date {
      let path = "\(folder)/\(name)/ca.crt"
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return attributes?[.modificationDate] as? Date ?? .distantPast
    }
    return names.filter { !Self.files(in: "\(folder)/\($0)").isEmpty }
      .map { ($0, made($0)) }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
      .map(\.0)
  }

  private static func empty(_ folder: String) throws(CommandFailure) -> [String] {
    let files = Self.files(in: folder)
    // Keys first: whatever stops us then, they are gone.
    for path in files where path.contains(".key") { try SecretFolder.wipe(path) }
    for path in files where !path.contains(".key") {
      guard unsafe unlink(path) == 0 || errno == ENOENT else {
        throw SecretFolder.failure(path, "take it away")
      }
    }
    if !files.isEmpty { try SecretFolder.sync(folder) }
    return files
  }

  /// Our files in a folder, with what a crash may have left of one that was being written.
  private static func files(in folder: String) -> [String] {
    let ours = [Pair.current, .previous, .next].flatMap {
      ["\($0.rawValue).key", "\($0.rawValue).crt"]
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { name in
      ours.contains { own in
        // `ca.key.PID.RANDOM`, as SecretFile names its drafts.
        name == own
          || name.hasPrefix(own + ".")
            && name.dropFirst(own.count + 1).allSatisfy {
              $0 == "." || $0.isNumber
            }
      }
    }
    .sorted()
    .map { "\(folder)/\($0)" }
  }
}

/// Steps with files in a folder that only their owner may enter.
enum SecretFolder {
  /// Overwrites a file and takes it away; one that is not there is no failure.
  ///
  /// On a file system that writes elsewhere (journaling of data, copy on write, flash) what was there
  /// may outlive that: a passphrase helps there, or a token.
  static func wipe(_ path: String) throws(CommandFailure) {
    let file = unsafe Glibc.open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
    if file >= 0 {
      defer { close(file) }
      var state = stat()
      guard unsafe fstat(file, &state) == 0 else { throw Self.failure(path, "look at it") }
      let count = min(Int(state.st_size), 1 << 20)
      let noise = (0..<count).map { _ in UInt8.random(in: .min ... .max) }
      guard unsafe pwrite(file, noise, count, 0) == count, fsync(file) == 0 else {
        throw Self.failure(path, "overwrite it")
      }
    } else if errno == ENOENT {
      return
    }
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
      throw Self.failure(path, "take it away")
    }
  }

  static func rename(_ path: String, to target: String) throws(CommandFailure) {
    guard unsafe Glibc.rename(path, target) == 0 else {
      throw Self.failure(target, "put it into place")
    }
  }

  /// Brings a folder's names to the disk.
  static func sync(_ path: String) throws(CommandFailure) {
    let folder = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw Self.failure(path, "open the folder") }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw Self.failure(path, "bring the folder to the disk") }
  }

  /// What `errno` says of a path.
  static func failure(_ path: String, _ doing: String) -> CommandFailure {
    CommandFailure(.runtime, "\(path): cannot \(doing): \(unsafe String(cString: strerror(errno)))")
  }
}
