import TideCore
public import TidePolicy

/// A file of rules as it was read.
public struct RuleFile: Sendable {
  /// The rules, in the file's order.
  public let rules: [Rule]
  /// The named regions that the file brings along, in its order.
  public let sets: [PlacedRegionSet]
}

/// A file of rules (PRODUCT.md section 6).
public enum RuleDocument {
  /// Reads a file: its rules, and the named regions under `sets` that they may need.
  ///
  /// What a rule means beside others, and whether its regions exist, is for the policy's compiler to say.
  ///
  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - path: the file's name, for messages.
  ///   - additionalKinds: kinds of findings that inspectors add to `FindingKind.known`.
  /// - Returns: the file; nothing is in an empty one.
  /// - Throws: every problem of the file, each with its place.
  public static func parse(
    yaml: String,
    path: String,
    additionalKinds: [String] = []
  ) throws(ConfigFailure) -> RuleFile {
    let session = ReadingSession(file: path)
    var root = MappingReader(
      YAMLReader.read(yaml, path: path, session.problems),
      session: session
    )
    root.readVersion()
    let sets = PlacedRegionSet.all(in: root.section("sets"))
    let rules = Self.rules(&root, FindingKind.known + additionalKinds)
    root.finish()
    if let failure = session.problems.failure { throw failure }
    return RuleFile(rules: rules, sets: sets)
  }

  private static func rules(_ root: inout MappingReader, _ kinds: [String]) -> [Rule] {
    guard let list = root.value("rules"), !list.isNull else { return [] }
    guard case .list(let items) = list.content else {
      root.report("expected a list of rules, found \(list.found)", key: "rules", at: list)
      return []
    }
    var rules: [Rule] = []
    var places: [RuleID: SourceLocation] = [:]
    for item in items {
      var reader = MappingReader(item, what: "a rule", session: root.session)
      guard let rule = Self.rule(&reader, at: item.location, kinds) else { continue }
      if let first = places[rule.id] {
        root.session.problems.report(
          "rule \(rule.id.text.quotedForMessage) is written twice, first in line \(first.line)",
          at: rule.keyLocations["id"] ?? rule.location
        )
      } else {
        places[rule.id] = rule.location
      }
      rules.append(rule)
    }
    return rules
  }

  /// Reads one rule; `nil` if it lacks what every rule has.
  private static func rule(
    _ reader: inout MappingReader,
    at location: SourceLocation,
    _ kinds: [String]
  ) -> Rule? {
    // What is no mapping at all has been reported; that it lacks keys too helps no one.
    guard reader.isMapping else { return nil }
    var id: String?
    var description: String?
    var then: Action?
    var how: BlockMethod?
    var hold: String?
    var candidates = CandidatePolicy.any
    var otherwise = "block"
    var severity: String?
    reader.read("id", required: .identifier("an id"), into: &id)
    reader.read("description", orNull: .text, into: &description)
    let conditions = Self.conditions(&reader, kinds)
    reader.read("then", required: .word, into: &then)
    reader.read("how", optional: .word, into: &how)
    reader.read("hold", optional: .word(of: ["body"]), into: &hold)
    reader.read("candidates", .word, into: &candidates)
    reader.read("otherwise", .word(of: ["block", "allow"]), into: &otherwise)
    reader.read("severity", optional: .word(of: ["low", "medium", "high"]), into: &severity)
    let conditionKeys = ConditionReader.keys + ["unless"]
    reader.finish(
      elsewhere: Dictionary(uniqueKeysWithValues: conditionKeys.map { ($0, "when.\($0)") })
    )
    guard let id, let then, let conditions else { return nil }
    return Rule(
      id: RuleID(id),
      description: description ?? "",
      when: conditions.when,
      unless: conditions.unless,
      then: then,
      how: how,
      holdsBody: hold != nil,
      candidates: candidates,
      otherwise: otherwise == "allow" ? .allow : .block,
      severity: severity,
      location: location,
      keyLocations: Self.keyLocations(of: reader)
    )
  }

  /// Reads `when` and the `unless` in it; `nil` if there is no `when`.
  ///
  /// A rule without conditions matches everything: whoever means that writes `when: {}`.
  private static func conditions(
    _ reader: inout MappingReader,
    _ kinds: [String]
  ) -> (when: Conditions, unless: Conditions?)? {
    guard reader.has("when") else {
      _ = reader.value("when")
      reader.reportMissing("when")
      return nil
    }
    var when = ConditionReader(reader.section("when", null: .refused), kinds: kinds)
    let conditions = when.conditions()
    guard when.reader.has("unless") else {
      when.finish(known: ["unless"])
      return (conditions, nil)
    }
    var unless = ConditionReader(when.reader.section("unless", null: .refused), kinds: kinds)
    let exceptions = unless.conditions()
    unless.finish()
    when.finish()
    if unless.reader.isMapping, unless.reader.entries.isEmpty {
      // An exception that asks nothing is met by everything: the rule would never apply.
      when.reader.report(
        "names no exception",
        key: "unless",
        at: when.reader.value("unless")
      )
    }
    return (conditions, exceptions)
  }

  private static func keyLocations(of reader: MappingReader) -> [String: SourceLocation] {
    var locations: [String: SourceLocation] = [:]
    func add(_ entries: [YAMLEntry], prefix: String) {
      for entry in entries {
        let name = prefix + entry.key
        locations[name] = entry.keyLocation
        guard case .mapping(let inner) = entry.value.content else { continue }
        add(inner, prefix: name + ".")
      }
    }
    add(reader.entries, prefix: "")
    return locations
  }
}
