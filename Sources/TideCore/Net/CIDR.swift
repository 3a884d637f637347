/// A block of addresses that share a prefix (RFC 4632), such as `10.0.0.0/8`.
public struct CIDR: Hashable, Sendable {
  /// The first address of the block; bits past the prefix are 0.
  public let base: IPAddress
  /// The number of leading bits that count: 0...32 or 0...128.
  public let prefixLength: Int

  /// Makes a block; bits of `address` past the prefix are cleared; `nil` if the length does not fit.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...address.bitWidth).contains(prefixLength) else { return nil }
    switch address {
    case .v4(let value):
      self.base = .v4(prefixLength == 0 ? 0 : value & ~0 << UInt32(32 - prefixLength))
    case .v6(let value):
      self.base = .v6(prefixLength == 0 ? 0 : value & ~0 << UInt128(128 - prefixLength))
    }
    self.prefixLength = prefixLength
  }

  /// Reads `ADDRESS/LENGTH`, or an address alone as a block of one.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(first) else { return nil }
    switch parts.count {
    case 1: self.init(address, prefixLength: address.bitWidth)
    case 2:
      guard let length = Int(parts[1]), !parts[1].hasPrefix("+") else { return nil }
      self.init(address, prefixLength: length)
    default: return nil
    }
  }

  /// Whether `address` lies in the block; families never mix.
  public func contains(_ address: IPAddress) -> Bool {
    switch (self.base, address) {
    case (.v4(let base), .v4(let value)):
      self.prefixLength == 0 || (base ^ value) >> UInt32(32 - self.prefixLength) == 0
    case (.v6(let base), .v6(let value)):
      self.prefixLength == 0 || (base ^ value) >> UInt128(128 - self.prefixLength) == 0
    case (.v4, .v6), (.v6, .v4): false
    }
  }
}

extension CIDR: CustomStringConvertible {
  /// `ADDRESS/LENGTH`.
  public var description: String { "\(self.base)/\(self.prefixLength)" }
}
