/// What one source says about an address: evidence for the region it was given.
public struct RegionSignal: Hashable, Sendable {
  /// The source's name: a database's file name, or `set:NAME`.
  public let source: String
  /// ISO 3166-1 alpha-2, upper case, if the source knows a country.
  public let country: String?
  /// The autonomous system's number, if the source knows it.
  public let asn: UInt32?

  /// Joins what a source says.
  public init(source: String, country: String?, asn: UInt32?) {
    self.source = source
    self.country = country
    self.asn = asn
  }
}

/// Where an address lies, as concluded from databases and operator's sets (PRODUCT.md section 7).
public struct Region: Hashable, Sendable {
  /// The name to show: a set's, else a country code, else `local`, else `unknown`.
  public let name: String
  /// The operator's sets that contain the address, most specific first.
  public let sets: [String]
  /// Every country that a source that counts has named, the first source's first.
  public let countries: [String]
  /// The autonomous system's number, where a database knows it.
  public let asn: UInt32?
  /// Whether the address is of special use (RFC 6890): loopback, private, link-local and so on.
  public let isSpecialUse: Bool
  /// What each source said.
  public let signals: [RegionSignal]

  /// Joins a conclusion and its signals.
  public init(
    name: String,
    sets: [String] = [],
    countries: [String] = [],
    asn: UInt32? = nil,
    isSpecialUse: Bool = false,
    signals: [RegionSignal] = []
  ) {
    self.name = name
    self.sets = sets
    self.countries = countries
    self.asn = asn
    self.isSpecialUse = isSpecialUse
    self.signals = signals
  }

  /// The region of an address that no source knows.
  public static let unknown = Region(name: "unknown")
}
