internal import TideCore

/// Values by block of addresses, found longest prefix first.
///
/// One dictionary for each prefix length in use: tables of the operator's have few lengths, so a look-up
/// is a handful of hashes and nothing needs balancing.
struct PrefixTable<Value: Sendable>: Sendable {
  private struct Level: Sendable {
    let length: Int
    var blocks: [IPAddress: Value]
  }

  /// Longest first.
  private var v4: [Level] = []
  private var v6: [Level] = []

  init() {}

  /// Changes the value of exactly `block`, or adds `initial` changed.
  mutating func update(_ block: CIDR, initial: Value, _ change: (inout Value) -> Void) {
    switch block.base {
    case .v4: Self.update(&self.v4, block, initial, change)
    case .v6: Self.update(&self.v6, block, initial, change)
    }
  }

  /// The values of every block that contains `address`, longest prefix first.
  func matches(_ address: IPAddress) -> [Value] {
    let levels =
      switch address {
      case .v4: self.v4
      case .v6: self.v6
      }
    return levels.compactMap { level in
      CIDR(address, prefixLength: level.length).flatMap { level.blocks[$0.base] }
    }
  }

  private static func update(
    _ levels: inout [Level],
    _ block: CIDR,
    _ initial: Value,
    _ change: (inout Value) -> Void
  ) {
    let place =
      levels.firstIndex { $0.length <= block.prefixLength } ?? levels.endIndex
    if place == levels.endIndex || levels[place].length != block.prefixLength {
      levels.insert(Level(length: block.prefixLength, blocks: [:]), at: place)
    }
    change(&levels[place].blocks[block.base, default: initial])
  }
}
