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
  /// Keys under which apps' vendors encrypt payloads inside TLS (`sdk_keys`).
  public let sdkKeys: [SDKKey]

  /// One key of a vendor's, as the profile writes it.
  public struct SDKKey: Hashable, Sendable {
    /// What it is called in findings.
    public let name: String
    /// The cipher, such as `AES-128-ECB-PKCS7`.
    public let algorithm: String
    /// The key's bytes.
    public let key: [UInt8]
    /// The initialisation vector; nil if there is none, or if it stands before the ciphertext.
    public let iv: [UInt8]?

    /// Joins a key.
    public init(name: String, algorithm: String, key: [UInt8], iv: [UInt8]? = nil) {
      self.name = name
      self.algorithm = algorithm
      self.key = key
      self.iv = iv
    }
  }

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
    identifiers: [Identifier],
    sdkKeys: [SDKKey] = []
  ) {
    self.name = name
    self.addresses = addresses
    self.users = users
    self.identifiers = identifiers
    self.sdkKeys = sdkKeys
  }
}
