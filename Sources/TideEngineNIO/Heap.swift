import CSockets

/// The C library's heap in a process that runs for days.
///
/// Left to itself it has eight arenas a core, and keeps in each what was freed: a reload of rules with a
/// full profile compiles tens of MiB on whatever thread is free, and after twenty of them 90 MiB are
/// resident that nobody uses. docs/scaling.md has the figures.
public enum Heap {
  /// From here on blocks are mapped by themselves: larger than what the data path allocates.
  private static let largeBytes = 512 << 10
  private static let spareBytes = 2 << 20
  /// Besides the loops: the recorder, and all that has no thread of its own.
  private static let otherThreads = 2

  /// Says how it is to behave, before there are threads.
  public static func settle(loops: Int) {
    tide_heap_settle(
      Int32(clamping: loops + Self.otherThreads),
      Int32(Self.largeBytes),
      Int32(Self.spareBytes)
    )
  }

  /// Gives the system back what nobody uses: after work that took much, and is not done often.
  public static func giveBack() { tide_heap_trim() }
}
