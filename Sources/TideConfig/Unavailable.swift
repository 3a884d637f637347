import TidePolicy

/// A key of which this version has only the default, although PRODUCT.md promises more.
///
/// Accepting it silently would let an operator rely on what does not happen. Each is one line in a table,
/// which goes when the feature comes.
struct Unavailable: Sendable {
  /// The dotted name of the key.
  let key: String
  /// The default, as it is written; no reader asks for the key.
  let accepted: String

  /// A key of which only the default can be had.
  static func except(_ default: String, _ key: String) -> Self {
    Self(key: key, accepted: `default`)
  }

  /// What is wrong with a value; nil if it is the default.
  func problem(with value: YAMLValue) -> String? {
    value.brief == self.accepted
      ? nil : "\(self.key) other than \(self.accepted) is not available in this version"
  }
}

extension ReadingSession {
  /// The document without what the table names; what it asks in vain is reported.
  func strikeUnavailable(from value: YAMLValue?) -> YAMLValue? {
    value.map { self.strike(from: $0, path: "") }
  }

  private func strike(from value: YAMLValue, path: String) -> YAMLValue {
    guard case .mapping(let entries) = value.content else { return value }
    var kept: [YAMLEntry] = []
    for entry in entries {
      let name = path.isEmpty ? entry.key : "\(path).\(entry.key)"
      if let row = self.unavailable.first(where: { $0.key == name }) {
        if let problem = row.problem(with: entry.value) {
          self.problems.report(problem, at: entry.value.location)
        }
        continue
      }
      let inner = self.strike(from: entry.value, path: name)
      kept.append(YAMLEntry(key: entry.key, keyLocation: entry.keyLocation, value: inner))
    }
    return YAMLValue(location: value.location, content: .mapping(kept))
  }

  /// The keys directly under a path that only the table knows.
  func unavailableKeys(under path: String) -> [String] {
    let prefix = path.isEmpty ? "" : path + "."
    return self.unavailable.compactMap { row in
      guard row.key.hasPrefix(prefix) else { return nil }
      let key = row.key.dropFirst(prefix.count)
      return key.contains(".") ? nil : String(key)
    }
  }
}
