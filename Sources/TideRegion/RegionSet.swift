public import TideCore

/// A region that the operator names: `regions.sets` (PRODUCT.md section 5).
public struct RegionSet: Hashable, Sendable {
  /// Its name in rules and records.
  public let name: String
  /// ISO 3166-1 alpha-2 in upper case: what its addresses count as; nil leaves that to the databases.
  public let country: String?
  /// The blocks of addresses in it.
  public let cidrs: [CIDR]
  /// The autonomous systems in it, as the databases tell them.
  public let asns: [UInt32]
  /// Patterns of the names in it: they put a flow into the set but never take it out of a region.
  public let hosts: [String]

  /// Joins a set; the country's case does not matter.
  public init(
    name: String,
    country: String? = nil,
    cidrs: [CIDR] = [],
    asns: [UInt32] = [],
    hosts: [String] = []
  ) {
    self.name = name
    self.country = country?.uppercased()
    self.cidrs = cidrs
    self.asns = asns
    self.hosts = hosts
  }
}

extension CIDR {
  /// The block that sockets would really use: a block of IPv4-mapped addresses becomes one of IPv4.
  public var unmapped: CIDR {
    guard case .v6 = self.base, case .v4 = self.base.unmapped else { return self }
    // A shorter prefix than 96 covers more than mapped addresses and has its base outside of them.
    return CIDR(self.base.unmapped, prefixLength: self.prefixLength - 96) ?? self
  }
}
