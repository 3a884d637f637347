import TideDecoding

/// Which inspectors and decoders are used: `inspect.inspectors` of the configuration.
///
/// Names alone are those that are used, `-name` leaves one out, and `all` stands for every one. What a list
/// says of inspectors it says of decoders only if it names one: a list of inspectors is not meant to
/// search in nothing.
struct InspectionSelection {
  private let wanted: Set<String>
  private let unwanted: Set<String>
  private let hasAll: Bool
  private let namesDecoders: Bool

  /// Reads a list; nil stands for all.
  ///
  /// - Throws: `unknownInspector`.
  init(_ list: [String]?) throws(InspectionFailure) {
    var wanted = Set<String>()
    var unwanted = Set<String>()
    var hasAll = list == nil
    let decoders = Set(Decoders.all.map(\.name))
    let known = decoders.union(InspectionPlan.builtinInspectorNames)
    for entry in list ?? [] {
      if entry == "all" {
        hasAll = true
        continue
      }
      let isUnwanted = entry.hasPrefix("-")
      let name = isUnwanted ? String(entry.dropFirst()) : entry
      guard known.contains(name) else {
        throw InspectionFailure(.unknownInspector, "no inspector or decoder is called \(name)")
      }
      if isUnwanted { unwanted.insert(name) } else { wanted.insert(name) }
    }
    self.wanted = wanted
    self.unwanted = unwanted
    self.hasAll = hasAll || (wanted.isEmpty && !unwanted.isEmpty)
    self.namesDecoders = !wanted.isDisjoint(with: decoders)
  }

  func has(inspector name: String) -> Bool {
    if self.unwanted.contains(name) { return false }
    return self.hasAll || self.wanted.contains(name)
  }

  func has(decoder name: String) -> Bool {
    if self.unwanted.contains(name) { return false }
    return self.hasAll || !self.namesDecoders || self.wanted.contains(name)
  }
}
