import CMemory
import Glibc

/// What the process keeps resident and does not need.
///
/// A start compiles needles, reads 25 MB of region lists and runs code that nothing runs again. Without
/// this, most of what is resident afterwards is the allocator's free memory and pages of such code.
public enum Footprint {
  /// Besides the loops: the recorder, and all that has no thread of its own.
  private static let otherThreads = 2

  /// Bounds the allocator's arenas, and the free memory that it keeps at the end of each; before there are
  /// threads.
  ///
  /// At 2 MiB: above the 1 MiB of a held body, so that bodies are not mapped and unmapped each time. A
  /// reload compiles tens of MiB on whatever thread is free: with eight arenas a core 100 MiB that nobody uses
  /// were resident after twenty of them (docs/scaling.md).
  public static func bound(loops: Int) {
    tide_memory_arenas(Int32(clamping: loops + Self.otherThreads))
    tide_memory_bound(2 << 20)
  }

  /// Gives back free memory, wherever in the heap it is: some milliseconds for each hundred MiB.
  public static func trim() { tide_memory_trim() }

  /// Gives back free memory, and pages of code and constants.
  ///
  /// Of the latter those that are in use come back by themselves: they are in the system's cache, and it
  /// is a few hundred page faults. Some milliseconds, which no loop should spend.
  public static func giveBack() {
    self.trim()
    for range in self.unchangedPages(self.maps()) {
      guard let start = unsafe UnsafeMutableRawPointer(bitPattern: range.lowerBound) else {
        continue
      }
      unsafe madvise(start, range.count, MADV_DONTNEED)
    }
  }

  /// The files' mappings that are private, cannot be written, and of which no page was ever changed.
  ///
  /// A page that was, by relocations before it was protected or by a debugger, is nowhere but in memory.
  ///
  /// - Parameter maps: what `/proc/PID/smaps` says (proc_pid_smaps(5)).
  /// - Returns: their addresses.
  static func unchangedPages(_ maps: String) -> [Range<UInt>] {
    var found: [Range<UInt>] = []
    var candidate: Range<UInt>?
    for line in maps.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 5)
      if let range = self.mapping(words) {
        if let candidate { found.append(candidate) }
        candidate = self.isConstant(words) ? range : nil
      } else if words.first == "Anonymous:" || words.first == "Swap:",
        words.dropFirst().first != "0"
      {
        candidate = nil
      }
    }
    if let candidate { found.append(candidate) }
    return found
  }

  /// The range in a mapping's first line: `55d0c000-55d0f000 r-xp 00001000 08:01 1234   /usr/bin/true`.
  private static func mapping(_ words: [Substring]) -> Range<UInt>? {
    guard words.count >= 5, let ends = words.first?.split(separator: "-"), ends.count == 2,
      let low = UInt(ends[0], radix: 16), let high = UInt(ends[1], radix: 16), low < high
    else { return nil }
    return low..<high
  }

  private static func isConstant(_ words: [Substring]) -> Bool {
    guard words.count == 6, words[5].contains("/") else { return false }
    return words[1] == "r-xp" || words[1] == "r--p"
  }

  /// What the system says of our memory; empty where it says nothing.
  private static func maps() -> String {
    let descriptor = unsafe open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = unsafe read(descriptor, &room, room.count)
      guard count > 0 else { break }
      text += room[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// Notices that far fewer connections are open than were, and what they had can be given back: some 40 KiB each,
/// between what is still in use, which the allocator would keep for ever.
///
/// It waits until no more of them go: what is given back while they do leaves what the last ones had.
struct Ebb {
  /// Fewer that are gone are not worth a walk over the heap.
  static let least = 1_000
  /// How many notes in a row have to be no lower than the one before; four of a loop's are a second.
  static let restingNotes = 4

  private var highest = 0
  private var last = 0
  private var rested = 0

  /// Takes note of how many connections are open.
  ///
  /// - Returns: whether at most a quarter are left of the most there were since it last said so, and no fewer than a
  ///   while ago.
  mutating func isLow(_ count: Int) -> Bool {
    self.rested = count < self.last ? 0 : min(self.rested + 1, Self.restingNotes)
    self.last = count
    self.highest = max(self.highest, count)
    guard self.highest - count >= Self.least, count <= self.highest / 4,
      self.rested == Self.restingNotes
    else { return false }
    self.highest = count
    return true
  }
}
