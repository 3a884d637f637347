import Foundation
import Synchronization
import TideControl
import TideCore
import TideInspect

/// Keeps compiled needles beside the cases, so that a start with the same devices need not compile them.
///
/// A file holds pieces of the profiles' values, as the profiles themselves do: 0600, in a folder of 0700.
/// What cannot be read or written is compiled again; nothing depends on it.
///
/// What was compiled goes to the disk with `keep`: that takes longer than anything that a start waits for.
final class FileNeedleCache: NeedleCache {
  /// How many are kept, the newest; one profile's is about a megabyte.
  private static let most = 4
  /// The most bytes that one can sensibly have.
  private static let limit = 256 << 20

  private let directory: String
  /// What is compiled and not on the disk.
  private let fresh = Mutex<[String: Bytes]>([:])

  private var folder: String { "\(self.directory)/.needles" }

  /// Uses the folder `.needles` in the folder of the cases, once that is there.
  init(casesIn directory: String) { self.directory = directory }

  func read(_ key: String) -> Bytes? {
    if let fresh = self.fresh.withLock({ $0[key] }) { return fresh }
    return try? SecretFile.read(self.path(key), holding: "compiled needles", limit: Self.limit)
  }

  func write(_ key: String, _ database: Bytes) { self.fresh.withLock { $0[key] = database } }

  /// Writes what was compiled since the last time.
  func keep() {
    // A look at a configuration makes no folder.
    guard FileManager.default.fileExists(atPath: self.directory) else { return }
    let fresh = self.fresh.withLock { fresh in
      defer { fresh = [:] }
      return fresh
    }
    guard !fresh.isEmpty else { return }
    do throws(FileFailure) {
      try SecretFile.makeFolder(self.folder)
      for (key, database) in fresh {
        try SecretFile.write(database, to: self.path(key), replacing: true)
      }
    } catch {
      return
    }
    self.dropOld()
  }

  private func path(_ key: String) -> String { "\(self.folder)/\(key)" }

  private func dropOld() {
    let files = FileManager.default
    let names = (try? files.contentsOfDirectory(atPath: self.folder)) ?? []
    let dated = names.map { name -> (path: String, date: Date) in
      let path = self.path(name)
      let attributes = try? files.attributesOfItem(atPath: path)
      return (path, attributes?[.modificationDate] as? Date ?? .distantPast)
    }
    for old in dated.sorted(by: { $0.date > $1.date }).dropFirst(Self.most) {
      try? files.removeItem(atPath: old.path)
    }
  }
}
