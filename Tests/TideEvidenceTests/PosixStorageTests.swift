import Foundation
import Synchronization
import Testing
import TideCore

@testable import TideEvidence

@Suite struct PosixStorageTests {
  private let cases = CasesFolder()

  /// A flush that fails so many times.
  private final class Flush: Sendable {
    struct State {
      var failures: Int
      var calls = 0
    }

    let state: Mutex<State>

    init(failures: Int) { self.state = Mutex(State(failures: failures)) }

    var calls: Int { self.state.withLock { $0.calls } }

    func storage() -> PosixStorage {
      PosixStorage { descriptor in
        let isGood = self.state.withLock { state in
          state.calls += 1
          state.failures -= 1
          return state.failures < 0
        }
        guard isGood else {
          errno = EIO
          return -1
        }
        return fsync(descriptor)
      }
    }
  }

  private func files(_ count: Int) throws -> [String] {
    try (0..<count).map { number in
      let folder = "\(self.cases.path)/\(number % 3)"
      try Folder.make(folder)
      let path = "\(folder)/\(number)"
      try write(Array("content \(number)".utf8), to: path)
      return path
    }
  }

  /// When it was last written to.
  private func written(_ path: String) throws -> Date? {
    try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
  }

  @Test("A few files are synced one by one, many by one flush of the file system that they are on")
  func oneByOneOrAtOnce() throws {
    let flush = Flush(failures: 0)
    let paths = try self.files(PosixStorage.mostSyncedPaths + 1)
    let storage = flush.storage()
    try storage.sync(Array(paths.dropLast()))
    #expect(flush.calls == 0)
    try storage.sync(paths)
    #expect(flush.calls == 1)
    try storage.sync(paths)
    #expect(flush.calls == 2)
  }

  @Test(
    "The system's own flush is there, and takes many files; without one they are synced all the same"
  )
  func real() throws {
    let paths = try self.files(200)
    #expect(FileSystems.syncfs != nil)
    try PosixStorage().sync(paths)
    try PosixStorage(flush: nil).sync(paths)
    let gone = paths + [self.cases.path + "/none/file"]
    #expect(throws: EvidenceFailure.self) { try PosixStorage().sync(gone) }
  }

  @Test("A flush that fails is a failure, and all files are written once more before the next")
  func failure() throws {
    let paths = try self.files(100)
    let long = Date(timeIntervalSince1970: 1_000_000)
    for path in paths {
      try FileManager.default.setAttributes([.modificationDate: long], ofItemAtPath: path)
    }
    let storage = Flush(failures: 1).storage()
    let failure = #expect(throws: EvidenceFailure.self) { try storage.sync(paths) }
    #expect(failure?.code == .io)
    #expect(failure?.detail.contains("cannot make it durable") == true)
    #expect(try paths.allSatisfy { try self.written($0) == long })
    try storage.sync(paths)
    for (number, path) in paths.enumerated() {
      #expect(try self.written(path) != long)
      #expect(try read(path) == Array("content \(number)".utf8))
      try FileManager.default.setAttributes([.modificationDate: long], ofItemAtPath: path)
    }
    // Once is enough.
    try storage.sync(paths)
    #expect(try paths.allSatisfy { try self.written($0) == long })
  }

  @Test(
    "No tree head covers contents whose flush failed; the next covers them, and says that there was a failure"
  )
  func recorder() throws {
    let flush = Flush(failures: 2)
    var settings = RecorderSettings()
    settings.fsyncInterval = 0
    settings.retryInterval = 1
    settings.tick = 200
    let recorder = try self.cases.recorder(storage: flush.storage(), settings: settings)
    for number in 1...1_000 as ClosedRange<UInt64> {
      for event in try Play.exchange(number, request: Bytes("request \(number)")) {
        _ = recorder.offer(event)
      }
    }
    let end = ContinuousClock.now + .seconds(60)
    while flush.calls < 3, ContinuousClock.now < end { sched_yield() }
    try recorder.close(seal: false)
    let path = self.cases.path + "/test"
    let types = try logObjects(path).compactMap { $0["type"] as? String }
    #expect(types.contains("gap"))
    #expect(types.last == "tree-head")
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }
}
