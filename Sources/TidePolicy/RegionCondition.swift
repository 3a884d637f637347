internal import TideCore
internal import TideRegion

/// The `region` key of a rule, looked up against the table once.
struct RegionCondition: Sendable {
  private(set) var countries: [String] = []
  private(set) var sets: [String] = []
  private(set) var matchesLocal = false
  private(set) var matchesUnknown = false
  /// The names that the operator put into one of these regions.
  private(set) var hosts: [HostPattern] = []

  /// Reads the words of a rule.
  ///
  /// - Parameters:
  ///   - words: country codes of either case, set names, `watched`, `local`, `unknown`.
  ///   - watch: what `watched` stands for.
  ///   - table: tells the sets.
  ///   - unknownWord: called with each word that is none of these.
  init(_ words: [String], watch: [String], table: RegionTable, unknownWord: (String) -> Void) {
    for word in words {
      if word == "watched" {
        for watched in watch where !self.add(watched, table) { unknownWord(watched) }
      } else if !self.add(word, table) {
        unknownWord(word)
      }
    }
    for set in table.sets
    where self.sets.contains(set.name) || set.country.map(self.countries.contains) == true {
      self.hosts += set.hosts.compactMap { HostPattern($0) }
    }
  }

  /// Whether `word` is a region here, besides `watched`.
  static func isKnown(_ word: String, _ table: RegionTable) -> Bool {
    var scratch = RegionCondition()
    return scratch.add(word, table)
  }

  private init() {}

  private mutating func add(_ word: String, _ table: RegionTable) -> Bool {
    switch word {
    case "local":
      self.matchesLocal = true
      return true
    case "unknown":
      self.matchesUnknown = true
      return true
    default:
      let isSet = table.sets.contains { $0.name == word }
      if isSet { self.sets.append(word) }
      // A set may be called like a country; then the word means both, which can only add.
      let isCountry =
        word.utf8.count == 2 && word.utf8.allSatisfy { ASCII.lowercased($0) &- 0x61 < 26 }
      if isCountry { self.countries.append(word.uppercased()) }
      return isSet || isCountry
    }
  }

  /// Whether some source puts an address of `region` here.
  func matchesAny(_ region: Region) -> Bool {
    if region.countries.isEmpty, region.sets.isEmpty {
      return region.isSpecialUse ? self.matchesLocal : self.matchesUnknown
    }
    return region.countries.contains(where: self.countries.contains)
      || region.sets.contains(where: self.sets.contains)
  }

  /// Whether nothing puts an address of `region` elsewhere: what an exception has to prove.
  func matchesAll(_ region: Region) -> Bool {
    if region.countries.isEmpty, region.sets.isEmpty { return self.matchesAny(region) }
    if region.sets.contains(where: self.sets.contains) { return true }
    return !region.countries.isEmpty && region.countries.allSatisfy(self.countries.contains)
  }
}
