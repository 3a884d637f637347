import Foundation
import Synchronization

@testable import TideEvidence

/// A file system that can lose its power: then only what was synced is sure to be there.
///
/// A copy taken at any moment is given what a power failure may leave: contents that were not synced are cut
/// or full of zeros in places, names that were not synced may be missing.
final class VolatileStorage: Storage {
  fileprivate struct State {
    /// How many bytes of a file there are, and how many outlast a power failure.
    var written: [String: UInt64] = [:]
    var durable: [String: UInt64] = [:]
    /// Names that do not outlast it yet.
    var unnamed: Set<String> = []
    var syncs = 0
    var refusedSyncs = 0
    var refusesWrites = false
  }

  private let real = PosixStorage()
  private let state = Mutex(State())

  /// How many files were synced.
  var syncs: Int { self.state.withLock { $0.syncs } }

  /// Lets so many syncs fail.
  func refuse(syncs: Int) { self.state.withLock { $0.refusedSyncs = syncs } }

  /// Makes the disk read-only, or writable again.
  func setReadOnly(_ isReadOnly: Bool) { self.state.withLock { $0.refusesWrites = isReadOnly } }

  /// Copies a folder as a kill would leave it, and calls `body` before anything more is written.
  func copy(_ folder: String, to copy: String) throws {
    try self.state.withLock { _ in try FileManager.default.copyItem(atPath: folder, toPath: copy) }
  }

  /// Copies a folder twice at one moment: as a kill leaves it, and as a power failure may.
  func copy(
    _ folder: String,
    killed: String,
    powerless: String,
    using random: inout Seeded
  ) throws {
    let (written, durable, unnamed) = try self.state.withLock { state in
      try FileManager.default.copyItem(atPath: folder, toPath: killed)
      try FileManager.default.copyItem(atPath: folder, toPath: powerless)
      return (state.written, state.durable, state.unnamed)
    }
    for (path, count) in written.sorted(by: { $0.key < $1.key }) where path.hasPrefix(folder) {
      let file = powerless + path.dropFirst(folder.count)
      if unnamed.contains(path), Bool.random(using: &random) {
        try FileManager.default.removeItem(atPath: file)
        continue
      }
      let sure = durable[path] ?? 0
      guard sure < count else { continue }
      var bytes = try read(file)
      let end = Int.random(in: Int(sure)...bytes.count, using: &random)
      if Bool.random(using: &random) { bytes.removeSubrange(end...) }
      var place = Int(sure)
      while place < bytes.count {
        let next = min(bytes.count, (place / 512 + 1) * 512)
        if Bool.random(using: &random) {
          for index in place..<next { bytes[index] = 0 }
        }
        place = next
      }
      try TideEvidenceTests.write(bytes, to: file)
    }
  }

  func append(to path: String) throws(EvidenceFailure) -> any StoredFile {
    let file = try self.real.append(to: path)
    self.state.withLock { state in
      guard state.written[path] == nil else { return }
      let size = Folder.size(of: path) ?? 0
      state.written[path] = size
      state.durable[path] = size
      if size == 0 { state.unnamed.insert(path) }
    }
    return VolatileFile(real: file, path: path, storage: self)
  }

  func rename(_ path: String, to final: String) throws(EvidenceFailure) {
    try self.locked { state throws(EvidenceFailure) in
      try self.real.rename(path, to: final)
      state.written[final] = state.written.removeValue(forKey: path)
      state.durable[final] = state.durable.removeValue(forKey: path)
      state.unnamed.remove(path)
      state.unnamed.insert(final)
    }
  }

  func makeFolder(_ path: String) throws(EvidenceFailure) { try self.real.makeFolder(path) }
  func exists(_ path: String) -> Bool { self.real.exists(path) }

  func sync(_ paths: [String]) throws(EvidenceFailure) {
    try self.locked { state throws(EvidenceFailure) in
      try state.countSync(paths.first ?? "")
      for path in paths {
        if let written = state.written[path] {
          state.durable[path] = written
          state.unnamed.remove(path)
        } else {
          state.unnamed = state.unnamed.filter { !$0.hasPrefix(path + "/") }
        }
      }
    }
  }

  func remove(_ path: String) throws(EvidenceFailure) {
    try self.locked { state throws(EvidenceFailure) in
      try self.real.remove(path)
      state.written[path] = nil
      state.durable[path] = nil
      state.unnamed.remove(path)
    }
  }

  private func locked(
    _ body: (inout State) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    let failure = self.state.withLock { state -> EvidenceFailure? in
      do throws(EvidenceFailure) {
        try body(&state)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  private final class VolatileFile: StoredFile {
    private let real: any StoredFile
    private let path: String
    private let storage: VolatileStorage

    init(real: any StoredFile, path: String, storage: VolatileStorage) {
      self.real = real
      self.path = path
      self.storage = storage
    }

    func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int {
      try self.storage.locked { state throws(EvidenceFailure) in
        guard !state.refusesWrites else { throw .system(EROFS, "write", self.path) }
        try self.real.writeAll(Array(bytes[start...]))
        state.written[self.path, default: 0] += UInt64(bytes.count - start)
      }
      return bytes.count - start
    }

    func truncate(to count: UInt64) throws(EvidenceFailure) {
      try self.storage.locked { state throws(EvidenceFailure) in
        try self.real.truncate(to: count)
        state.written[self.path] = count
        state.durable[self.path] = min(count, state.durable[self.path] ?? 0)
      }
    }

    func sync() throws(EvidenceFailure) {
      try self.storage.locked { state throws(EvidenceFailure) in
        try state.countSync(self.path)
        state.durable[self.path] = state.written[self.path]
      }
    }
  }
}

extension VolatileStorage.State {
  /// Counts a sync, or refuses it if it is one of those to fail.
  fileprivate mutating func countSync(_ path: String) throws(EvidenceFailure) {
    guard self.refusedSyncs == 0 else {
      self.refusedSyncs -= 1
      throw .system(EIO, "make it durable", path)
    }
    self.syncs += 1
  }
}
