import TidePolicy

/// A key, or a value of one, that PRODUCT.md promises and this version does not have yet.
///
/// Accepting it silently would let an operator rely on what does not happen. Each is one line in a table,
/// which goes when the feature comes.
struct Unavailable: Sendable {
  enum Refusal: Sendable {
    /// Only the default can be had: no reader asks for the key.
    case except(String)
    /// One value cannot be had; the key is read otherwise.
    case value(String)
  }

  /// The dotted name of the key.
  let key: String
  let refusal: Refusal

  /// A key of which only the default can be had.
  static func except(_ default: String, _ key: String) -> Self {
    Self(key: key, refusal: .except(`default`))
  }

  /// A value that cannot be had yet, of a key that is otherwise read.
  static func value(_ refused: String, _ key: String) -> Self {
    Self(key: key, refusal: .value(refused))
  }

  /// Whether the row takes a value out of the document, and what is wrong with it if anything.
  func judge(_ value: YAMLValue) -> (strikes: Bool, problem: String?) {
    switch self.refusal {
    case .except(let accepted):
      if value.brief == accepted { return (true, nil) }
      return (true, "\(self.key) other than \(accepted) is not available in this version")
    case .value(let refused):
      guard value.brief == refused else { return (false, nil) }
      return (true, "\(self.key): \(refused) is not available in this version")
    }
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
      let judgements = self.unavailable.filter { $0.key == name }.map { $0.judge(entry.value) }
      for case .some(let problem) in judgements.map(\.problem) {
        self.problems.report(problem, at: entry.value.location)
      }
      guard !judgements.contains(where: \.strikes) else { continue }
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
