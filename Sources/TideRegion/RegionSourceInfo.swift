/// What a region database says of itself: recorded with every conclusion that rests on it.
public struct RegionSourceInfo: Hashable, Sendable {
  /// The file's name, such as `geoip`.
  public let name: String
  /// The day the data was made, `YYYY-MM-DD`, if the file says.
  public let date: String?
  /// The file's SHA-256 in lower-case hexadecimal, if the caller took it.
  public let sha256: String?
  /// The number of ranges of a list, or of search-tree nodes of a MaxMind database.
  public let entries: Int
  /// Whether it covers IPv4.
  public let hasIPv4: Bool
  /// Whether it covers IPv6.
  public let hasIPv6: Bool
  /// Whether its entries name countries.
  public let knowsCountry: Bool
  /// Whether its entries name autonomous systems.
  public let knowsASN: Bool

  /// Joins a description.
  public init(
    name: String,
    date: String?,
    sha256: String?,
    entries: Int,
    hasIPv4: Bool,
    hasIPv6: Bool,
    knowsCountry: Bool,
    knowsASN: Bool
  ) {
    self.name = name
    self.date = date
    self.sha256 = sha256
    self.entries = entries
    self.hasIPv4 = hasIPv4
    self.hasIPv6 = hasIPv6
    self.knowsCountry = knowsCountry
    self.knowsASN = knowsASN
  }
}
