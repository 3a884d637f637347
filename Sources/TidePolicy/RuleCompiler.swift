internal import TideCore
internal import TideRegion

/// Turns the operator's rules into what is asked per message, and collects what is wrong with them.
struct RuleCompiler {
  private let regions: RegionTable
  private let settings: PolicySettings
  private(set) var problems: [PolicyFailure.Problem] = []

  init(regions: RegionTable, settings: PolicySettings) {
    self.regions = regions
    self.settings = settings
  }

  mutating func compile(_ rules: [Rule]) -> [CompiledRule] {
    self.checkSettings()
    var places: [RuleID: SourceLocation] = [:]
    var compiled: [CompiledRule] = []
    for rule in rules {
      if let first = places[rule.id] {
        self.report(rule, "id", "a rule called \"\(rule.id)\" is at \(first) already")
      } else {
        places[rule.id] = rule.location
      }
      let result = CompiledRule(
        rule,
        when: self.compile(rule.when, of: rule, as: .when),
        unless: rule.unless.map { self.compile($0, of: rule, as: .unless) },
        mode: self.settings.mode
      )
      self.check(rule, result)
      compiled.append(result)
    }
    return compiled
  }

  /// The part of a rule that conditions stand in, as its keys are named.
  private enum Part: String {
    case when
    case unless = "when.unless"
  }

  private mutating func compile(
    _ conditions: Conditions,
    of rule: Rule,
    as part: Part
  ) -> CompiledConditions {
    var result = CompiledConditions()
    result.device = conditions.device
    self.checkDevices(conditions.device, of: rule, as: part)
    for text in conditions.host {
      if let pattern = HostPattern(text) {
        result.host.append(pattern)
      } else {
        self.report(rule, "\(part.rawValue).host", Self.notAPattern(text))
      }
    }
    result.ip = conditions.ip.map(\.unmapped)
    result.port = conditions.port
    if !conditions.region.isEmpty {
      var unknown: [String] = []
      result.region = RegionCondition(
        conditions.region,
        watch: self.settings.watch,
        table: self.regions
      ) { unknown.append($0) }
      // A word in `watch` is not this rule's fault and is reported once, with the settings.
      for word in unknown where conditions.region.contains(word) {
        self.report(rule, "\(part.rawValue).region", self.notARegion(word))
      }
    }
    result.asn = conditions.asn
    result.direction = conditions.direction
    result.protocolName = conditions.protocolName
    // Methods are case-sensitive (RFC 9110 §9.1), but servers exist that take `post` for `POST`.
    result.method = conditions.method.map { Glob($0, ignoringCase: part == .when) }
    result.path = conditions.path.map { Glob($0, ignoringCase: false) }
    result.header = conditions.header.map { header in
      CompiledConditions.Header(
        name: header.name,
        key: Bytes(header.name),
        patterns: header.patterns.map { Glob($0, ignoringCase: true) }
      )
    }
    result.type = conditions.type.map { Glob($0, ignoringCase: true) }
    result.size = conditions.size
    result.finding = conditions.finding
    result.certainty = conditions.certainty
    if let interval = SizeInterval(conditions.size), interval.isEmpty {
      self.report(rule, "\(part.rawValue).size", "no size satisfies all of these")
    }
    return result
  }

  private mutating func checkDevices(_ names: [String], of rule: Rule, as part: Part) {
    guard let known = self.settings.devices else { return }
    for name in names where !known.contains(name) && IPAddress(name) == nil {
      let list = known.isEmpty ? "there is none yet" : "there are \(known.joined(separator: ", "))"
      self.report(
        rule,
        "\(part.rawValue).device",
        "no device is called \"\(name)\" (\(list)): `tidewaiter device add` makes one"
      )
    }
  }

  private mutating func check(_ rule: Rule, _ compiled: CompiledRule) {
    if rule.how != nil, rule.then != .block || !compiled.isConnectDecidable {
      let reason =
        rule.then == .block
        ? "this rule has to see the message first"
        : "this rule does not block"
      self.report(
        rule,
        "how",
        "how is for blocks decided before dialling, and \(reason): leave it out"
      )
    }
    self.checkContentKeys(rule, compiled)
    self.checkExceptions(rule)
  }

  /// What is written and could never have an effect: its author believes that it does.
  private mutating func checkContentKeys(_ rule: Rule, _ compiled: CompiledRule) {
    switch rule.otherwise {
    case .block, .allow: break
    case .log, .redact:
      self.report(rule, "otherwise", "otherwise is block or allow, not \(rule.otherwise.rawValue)")
    }
    if rule.then < .redact {
      let reason =
        "and this rule only says \(rule.then.rawValue): leave it out, or say redact or block"
      if rule.holdsBody {
        self.report(rule, "hold", "hold is for rules that redact or block, \(reason)")
      }
      if rule.keyLocations["otherwise"] != nil {
        self.report(rule, "otherwise", "otherwise is for rules that redact or block, \(reason)")
      }
    }
    if rule.candidates == .allowedOnly, !compiled.when.isRegional {
      self.report(
        rule,
        "candidates",
        "candidates is for rules that ask about addresses: leave it out, or add region, ip or asn"
      )
    }
    self.checkTunnel(rule.when, of: rule, as: .when)
    if let unless = rule.unless { self.checkTunnel(unless, of: rule, as: .unless) }
  }

  /// Refuses to ask a protocol without requests for what only requests have.
  private mutating func checkTunnel(_ conditions: Conditions, of rule: Rule, as part: Part) {
    let tunnels = ["tls", "tcp", "stream"]
    guard !conditions.protocolName.isEmpty,
      conditions.protocolName.allSatisfy(tunnels.contains)
    else { return }
    var keys = conditions.header.map { "header.\($0.name)" }
    if !conditions.method.isEmpty { keys.append("method") }
    if !conditions.path.isEmpty { keys.append("path") }
    if !conditions.type.isEmpty { keys.append("type") }
    for key in keys {
      self.report(
        rule,
        "\(part.rawValue).\(key)",
        "\(conditions.protocolName.joined(separator: ", ")) has no \(key): leave one of the two out"
      )
    }
  }

  private mutating func checkExceptions(_ rule: Rule) {
    guard let unless = rule.unless else { return }
    if unless.covers(rule.when) {
      let reason =
        "the exception covers all that the rule asks for, so the rule never applies: narrow it"
      self.report(rule, "when.unless", reason)
    }
  }

  private mutating func checkSettings() {
    for word in self.settings.watch where !RegionCondition.isKnown(word, self.regions) {
      self.report("regions.watch: \(self.notARegion(word))")
    }
    for text in self.settings.passthrough where HostPattern(text) == nil {
      self.report("tls.passthrough: \(Self.notAPattern(text))")
    }
    var names: Set<String> = []
    for set in self.regions.sets {
      let key = "regions.sets.\(set.name)"
      if !names.insert(set.name).inserted { self.report("\(key): there are two sets of this name") }
      if ["watched", "local", "unknown"].contains(set.name) {
        self.report("\(key): this word has a meaning of its own in rules")
      }
      for text in set.hosts where HostPattern(text) == nil {
        self.report("\(key).host: \(Self.notAPattern(text))")
      }
    }
  }

  private func notARegion(_ word: String) -> String {
    let sets = self.regions.sets.map(\.name).joined(separator: ", ")
    return
      "unknown region \"\(word)\": neither a country code of two letters, nor local, unknown or watched"
      + (sets.isEmpty ? "" : ", nor one of the sets \(sets)")
  }

  private static func notAPattern(_ text: String) -> String {
    "\"\(text)\" is neither a host name, nor *. and a name, nor *, nor an address"
  }

  private mutating func report(_ rule: Rule, _ key: String, _ message: String) {
    self.problems.append(
      PolicyFailure.Problem(
        location: rule.keyLocations[key] ?? rule.location,
        message: "rule \(rule.id): \(message)"
      )
    )
  }

  private mutating func report(_ message: String) {
    self.problems.append(PolicyFailure.Problem(location: nil, message: message))
  }
}
