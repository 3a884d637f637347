internal import Foundation
internal import Glibc
import Synchronization
public import TideCore
import TideCrypto

/// Keeps answers about revocation in memory and, behind that, one file each in a folder of our own.
///
/// What it gives is what memory holds: the folder is read once, at the start, and written on a queue of its
/// own, so that whoever asks never waits for a disk. A file that cannot be written is only missing after
/// the next start. Shared by all loops.
public final class FileRevocationCache: Sendable {
  /// What is kept at most; the least recently used goes first.
  struct Bounds: Sendable {
    var answers = 1_024
    var bytes = 32 << 20
    /// An answer of more bytes is not kept.
    var answerBytes = 4 << 20
  }

  private struct Entry {
    let answer: Bytes
    let until: WallTime
    var lastUse: UInt64
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var byteCount = 0
    var uses: UInt64 = 0
    /// The names whose files do not say what memory says.
    var unwritten: Set<String> = []
    /// The names of which there may be a file; only the queue adds to it, so that it stays bounded.
    var onDisk: Set<String> = []
    var isWriting = false
  }

  private let folder: String
  private let bounds: Bounds
  private let now: @Sendable () -> WallTime
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "tidewaiter.revocation")

  /// Reads what is still good in `folder`, which it makes where missing, and deletes the rest of its files.
  ///
  /// - Throws: what is the matter with the folder.
  public convenience init(folder: String) throws(FileFailure) {
    try self.init(folder: folder, bounds: Bounds()) {
      var time = timespec()
      unsafe clock_gettime(CLOCK_REALTIME, &time)
      return WallTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
  }

  init(
    folder: String,
    bounds: Bounds,
    now: @escaping @Sendable () -> WallTime
  ) throws(FileFailure) {
    self.folder = folder
    self.bounds = bounds
    self.now = now
    try SecretFile.makeFolder(folder)
    // A folder that was just made ready and cannot be listed has nothing for us.
    self.load((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
  }

  /// The answer of that name, if there is one that is not over.
  public func answer(named name: String) -> Bytes? {
    let now = self.now()
    return self.change { state in
      guard var entry = state.entries[name] else { return nil }
      guard now < entry.until else {
        Self.drop(name, in: &state)
        return nil
      }
      state.uses += 1
      entry.lastUse = state.uses
      state.entries[name] = entry
      return entry.answer
    }
  }

  /// Keeps an answer instead of the one before, until it is over.
  ///
  /// Not kept is what is over already, what is too large, and what has another name than the lower-case
  /// hexadecimal digits of a digest: names become names of files.
  public func keep(_ answer: Bytes, named name: String, until: WallTime) {
    guard Self.isName(name), answer.count <= self.bounds.answerBytes, self.now() < until else {
      return
    }
    let copy = Bytes(Array(answer))  // a slice would keep the whole response alive
    self.change { state in
      self.insert(copy, name, until, in: &state)
      if state.entries[name] != nil { state.unwritten.insert(name) }
    }
  }

  /// Returns once the disk has what memory has; not to be called from a loop.
  public func flush() { self.queue.sync {} }

  // MARK: Memory

  private func insert(_ answer: Bytes, _ name: String, _ until: WallTime, in state: inout State) {
    if let before = state.entries.removeValue(forKey: name) {
      state.byteCount -= before.answer.count
    }
    while state.entries.count >= self.bounds.answers
      || state.byteCount > self.bounds.bytes - answer.count,
      let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      Self.drop(oldest.key, in: &state)
    }
    state.uses += 1
    state.entries[name] = Entry(answer: answer, until: until, lastUse: state.uses)
    state.byteCount += answer.count
  }

  /// Forgets an answer; its file goes too, if there may be one.
  private static func drop(_ name: String, in state: inout State) {
    guard let entry = state.entries.removeValue(forKey: name) else { return }
    state.byteCount -= entry.answer.count
    if state.onDisk.contains(name) {
      state.unwritten.insert(name)
    } else {
      state.unwritten.remove(name)
    }
  }

  /// Changes the state and has the disk follow.
  private func change<R: Sendable>(_ body: (inout State) -> R) -> R {
    let (result, begins) = self.state.withLock { state in
      let result = body(&state)
      let begins = !state.unwritten.isEmpty && !state.isWriting
      if begins { state.isWriting = true }
      return (result, begins)
    }
    if begins { self.queue.async { self.write() } }
    return result
  }

  static func isName(_ name: String) -> Bool {
    (1...128).contains(name.utf8.count) && name.utf8.allSatisfy { Self.isHexDigit($0) }
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || (0x61...0x66).contains(byte)
  }
}

// MARK: The disk

extension FileRevocationCache {
  /// The first line of a file: what it is, when its answer is over (seconds since 1970), the digest of the rest.
  private static let format = "tidewaiter-revocation-1"
  private static let headLimit = 128

  private func path(_ name: String) -> String { "\(self.folder)/\(name)" }

  /// Writes what is to be written, one file after the other, until there is nothing left.
  private func write() {
    while true {
      let next = self.state.withLock { state -> (name: String, entry: Entry?)? in
        guard let name = state.unwritten.popFirst() else {
          state.isWriting = false
          return nil
        }
        // Said before the file is there: whoever drops it meanwhile has it deleted afterwards.
        if state.entries[name] != nil { state.onDisk.insert(name) }
        return (name, state.entries[name])
      }
      guard let (name, entry) = next else { return }
      if let entry {
        // The disk is full or gone: the answer is there as long as the proxy runs.
        try? SecretFile.write(
          Self.file(entry.answer, until: entry.until),
          to: self.path(name),
          replacing: true
        )
      } else {
        unsafe unlink(self.path(name))
        self.state.withLock { state in
          // Kept anew meanwhile: then it is about to be written again.
          if state.entries[name] == nil { state.onDisk.remove(name) }
        }
      }
    }
  }

  private func load(_ names: [String]) {
    let now = self.now()
    for name in names {
      guard Self.isName(name) else {
        if Self.isDraft(name) { unsafe unlink(self.path(name)) }
        continue
      }
      let isFull = self.state.withLock { state in
        state.entries.count >= self.bounds.answers
      }
      guard !isFull, let (answer, until) = self.read(name), now < until,
        self.take(answer, name, until)
      else {
        unsafe unlink(self.path(name))
        continue
      }
    }
  }

  /// Takes an answer from the disk, if there is room for it.
  private func take(_ answer: Bytes, _ name: String, _ until: WallTime) -> Bool {
    self.state.withLock { state in
      guard state.byteCount <= self.bounds.bytes - answer.count else { return false }
      self.insert(answer, name, until, in: &state)
      state.onDisk.insert(name)
      return true
    }
  }

  /// What a file holds; nil if that is not what was written.
  private func read(_ name: String) -> (answer: Bytes, until: WallTime)? {
    let limit = self.bounds.answerBytes + Self.headLimit
    do throws(FileFailure) {
      let content = try SecretFile.read(self.path(name), holding: "answer", limit: limit)
      return Self.parse(content)
    } catch {
      return nil  // not to be read, so not to be used
    }
  }

  static func file(_ answer: Bytes, until: WallTime) -> Bytes {
    let digest = Hex.encode(Digest.sha256.hash(answer))
    var content = Bytes("\(Self.format) \(until.seconds) \(digest)\n")
    content.append(answer)
    return content
  }

  static func parse(_ content: Bytes) -> (answer: Bytes, until: WallTime)? {
    guard let end = content.prefix(Self.headLimit).firstIndex(of: 0x0A) else { return nil }
    let words = content.slice(0..<end).text.split(separator: " ", omittingEmptySubsequences: false)
    let answer = Bytes(Array(content.dropping(first: end + 1)))
    guard words.count == 3, words[0] == Self.format, let seconds = Int64(words[1]),
      (0...Self.lastSecond).contains(seconds),
      words[2] == Hex.encode(Digest.sha256.hash(answer))
    else { return nil }
    return (answer, WallTime(seconds: seconds))
  }

  /// The last whole second of a `WallTime`.
  private static let lastSecond = Int64.max / 1_000_000_000

  /// Whether a file is half an answer of a run that was cut: a name, and what `SecretFile` adds to it.
  private static func isDraft(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 3 && Self.isName(String(parts[0]))
      && parts.dropFirst().allSatisfy { part in
        !part.isEmpty && part.utf8.allSatisfy { ASCII.isDigit($0) }
      }
  }
}
