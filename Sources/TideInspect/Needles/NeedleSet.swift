import TideCore

/// Every spelling of every profile value under every layer, compiled into one automaton.
struct NeedleSet: Sendable {
  let values: [NeedleValue]
  let needles: [Needle]
  let database: NeedleDatabase?
  /// The longest match; 0 if there are no needles.
  let longestMatch: Int
  /// What an operator should know: values for which fewer forms are searched for.
  let notes: [String]

  /// Compiles the values of all profiles.
  ///
  /// - Throws: `needles` if there are more strings than `NeedleBuilder.most`.
  init(
    _ profiles: [DeviceProfile],
    cache: (any NeedleCache)? = nil
  ) throws(InspectionFailure) {
    var builder = NeedleBuilder()
    for profile in profiles { try builder.add(profile) }
    self.values = builder.values
    self.needles = builder.needles
    // A match in base64 may take in a digit more on either side.
    self.longestMatch = builder.longest > 0 ? builder.longest + 2 : 0
    self.notes = builder.notes
    self.database = builder.entries.isEmpty ? nil : try NeedleDatabase(builder.entries, cache)
  }

  /// A profile's value of this kind; nil if there is none.
  func subject(_ kind: FindingKind, _ canonical: Bytes) -> Subject? {
    self.values.first { $0.kind == kind && $0.canonical == canonical }?.subject
  }
}
