internal import TideCore

/// A source that tells where addresses lie.
public enum RegionDatabase: Sendable {
  /// A list of ranges, held in memory.
  case ranges(RangeList)
  /// A MaxMind database, mapped from its file.
  case maxMind(MaxMindDatabase)

  /// What the source is.
  public var info: RegionSourceInfo {
    switch self {
    case .ranges(let list): list.info
    case .maxMind(let database): database.info
    }
  }

  /// What the source says of `address`; nil if it does not cover the address's family.
  ///
  /// An entry that cannot be decoded is a signal that says so and nothing else: the address then is
  /// `unknown` unless another source knows it.
  func signal(for address: IPAddress) -> RegionSignal? {
    let info = self.info
    switch address {
    case .v4: guard info.hasIPv4 else { return nil }
    case .v6: guard info.hasIPv6 else { return nil }
    }
    switch self {
    case .ranges(let list):
      return RegionSignal(source: info.name, country: list.country(of: address), asn: nil)
    case .maxMind(let database):
      do throws(RegionFailure) {
        let record = try database.record(of: address)
        return RegionSignal(source: info.name, country: record?.country, asn: record?.asn)
      } catch {
        return RegionSignal(source: "\(info.name) (\(error.code.rawValue))", country: nil, asn: nil)
      }
    }
  }
}
