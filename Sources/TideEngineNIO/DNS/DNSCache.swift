import TideCore

/// Answers that still hold, of names that were and of names that were not found.
struct DNSCache {
  private struct Entry {
    let result: Result<Resolution, FlowFailure>
    let until: Instant
    /// Counts the entries, so that the oldest is known.
    let number: UInt64
  }

  /// However long an answer says that it holds.
  static let longest: UInt32 = 3_600
  /// For names that were not found: somebody may be setting them up.
  static let longestNegative: UInt32 = 60

  private let capacity: Int
  private var entries: [Hostname: Entry] = [:]
  private var count: UInt64 = 0

  init(capacity: Int) { self.capacity = capacity }

  /// The answer for a name, with what is left of its time; nil if none holds.
  func answer(for name: Hostname, at now: Instant) -> Result<Resolution, FlowFailure>? {
    guard let entry = self.entries[name], now < entry.until else { return nil }
    switch entry.result {
    case .failure: return entry.result
    case .success(let kept):
      let left = entry.until.nanoseconds(since: now) / 1_000_000_000
      return .success(
        Resolution(
          addresses: kept.addresses,
          aliases: kept.aliases,
          ttl: UInt32(clamping: left),
          source: kept.source,
          isCached: true
        )
      )
    }
  }

  /// Keeps an answer for as long as it holds.
  mutating func keep(_ outcome: DNSLookup.Outcome, for name: Hostname, at now: Instant) {
    let longest: UInt32
    switch outcome.result {
    case .success: longest = Self.longest
    case .failure: longest = Self.longestNegative
    }
    let ttl = min(outcome.ttl, longest)
    guard ttl > 0, self.capacity > 0 else {
      self.entries[name] = nil
      return
    }
    if self.entries[name] == nil, self.entries.count >= self.capacity { self.makeRoom(at: now) }
    self.count += 1
    self.entries[name] = Entry(
      result: outcome.result,
      until: Instant(nanoseconds: now.nanoseconds &+ UInt64(ttl) * 1_000_000_000),
      number: self.count
    )
  }

  private mutating func makeRoom(at now: Instant) {
    self.entries = self.entries.filter { now < $0.value.until }
    guard self.entries.count >= self.capacity else { return }
    let oldest = self.entries.min { $0.value.number < $1.value.number }
    if let oldest { self.entries[oldest.key] = nil }
  }
}
