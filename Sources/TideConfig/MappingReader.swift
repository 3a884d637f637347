import TidePolicy

/// Reads a mapping's keys one by one into typed values; at the end the keys that nobody asked for are
/// problems, so that the keys are listed once, in the code that reads them.
struct MappingReader {
  /// The dotted name of the mapping; empty for the document.
  let path: String
  /// Where the mapping is written, or the document's start if it is not.
  let location: SourceLocation
  /// Whether a mapping is what is written.
  let isMapping: Bool
  /// The keys and values as written.
  let entries: [YAMLEntry]
  let session: ReadingSession
  private var asked: [String] = []

  init(
    _ value: YAMLValue?,
    path: String = "",
    what: String = "a mapping of keys to values",
    null: Emptiness = .refused,
    session: ReadingSession
  ) {
    self.path = path
    self.session = session
    self.location = value?.location ?? SourceLocation(file: session.file, line: 1, column: 1)
    switch value?.content {
    case .mapping(let entries):
      self.entries = entries
      self.isMapping = true
    case .none:
      self.entries = []
      self.isMapping = false
    case .null where null == .allowed:
      self.entries = []
      self.isMapping = true
    case .null, .scalar, .list:
      self.entries = []
      self.isMapping = false
      let name = path.isEmpty ? "" : "\(path): "
      session.problems.report(
        "\(name)expected \(what), found \(value?.found ?? "nothing")",
        at: self.location
      )
    }
  }

  /// A key's dotted name.
  func name(of key: String) -> String { self.path.isEmpty ? key : "\(self.path).\(key)" }

  /// Whether the key is written.
  func has(_ key: String) -> Bool { self.entries.contains { $0.key == key } }

  /// Whether a mapping is written for the key.
  func isMapping(_ key: String) -> Bool {
    guard case .mapping? = self.entries.first(where: { $0.key == key })?.value.content else {
      return false
    }
    return true
  }

  /// A key's value as written.
  mutating func value(_ key: String) -> YAMLValue? {
    self.asked.append(key)
    return self.entries.first { $0.key == key }?.value
  }

  /// Reports a problem with a key's value.
  func report(_ message: String, key: String, suggestion: String? = nil, at value: YAMLValue?) {
    self.session.problems.report(
      "\(self.name(of: key)): \(message)",
      at: value?.location ?? self.location,
      suggestion: suggestion
    )
  }

  // MARK: Scalars

  /// Reads a value if it is written.
  mutating func read<V>(_ key: String, _ form: ScalarForm<V>, into target: inout V) {
    self.session.note(self.name(of: key), .scalar)
    guard let value = self.value(key), let read = self.scalar(value, form, key) else { return }
    target = read
  }

  /// Reads a value, or `null` for none, if it is written.
  mutating func read<V>(_ key: String, orNull form: ScalarForm<V>, into target: inout V?) {
    self.read(key, orWord: "null", form, into: &target)
  }

  /// Reads a value, or a word that stands for none, if it is written.
  mutating func read<V>(
    _ key: String,
    orWord word: String,
    _ form: ScalarForm<V>,
    into target: inout V?
  ) {
    self.session.note(self.name(of: key), .scalar)
    guard let value = self.value(key) else { return }
    if value.isNull ? word == "null" : value.brief == word && word != "null" {
      target = nil
      return
    }
    let either = ScalarForm<V>(
      expected: "\(word) or \(form.expected)",
      words: form.words + [word],
      objection: form.objection,
      read: form.read
    )
    if let read = self.scalar(value, either, key) { target = read }
  }

  /// Reads a value that has no default; that it is missing is a problem.
  mutating func read<V>(_ key: String, required form: ScalarForm<V>, into target: inout V?) {
    guard self.has(key) else {
      self.asked.append(key)
      self.reportMissing(key)
      return
    }
    self.read(key, optional: form, into: &target)
  }

  /// Reads a value that may be left out; `null` is no value.
  mutating func read<V>(_ key: String, optional form: ScalarForm<V>, into target: inout V?) {
    self.session.note(self.name(of: key), .scalar)
    guard let value = self.value(key), let read = self.scalar(value, form, key) else { return }
    target = read
  }

  /// Reports that the mapping lacks a key.
  func reportMissing(_ key: String) {
    self.session.problems.report(
      "the key \"\(self.name(of: key))\" is missing",
      at: self.location
    )
  }

  /// Reads one scalar of a key; `nil` after a problem.
  func scalar<V>(_ value: YAMLValue, _ form: ScalarForm<V>, _ key: String) -> V? {
    guard case .scalar(let text) = value.content else {
      self.report("expected \(form.expected), found \(value.found)", key: key, at: value)
      return nil
    }
    if let read = form.read(text) { return read }
    if let objection = form.objection(text) {
      self.report("\(text.quotedForMessage) \(objection)", key: key, at: value)
      return nil
    }
    self.report(
      "expected \(form.expected), found \(value.found)",
      key: key,
      suggestion: SuggestNearest.to(text, among: form.words),
      at: value
    )
    return nil
  }

  /// Reads `version`, which may be left out and otherwise is 1.
  mutating func readVersion() {
    var version = "1"
    let form = ScalarForm<String>(expected: "1, the version that this program reads") {
      $0 == "1" ? $0 : nil
    }
    self.read("version", form, into: &version)
  }

  // MARK: Lists

  /// Whether a list may be empty, and a mapping's key without a value.
  enum Emptiness {
    case allowed, refused
  }

  /// Reads a list, or a single value as a list of one, if it is written.
  mutating func read<V>(
    _ key: String,
    listOf form: ScalarForm<V>,
    empty: Emptiness = .allowed,
    into target: inout [V]
  ) {
    self.session.note(self.name(of: key), .list)
    guard let value = self.value(key) else { return }
    target = self.items(of: value, form, empty: empty, key)
  }

  /// Reads the items of a list, or a single value.
  func items<V>(
    of value: YAMLValue,
    _ form: ScalarForm<V>,
    empty: Emptiness,
    _ key: String
  ) -> [V] {
    switch value.content {
    case .list(let items):
      if items.isEmpty, empty == .refused {
        self.report("the list is empty; expected \(form.expected)", key: key, at: value)
      }
      return items.compactMap { self.scalar($0, form, key) }
    case .scalar, .null, .mapping:
      return self.scalar(value, form, key).map { [$0] } ?? []
    }
  }

  // MARK: Mappings

  /// The reader of a mapping inside this one; empty if it is not written.
  ///
  /// A key of which every line below is commented out counts as not written, unless `null` is refused.
  mutating func section(_ key: String, null: Emptiness = .allowed) -> MappingReader {
    MappingReader(self.value(key), path: self.name(of: key), null: null, session: self.session)
  }

  /// Reports the keys that were not asked for; `elsewhere` has the right place of some of them.
  func finish(elsewhere: [String: String] = [:], known: [String] = []) {
    let known = self.asked + known + self.session.unavailableKeys(under: self.path)
    for entry in self.entries where !known.contains(entry.key) {
      let under = self.path.isEmpty ? "" : " under \(self.path)"
      self.session.problems.report(
        "unknown key \(entry.key.quotedForMessage)\(under)",
        at: entry.keyLocation,
        suggestion: elsewhere[entry.key] ?? SuggestNearest.to(entry.key, among: known)
      )
    }
  }
}
