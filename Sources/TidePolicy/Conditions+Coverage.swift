internal import TideCore

/// The sizes that satisfy every one of some comparisons.
struct SizeInterval: Hashable {
  private(set) var lowest: UInt64 = 0
  private(set) var highest: UInt64 = .max
  private(set) var isEmpty = false

  /// Intersects comparisons; nil if there are none.
  init?(_ conditions: [SizeCondition]) {
    guard !conditions.isEmpty else { return nil }
    for condition in conditions {
      switch condition.relation {
      case .atLeast: self.lowest = max(self.lowest, condition.bytes)
      case .atMost: self.highest = min(self.highest, condition.bytes)
      case .over:
        if condition.bytes == .max { self.isEmpty = true }
        self.lowest = max(self.lowest, condition.bytes &+ 1)
      case .under:
        if condition.bytes == 0 { self.isEmpty = true }
        self.highest = min(self.highest, condition.bytes &- 1)
      }
    }
    if self.lowest > self.highest { self.isEmpty = true }
  }

  func contains(_ other: SizeInterval) -> Bool {
    other.isEmpty
      || (!self.isEmpty && self.lowest <= other.lowest && self.highest >= other.highest)
  }
}

extension Conditions {
  /// Whether these are equal to or wider than `other`: each key asked here is asked there no less narrowly.
  ///
  /// It compares what is written, value by value, so it says yes only where that is plain.
  func covers(_ other: Conditions) -> Bool {
    Self.covers(self.device, other.device)
      && Self.covers(self.host, other.host) { Self.isHostPattern($0, asWideAs: $1) }
      && Self.covers(self.ip, other.ip) {
        $0.prefixLength <= $1.prefixLength && $0.contains($1.base)
      }
      && Self.covers(self.port, other.port) { $0.contains($1) }
      && Self.covers(self.region, other.region)
      && Self.covers(self.asn, other.asn)
      && Self.covers(self.protocolName, other.protocolName)
      && Self.covers(self.direction, other.direction)
      && Self.covers(self.method, other.method)
      && Self.covers(self.path, other.path) { Self.isPattern($0, asWideAs: $1) }
      && Self.covers(self.type, other.type) { Self.isPattern($0, asWideAs: $1) }
      && Self.covers(self.finding, other.finding)
      && Self.covers(self.certainty, other.certainty)
      && self.header.allSatisfy { own in
        other.header.contains { header in
          own.name == header.name
            && Self.covers(own.patterns, header.patterns) { Self.isPattern($0, asWideAs: $1) }
        }
      }
      && self.coversSize(of: other)
  }

  /// Whether a pattern of hosts is as wide as another: the same, `*`, or above it.
  private static func isHostPattern(_ own: String, asWideAs other: String) -> Bool {
    if own == other || own == "*" { return true }
    guard own.hasPrefix("*."), IPAddress(other) == nil else { return false }
    let suffix = own.dropFirst()
    return other.hasSuffix(suffix) && other.utf8.count > suffix.utf8.count
  }

  /// Whether every text that matches `other` matches `own`: a star of `other` needs one of `own` over it.
  private static func isPattern(_ own: String, asWideAs other: String) -> Bool {
    Glob(own, ignoringCase: false).matches(Bytes(other))
  }

  private func coversSize(of other: Conditions) -> Bool {
    guard let own = SizeInterval(self.size) else { return true }
    guard let others = SizeInterval(other.size) else { return false }
    return own.contains(others)
  }

  /// Whether each value there has one here that is as wide; a key that is not asked is the widest.
  private static func covers<Value: Equatable>(
    _ own: [Value],
    _ others: [Value],
    _ isAsWide: (Value, Value) -> Bool = { $0 == $1 }
  ) -> Bool {
    if own.isEmpty { return true }
    return !others.isEmpty
      && others.allSatisfy { other in own.contains { isAsWide($0, other) } }
  }
}
