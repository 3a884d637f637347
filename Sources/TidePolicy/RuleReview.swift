internal import TideCore
internal import TideRegion

/// Looks at sound rules beside each other, the databases and the settings: which of them never decide, or
/// ask for what nothing here can tell.
struct RuleReview {
  private let regions: RegionTable
  private let settings: PolicySettings
  private let rules: [CompiledRule]

  init(_ rules: [CompiledRule], regions: RegionTable, settings: PolicySettings) {
    self.rules = rules
    self.regions = regions
    self.settings = settings
  }

  /// What is remarkable, in the order of the rules.
  var remarks: [PolicyRemark] {
    // Of a pair of rules each is compared with the other's regions in full.
    let spelled = self.rules.map { self.spelledOut($0.source.when) }
    return self.rules.indices.flatMap { index in
      [self.shadow(over: index, spelled), self.emptiness(of: self.rules[index])].compactMap(\.self)
        + self.blindness(of: self.rules[index]) + self.doubt(about: self.rules[index])
    }
  }

  // MARK: Rules that never decide

  /// That another rule takes every decision from the one at `index`; nil if none does.
  private func shadow(over index: Int, _ spelled: [Conditions]) -> PolicyRemark? {
    let rule = self.rules[index]
    for (other, shadow) in self.rules.enumerated() where other != index {
      let comesFirst =
        shadow.decided > rule.decided || shadow.decided == rule.decided && other < index
      guard comesFirst, self.isAsStrict(shadow, as: rule), spelled[other].covers(spelled[index]),
        shadow.source.unless == nil || shadow.source.unless == rule.source.unless
      else { continue }
      return Self.remark(
        .unreachable,
        rule,
        "when",
        "never decides: rule \(shadow.id) (\(shadow.source.location)) asks for no more and is no milder; "
          + "remove one of the two, or narrow that one with an unless"
      )
    }
    return nil
  }

  /// Whether nothing beside the decision is lost if `shadow` takes it in the place of `rule`.
  private func isAsStrict(_ shadow: CompiledRule, as rule: CompiledRule) -> Bool {
    if shadow.candidates == .allowedOnly, rule.candidates == .any { return false }
    guard rule.decided >= .redact else { return true }
    return shadow.otherwise >= rule.otherwise && (shadow.holdsBody || !rule.holdsBody)
  }

  /// `conditions` with `watched` as what it stands for, so that they compare with others.
  private func spelledOut(_ conditions: Conditions) -> Conditions {
    var conditions = conditions
    conditions.region = conditions.region.flatMap { word in
      word == "watched" ? self.settings.watch : [word]
    }
    conditions.region = conditions.region.flatMap { word in
      word.utf8.count == 2 ? [word.uppercased()] + self.sets(in: word) : [word]
    }
    return conditions
  }

  /// The sets whose addresses count as a country's.
  private func sets(in country: String) -> [String] {
    self.regions.sets.filter { $0.country == country.uppercased() }.map(\.name)
  }

  /// That a rule asks for regions without anything in them; nil if it does not.
  private func emptiness(of rule: CompiledRule) -> PolicyRemark? {
    let words = rule.source.when.region
    guard !words.isEmpty else { return nil }
    if self.settings.watch.isEmpty, words.allSatisfy({ $0 == "watched" }) {
      return Self.remark(
        .unreachable,
        rule,
        "when.region",
        "never applies: regions.watch names no region; name one there or here"
      )
    }
    let empty = words.filter { word in
      self.regions.sets.contains {
        $0.name == word && $0.cidrs.isEmpty && $0.asns.isEmpty && $0.hosts.isEmpty
      }
    }
    guard empty == words else { return nil }
    return Self.remark(
      .unreachable,
      rule,
      "when.region",
      "never applies: nothing is in \(empty.joined(separator: ", ")); give it a cidr, asn or host"
    )
  }

  // MARK: Rules that ask for what nothing can tell

  private func blindness(of rule: CompiledRule) -> [PolicyRemark] {
    var remarks: [PolicyRemark] = []
    for (part, conditions) in [("when", rule.source.when), ("when.unless", rule.source.unless)] {
      guard let conditions else { continue }
      if !self.knowsASN {
        let sets = self.regions.sets.filter {
          conditions.region.contains($0.name) && !$0.asns.isEmpty
        }
        let advice =
          "no database of regions.databases knows autonomous systems: add one that does (*.mmdb)"
        if !conditions.asn.isEmpty {
          remarks.append(Self.remark(.blind, rule, "\(part).asn", "asn cannot be told: \(advice)"))
        }
        if !sets.isEmpty {
          let some = sets.prefix(3).map(\.name).joined(separator: ", ")
          let names = sets.count > 3 ? "\(some) and \(sets.count - 3) more sets" : some
          remarks.append(
            Self.remark(
              .blind,
              rule,
              "\(part).region",
              "who is in \(names) by asn cannot be told: \(advice)"
            )
          )
        }
      }
      let countries = self.untoldCountries(conditions.region)
      if !countries.isEmpty {
        remarks.append(
          Self.remark(
            .blind,
            rule,
            "\(part).region",
            "who is in \(countries.joined(separator: ", ")) cannot be told: no database of "
              + "regions.databases knows countries, and no set has that country"
          )
        )
      }
    }
    return remarks
  }

  private var knowsASN: Bool { self.regions.sources.contains(where: \.knowsASN) }

  /// The countries of a `region` that neither a database nor a set names.
  private func untoldCountries(_ words: [String]) -> [String] {
    if self.regions.sources.contains(where: \.knowsCountry) { return [] }
    let spelled = words.flatMap { $0 == "watched" ? self.settings.watch : [$0] }
    return spelled.filter { word in
      word.utf8.count == 2 && self.sets(in: word).isEmpty
        && !self.regions.sets.contains { $0.name == word }
    }
  }

  // MARK: Rules that may mean something else

  private func doubt(about rule: CompiledRule) -> [PolicyRemark] {
    var remarks: [PolicyRemark] = []
    if rule.decided == .allow {
      remarks.append(
        Self.remark(
          .doubtful,
          rule,
          "then",
          "an allow lets nothing through that another rule stops; for an exception write unless in that rule"
        )
      )
    }
    if rule.decided == .block, !rule.when.asksFindings, rule.unless?.asksFindings == true {
      let key = rule.unless?.finding.isEmpty == true ? "certainty" : "finding"
      remarks.append(
        Self.remark(
          .doubtful,
          rule,
          "when.unless.\(key)",
          "what is found in a body comes too late to be an exception, as the rule has blocked by then; "
            + "ask for findings under when"
        )
      )
    }
    return remarks
  }

  private static func remark(
    _ kind: PolicyRemark.Kind,
    _ rule: CompiledRule,
    _ key: String,
    _ message: String
  ) -> PolicyRemark {
    PolicyRemark(
      kind: kind,
      problem: PolicyFailure.Problem(
        location: rule.source.keyLocations[key] ?? rule.source.location,
        message: "rule \(rule.id): \(message)"
      )
    )
  }
}
