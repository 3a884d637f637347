public import TideCore

/// Where addresses lie: the operator's sets first, then the databases (PRODUCT.md section 7).
public struct RegionTable: Sendable {
  /// The databases, in the order in which their answers are listed.
  public let databases: [RegionDatabase]
  /// The operator's sets, in the order of the configuration.
  public let sets: [RegionSet]
  /// Positions in `sets` by block.
  private var blocks = PrefixTable<[Int]>()
  /// Positions in `sets` by autonomous system.
  private var systems: [UInt32: [Int]] = [:]
  private var names: [(pattern: HostPattern, set: Int)] = []

  /// Joins databases and sets.
  ///
  /// Host patterns that are none match nothing here; `PolicySnapshot` refuses them.
  public init(databases: [RegionDatabase], sets: [RegionSet]) {
    self.databases = databases
    self.sets = sets
    for (index, set) in sets.enumerated() {
      for block in set.cidrs {
        self.blocks.update(block.unmapped, initial: []) { $0.append(index) }
      }
      for number in set.asns { self.systems[number, default: []].append(index) }
      self.names += set.hosts.compactMap { HostPattern($0) }.map { ($0, index) }
    }
  }

  /// What each database is.
  public var sources: [RegionSourceInfo] { self.databases.map(\.info) }

  /// Concludes where `address` lies.
  ///
  /// Among sets the longest prefix names the region and its country, and membership by autonomous system
  /// comes after every block; a set's country stands in place of the databases'. Every set that contains
  /// the address is listed. An IPv6 address that carries an IPv4 one lies where either lies.
  public func region(of address: IPAddress) -> Region {
    let address = address.unmapped
    var conclusion = self.conclude(address)
    for inner in address.carriedV4 { conclusion.join(self.conclude(inner)) }
    let isSpecialUse = SpecialUse.name(of: address) != nil
    let sets = conclusion.sets.map { self.sets[$0].name }
    return Region(
      name: sets.first ?? conclusion.countries.first ?? (isSpecialUse ? "local" : "unknown"),
      sets: sets,
      countries: conclusion.countries,
      asn: conclusion.signals.lazy.compactMap(\.asn).first,
      isSpecialUse: isSpecialUse,
      signals: conclusion.signals
    )
  }

  /// The names of the sets that have a pattern for `host`, in the order of the configuration.
  public func sets(forHost host: Hostname) -> [String] {
    var found: [Int] = []
    for (pattern, set) in self.names where found.last != set && pattern.matches(host) {
      found.append(set)
    }
    return found.map { self.sets[$0].name }
  }

  private struct Conclusion {
    /// Positions of the sets, most specific first.
    var sets: [Int] = []
    var countries: [String] = []
    var signals: [RegionSignal] = []

    mutating func join(_ other: Conclusion) {
      for set in other.sets where !self.sets.contains(set) { self.sets.append(set) }
      for country in other.countries { self.add(country) }
      for signal in other.signals where !self.signals.contains(signal) {
        self.signals.append(signal)
      }
    }

    mutating func add(_ country: String) {
      if !self.countries.contains(country) { self.countries.append(country) }
    }
  }

  /// Concludes from one address alone.
  private func conclude(_ address: IPAddress) -> Conclusion {
    var conclusion = Conclusion()
    conclusion.signals = self.databases.compactMap { $0.signal(for: address) }
    // Each rank holds the sets that are equally specific: of those, all count.
    var ranks = self.blocks.matches(address)
    if !self.systems.isEmpty {
      let numbers = conclusion.signals.compactMap(\.asn)
      ranks.append(numbers.flatMap { self.systems[$0] ?? [] }.sorted())
    }
    var hasCountry = false
    for rank in ranks {
      for set in rank where !conclusion.sets.contains(set) {
        conclusion.sets.append(set)
        guard !hasCountry, let country = self.sets[set].country else { continue }
        conclusion.add(country)
      }
      hasCountry = !conclusion.countries.isEmpty
    }
    if !hasCountry {
      for country in conclusion.signals.lazy.compactMap(\.country) { conclusion.add(country) }
    }
    for set in conclusion.sets {
      let source = "set:\(self.sets[set].name)"
      conclusion.signals.append(
        RegionSignal(source: source, country: self.sets[set].country, asn: nil)
      )
    }
    return conclusion
  }
}
