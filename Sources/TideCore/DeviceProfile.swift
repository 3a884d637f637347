/// What the operator tells of a device: how to know it and what to search for (PRODUCT.md section 8).
public struct DeviceProfile: Hashable, Sendable {
  /// Its name in records, rules and filters.
  public let name: String
  /// The client addresses that are this device; empty matches none.
  public let addresses: [CIDR]
  /// The proxy users that are this device; empty matches none.
  public let users: [String]
  /// The values to search for, by kind, canaries included.
  public let identifiers: [Identifier]

  /// One value of the owner's.
  public struct Identifier: Hashable, Sendable {
    /// What it is.
    public let kind: FindingKind
    /// As the owner wrote it.
    public let value: String

    /// Joins a kind and a value.
    public init(kind: FindingKind, value: String) {
      self.kind = kind
      self.value = value
    }
  }

  /// Joins a profile.
  public init(
    name: String,
    addresses: [CIDR],
    users: [String] = [],
    identifiers: [Identifier]
  ) {
    self.name = name
    self.addresses = addresses
    self.users = users
    self.identifiers = identifiers
  }
}
