import TideCore
public import TidePolicy
public import TideRegion

/// A named region and where it is written.
public struct PlacedRegionSet: Hashable, Sendable {
  /// The region.
  public let set: RegionSet
  /// Where its name is written.
  public let location: SourceLocation
}

extension PlacedRegionSet {
  /// Reads a mapping of names to sets: `regions.sets` of the configuration, `sets` of a file of rules.
  static func all(in sets: MappingReader) -> [PlacedRegionSet] {
    sets.entries.compactMap { entry in
      let key = YAMLValue(location: entry.keyLocation, content: .scalar(entry.key))
      guard let name = sets.scalar(key, .setName, entry.key) else { return nil }
      return PlacedRegionSet(set: Self.set(named: name, entry, in: sets), location: key.location)
    }
  }

  private static func set(
    named name: String,
    _ entry: YAMLEntry,
    in sets: MappingReader
  ) -> RegionSet {
    var reader = MappingReader(
      entry.value,
      path: sets.name(of: entry.key),
      session: sets.session
    )
    var country: String?
    var blocks: [CIDR] = []
    var asns: [UInt32] = []
    var hosts: [String] = []
    reader.read("country", orNull: .country, into: &country)
    reader.read("cidr", listOf: .block, into: &blocks)
    reader.read("asn", listOf: .autonomousSystem, into: &asns)
    reader.read("host", listOf: .hostPattern, into: &hosts)
    reader.finish()
    return RegionSet(
      name: name,
      country: country,
      cidrs: blocks,
      asns: asns,
      hosts: hosts
    )
  }
}

extension Configuration {
  /// Adds the sets of rule files to those of `regions.sets`, and checks that `regions.watch` names sets that
  /// there are.
  ///
  /// - Parameter sets: the sets of all rule files, in their order.
  /// - Throws: a name that is used twice, a word of `regions.watch` that is no region; each with its place.
  public mutating func add(sets: [PlacedRegionSet]) throws(ConfigFailure) {
    let problems = ProblemList()
    var places: [String: String] = [:]
    for set in self.regions.sets { places[set.name] = "regions.sets of \(self.path)" }
    for placed in sets {
      let name = placed.set.name
      if let first = places.updateValue("\(placed.location)", forKey: name) {
        problems.report(
          "sets.\(name): there is a set of this name already, at \(first); rename one of them",
          at: placed.location
        )
      }
    }
    let names = places.keys.sorted()
    for word in self.regions.watchElsewhere where places[word.name] == nil {
      problems.report(
        "regions.watch: unknown region \(word.name.quotedForMessage): neither a country code of two letters, "
          + "nor local or unknown, nor a set of this file or of the rule files",
        at: word.location,
        suggestion: SuggestNearest.to(word.name, among: names)
      )
    }
    if let failure = problems.failure { throw failure }
    self.regions.sets += sets.map(\.set)
  }
}

extension Configuration.Regions {
  /// A word of `watch` that is no region of the configuration's, so that a rule file has to have a set of
  /// that name.
  public struct Elsewhere: Hashable, Sendable {
    /// The word.
    public let name: String
    /// Where it is written.
    public let location: SourceLocation
  }

  /// Notes which words of `watch` are written there and name nothing that is known so far.
  mutating func noteElsewhere(_ value: YAMLValue?) {
    guard let value else { return }
    let items: [YAMLValue]
    switch value.content {
    case .list(let list): items = list
    case .null, .scalar, .mapping: items = [value]
    }
    let known = ScalarForm.watchable(sets: self.sets.map(\.name))
    self.watchElsewhere = items.compactMap { item in
      guard case .scalar(let word) = item.content, known.read(word) == nil,
        ScalarForm<String>.setName.read(word) != nil
      else { return nil }
      return Elsewhere(name: word, location: item.location)
    }
  }
}
