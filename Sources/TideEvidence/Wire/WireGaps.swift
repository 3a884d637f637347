internal import TideCore

/// One side of a device's connection.
struct WireSide: Hashable, Sendable {
  let connection: ConnectionID
  let direction: Direction
}

/// What of wire/ could not be taken since the last batch.
struct WireGaps: Sendable {
  /// How many sides are told apart: a disk may stay full for hours.
  static let most = 65_536

  /// How many bytes of each side.
  private(set) var bytes: [WireSide: UInt64] = [:]
  /// How many bytes of others; they may be of any connection.
  private(set) var others: UInt64 = 0
  /// Whether nothing is missing.
  var isEmpty: Bool { self.bytes.isEmpty && self.others == 0 }

  /// Counts bytes; none for an end that could not be told.
  mutating func add(_ count: Int, of side: WireSide) {
    guard count > 0 else { return }
    if self.bytes[side] != nil || self.bytes.count < Self.most {
      self.bytes[side, default: 0] += UInt64(count)
    } else {
      self.others += UInt64(count)
    }
  }
}

extension WireLog {
  /// Takes what is missing after what was taken before.
  mutating func append(_ gaps: WireGaps) throws(Abandoned) {
    guard !gaps.isEmpty else { return }
    let now = WallTime.now
    for (side, count) in gaps.bytes {
      try self.append(
        .gap,
        WireFormat.gap(count, of: WireFormat.Kind(side.direction)),
        of: side.connection,
        at: now
      )
    }
    guard gaps.others > 0 else { return }
    try self.append(.gap, WireFormat.gap(gaps.others, of: nil), of: ConnectionID(0), at: now)
  }
}
