import TidePolicy

extension Configuration {
  /// What the variables that override keys begin with.
  public static let environmentPrefix = "TIDEWAITER_"

  /// Overrides keys by `TIDEWAITER_*` variables: `TIDEWAITER_LISTEN_PROXY` is `listen.proxy`.
  ///
  /// Items of a list are separated by commas; `null` is `null`; an empty variable counts as not set. Paths
  /// are relative to the working directory. Keys of mappings with names of their own (`upstream.hosts`,
  /// `regions.sets`) can only be written in the file. After a failure nothing is changed.
  ///
  /// - Parameters:
  ///   - environment: the process's variables.
  ///   - others: variables with the prefix that mean something else.
  /// - Throws: every problem, each of which names its variable.
  public mutating func apply(
    environment: [String: String],
    except others: Set<String> = []
  ) throws(ConfigFailure) {
    let session = ReadingSession(file: "environment")
    let variables = Self.variables
    var assignments: [(key: String, value: YAMLValue)] = []
    for (name, text) in environment.sorted(by: { $0.key < $1.key }) {
      guard name.hasPrefix(Self.environmentPrefix), !others.contains(name), !text.isEmpty
      else { continue }
      let place = SourceLocation(file: name, line: 1, column: 1)
      guard let (key, shape) = variables[name] else {
        session.problems.report(
          "no such setting",
          at: place,
          suggestion: SuggestNearest.to(name, among: variables.keys.sorted())
        )
        continue
      }
      assignments.append((key, Self.value(of: text, shape, at: place)))
    }
    var changed = self
    let tree = Self.tree(assignments.map { (path: $0.key[...], value: $0.value) })
    changed.read(tree, base: "", session)
    if let failure = session.problems.failure { throw failure.withoutPlaces }
    self = changed
  }

  /// Every variable with the key that it overrides: what a reading of nothing asks for.
  static var variables: [String: (key: String, shape: ReadingSession.Shape)] {
    let session = ReadingSession(file: "environment")
    var scratch = Configuration.defaults
    scratch.read(nil, base: "", session)
    let named = session.catalog.map { entry in
      let name = entry.key.uppercased().split(separator: ".").joined(separator: "_")
      return (Self.environmentPrefix + name, entry)
    }
    return Dictionary(named, uniquingKeysWith: { first, _ in first })
  }

  private static func value(
    of text: String,
    _ shape: ReadingSession.Shape,
    at place: SourceLocation
  ) -> YAMLValue {
    func scalar(_ text: some StringProtocol) -> YAMLValue {
      let trimmed = text.drop { $0 == " " }
      let content: YAMLValue.Content = trimmed == "null" ? .null : .scalar(String(trimmed))
      return YAMLValue(location: place, content: content)
    }
    switch shape {
    case .scalar: return scalar(text)
    case .list:
      if text == "[]" { return YAMLValue(location: place, content: .list([])) }
      let items = text.split(separator: ",", omittingEmptySubsequences: false)
      return YAMLValue(location: place, content: .list(items.map { scalar($0) }))
    }
  }

  /// The mapping that has each value at its dotted path; `nil` for no values.
  private static func tree(_ values: [(path: Substring, value: YAMLValue)]) -> YAMLValue? {
    guard let location = values.first?.value.location else { return nil }
    var entries: [YAMLEntry] = []
    let groups = Dictionary(grouping: values) { $0.path.prefix { $0 != "." } }
    for (key, group) in groups.sorted(by: { $0.key < $1.key }) {
      let inner = group.filter { $0.path.count > key.count }
        .map { (path: $0.path.dropFirst(key.count + 1), value: $0.value) }
      guard let value = inner.isEmpty ? group.first?.value : Self.tree(inner) else { continue }
      entries.append(
        YAMLEntry(key: String(key), keyLocation: value.location, value: value)
      )
    }
    return YAMLValue(location: location, content: .mapping(entries))
  }
}

extension ConfigFailure {
  /// The same problems, each of which names its file alone: a variable has no lines.
  fileprivate var withoutPlaces: ConfigFailure {
    ConfigFailure(
      problems: self.problems.map { problem in
        let name = problem.location.map { "\($0.file): " } ?? ""
        return ConfigProblem(
          location: nil,
          message: name + problem.message,
          suggestion: problem.suggestion
        )
      }
    )
  }
}
