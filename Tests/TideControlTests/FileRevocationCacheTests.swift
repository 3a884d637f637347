import Synchronization
import Testing
import TideCore

@testable import TideControl

@Suite struct FileRevocationCacheTests {
  private static let name = String(repeating: "0f", count: 32)
  private static let start = WallTime(seconds: 1_700_000_000)

  /// A clock that stands until it is set.
  private final class Clock: Sendable {
    private let time = Mutex(FileRevocationCacheTests.start)
    var now: WallTime { self.time.withLock { $0 } }
    func advance(bySeconds seconds: Int64) {
      self.time.withLock { $0 = $0.advanced(bySeconds: seconds) }
    }
  }

  private func open(
    _ folder: ScratchFolder,
    _ clock: Clock = Clock(),
    answers: Int = 16,
    bytes: Int = 1_024,
    answerBytes: Int = 512
  ) throws -> FileRevocationCache {
    try FileRevocationCache(
      folder: folder.path + "/revocation",
      bounds: .init(answers: answers, bytes: bytes, answerBytes: answerBytes)
    ) { clock.now }
  }

  private func names(_ folder: ScratchFolder) throws -> [String] {
    try folder.names(in: "revocation")
  }

  private func later(_ seconds: Int64) -> WallTime { Self.start.advanced(bySeconds: seconds) }

  @Test("An answer outlives the proxy, in a file and a folder that only their owner can read")
  func outlives() throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder)
    #expect(cache.answer(named: Self.name) == nil)
    cache.keep("good", named: Self.name, until: self.later(60))
    #expect(cache.answer(named: Self.name) == "good")
    cache.flush()
    #expect(try self.names(folder) == [Self.name])
    #expect(folder.mode("revocation") == 0o700)
    #expect(folder.mode("revocation/\(Self.name)") == 0o600)
    #expect(try self.open(folder).answer(named: Self.name) == "good")
  }

  @Test("A newer answer takes the place of the one before, in memory and on the disk")
  func replaces() throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder)
    cache.keep("old", named: Self.name, until: self.later(60))
    cache.keep("new", named: Self.name, until: self.later(90))
    #expect(cache.answer(named: Self.name) == "new")
    cache.flush()
    #expect(try self.open(folder).answer(named: Self.name) == "new")
  }

  @Test("What is over is not given any more, and its file goes")
  func expires() throws {
    let folder = try ScratchFolder()
    let clock = Clock()
    let cache = try self.open(folder, clock)
    cache.keep("good", named: Self.name, until: self.later(60))
    cache.flush()
    clock.advance(bySeconds: 59)
    #expect(cache.answer(named: Self.name) == "good")
    clock.advance(bySeconds: 1)
    #expect(cache.answer(named: Self.name) == nil)
    cache.flush()
    #expect(try self.names(folder).isEmpty)
    cache.keep("late", named: Self.name, until: self.later(60))
    #expect(cache.answer(named: Self.name) == nil)
  }

  @Test("What ended while the proxy was away is deleted at its start")
  func expiresAway() throws {
    let folder = try ScratchFolder()
    let clock = Clock()
    let cache = try self.open(folder, clock)
    cache.keep("good", named: Self.name, until: self.later(60))
    cache.flush()
    clock.advance(bySeconds: 60)
    #expect(try self.open(folder, clock).answer(named: Self.name) == nil)
    #expect(try self.names(folder).isEmpty)
  }

  @Test(
    "Nothing but lower-case hexadecimal digits becomes the name of a file",
    arguments: [
      "", "../../etc/passwd", "ABCDEF", "0f/0f", "0f.", "xyz", String(repeating: "0", count: 129),
    ]
  )
  func otherNames(name: String) throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder)
    cache.keep("good", named: name, until: self.later(60))
    #expect(cache.answer(named: name) == nil)
    cache.flush()
    #expect(try self.names(folder).isEmpty)
  }

  @Test("A damaged file is no answer and is deleted; what is not ours is left alone")
  func damaged() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/revocation"
    try SecretFile.makeFolder(path)
    let whole = FileRevocationCache.file("good", until: self.later(60))
    try SecretFile.write(whole, to: "\(path)/aa")
    try SecretFile.write(whole.slice(0..<whole.count - 1), to: "\(path)/bb")
    try SecretFile.write(Bytes(whole.dropLast() + [0x21]), to: "\(path)/cc")
    try SecretFile.write("", to: "\(path)/dd")
    try SecretFile.write("tidewaiter-revocation-1 99999999999999999999 00\n", to: "\(path)/ee")
    try SecretFile.write(whole, to: "\(path)/ff.123.456")
    try SecretFile.write("mine", to: "\(path)/notes.txt")
    let cache = try self.open(folder)
    #expect(cache.answer(named: "aa") == "good")
    for name in ["bb", "cc", "dd", "ee"] { #expect(cache.answer(named: name) == nil) }
    #expect(try self.names(folder) == ["aa", "notes.txt"])
  }

  @Test("Beyond its bounds the least recently used answer goes, with its file")
  func bounds() throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder, answers: 2)
    cache.keep("a", named: "aa", until: self.later(60))
    cache.keep("b", named: "bb", until: self.later(60))
    cache.flush()
    #expect(cache.answer(named: "aa") == "a")
    cache.keep("c", named: "cc", until: self.later(60))
    #expect(cache.answer(named: "bb") == nil)
    cache.flush()
    #expect(try self.names(folder) == ["aa", "cc"])
  }

  @Test("The bytes of all answers are bounded, and those of one")
  func byteBounds() throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder, bytes: 10, answerBytes: 6)
    let six = Bytes([UInt8](repeating: 1, count: 6))
    cache.keep(Bytes([UInt8](repeating: 1, count: 7)), named: "aa", until: self.later(60))
    #expect(cache.answer(named: "aa") == nil)
    cache.keep(six, named: "bb", until: self.later(60))
    cache.keep("four", named: "cc", until: self.later(60))
    #expect(cache.answer(named: "bb") == six)
    cache.keep(six, named: "dd", until: self.later(60))
    #expect(cache.answer(named: "bb") == nil)
    #expect(cache.answer(named: "cc") == nil)
    #expect(cache.answer(named: "dd") == six)
  }

  @Test("A folder that has more than memory takes is cut down at the start")
  func largeFolder() throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder)
    for name in ["aa", "bb", "cc"] { cache.keep("good", named: name, until: self.later(60)) }
    cache.flush()
    _ = try self.open(folder, answers: 2)
    #expect(try self.names(folder).count == 2)
    _ = try self.open(folder, bytes: 7)
    #expect(try self.names(folder).count == 1)
  }

  @Test("A folder that cannot be is an error at the start")
  func noFolder() throws {
    let folder = try ScratchFolder()
    try SecretFile.write("x", to: folder.path + "/revocation")
    let failure = #expect(throws: FileFailure.self) { _ = try self.open(folder) }
    #expect(failure?.code == .wrongKind)
  }

  @Test("Many threads keep and ask at once, and the disk ends up with what memory has")
  func threads() async throws {
    let folder = try ScratchFolder()
    let cache = try self.open(folder, answers: 8)
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<8 {
        group.addTask {
          for round in 0..<20 {
            let name = "a" + String((index + round) % 10)
            cache.keep(Bytes(name), named: name, until: Self.start.advanced(bySeconds: 60))
            if let answer = cache.answer(named: name) { #expect(answer == Bytes(name)) }
          }
        }
      }
    }
    cache.flush()
    let kept = (0..<10).map { "a\($0)" }.filter { cache.answer(named: $0) != nil }
    #expect(kept.count == 8)
    #expect(try self.names(folder) == kept)
  }
}
