import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct VerdictTests {
  private func verdict(
    _ rules: [Rule],
    mode: Mode = .block,
    sets: [RegionSet] = [],
    addresses: [String] = ["203.0.113.7"],
    hosts: [String] = ["api.vendor.example"],
    findings: [Finding] = [],
    change: (inout MessageFacts) -> Void = { _ in }
  ) throws -> Verdict {
    let policy = try Laboratory.policy(mode, rules, sets: sets)
    let facts = try Laboratory.facts(policy, addresses, hosts: hosts, change: change)
    return policy.verdict(for: facts, findings: findings)
  }

  private func matches(
    addresses: [String] = ["203.0.113.7"],
    hosts: [String] = ["api.vendor.example"],
    findings: [Finding] = [],
    sets: [RegionSet] = [],
    method: Bytes = "POST",
    direction: Direction = .request,
    size: ContentSize = .exactly(100),
    _ when: (inout Conditions) -> Void
  ) throws -> Bool {
    let verdict = try self.verdict(
      [Laboratory.rule("r", .log, when: when)],
      sets: sets,
      addresses: addresses,
      hosts: hosts,
      findings: findings
    ) { facts in
      facts.method = method
      facts.direction = direction
      facts.size = size
    }
    return verdict.rule != nil
  }

  @Test("Without a rule that matches, the message passes")
  func pass() throws {
    #expect(try self.verdict([]) == .pass)
    #expect(try self.verdict([Laboratory.rule("r", .block) { $0.port = [80...80] }]) == .pass)
  }

  @Test(
    "What is applied is the lesser of what is decided and the mode's ceiling",
    arguments: Mode.allCases
  )
  func ceiling(mode: Mode) throws {
    for action in Action.allCases {
      let verdict = try self.verdict([Laboratory.rule("r", action)], mode: mode)
      #expect(verdict.decided == action)
      #expect(verdict.applied == min(action, mode.ceiling))
      #expect(verdict.rule == RuleID("r"))
    }
  }

  @Test("The most severe rule decides whatever the order, and of equals the first")
  func severity() throws {
    let rules = [
      Laboratory.rule("allow", .allow), Laboratory.rule("log", .log),
      Laboratory.rule("block", .block),
      Laboratory.rule("redact", .redact), Laboratory.rule("block-too", .block),
    ]
    #expect(try self.verdict(rules).rule == RuleID("block"))
    #expect(try self.verdict(rules.reversed()).rule == RuleID("block-too"))
    #expect(try self.verdict([rules[0]]).rule == RuleID("allow"))
  }

  @Test(
    "The strictest otherwise of the redact and block rules that match holds; of a log rule it does not count"
  )
  func otherwise() throws {
    let lenient = Laboratory.rule("lenient", .redact, otherwise: .allow)
    let strict = Laboratory.rule("strict", .redact, otherwise: .block)
    let log = Laboratory.rule("log", .log, otherwise: .block)
    #expect(try self.verdict([lenient, strict]).otherwise == .block)
    #expect(try self.verdict([lenient, strict]).rule == RuleID("lenient"))
    #expect(try self.verdict([log, lenient]).otherwise == .allow)
    #expect(try self.verdict([strict], mode: .record).otherwise == .allow)
  }

  @Test("A key that is a list matches if one value does, and every key must match")
  func andOr() throws {
    #expect(try self.matches { $0.port = [80...80, 440...450] })
    #expect(try self.matches { $0.device = ["a", "redmi"] })
    #expect(
      try !self.matches {
        $0.port = [443...443]
        $0.device = ["a"]
      }
    )
  }

  @Test("Method, path, header, type and protocol are asked of the message")
  func messageKeys() throws {
    #expect(try self.matches { $0.method = ["PUT", "POST"] })
    #expect(try self.matches(method: "post") { $0.method = ["POST"] })
    #expect(try !self.matches { $0.method = ["GET"] })
    #expect(try self.matches { $0.path = ["/v1/*"] })
    #expect(try self.matches { $0.path = ["*report", "/x"] })
    #expect(try self.matches { $0.path = ["/*/rep*t"] })
    #expect(try !self.matches { $0.path = ["/v1"] })
    #expect(try !self.matches { $0.path = ["/V1/*"] })
    #expect(
      try self.matches {
        $0.header = [HeaderCondition(name: "user-agent", patterns: ["vendorsdk/*"])]
      }
    )
    #expect(
      try !self.matches { $0.header = [HeaderCondition(name: "user-agent", patterns: ["curl/*"])] }
    )
    #expect(try !self.matches { $0.header = [HeaderCondition(name: "cookie", patterns: ["*"])] })
    #expect(try self.matches { $0.type = ["application/json"] })
    #expect(try self.matches { $0.type = ["image/*", "application/*"] })
    #expect(try !self.matches { $0.type = ["image/*"] })
    #expect(try self.matches { $0.protocolName = ["http/1.1"] })
    #expect(try !self.matches { $0.protocolName = ["tls"] })
    #expect(try self.matches { $0.direction = [.request] })
    #expect(try !self.matches { $0.direction = [.response] })
  }

  @Test(
    "A growing size matches once it reaches the figure, an upper bound only a size that is known"
  )
  func sizes() throws {
    for (text, size, isMatch) in [
      (">=", .atLeast(99), false), (">=", .atLeast(100), true), (">=", .exactly(100), true),
      (">", .atLeast(100), false), (">", .atLeast(101), true), (">=", .exactly(99), false),
      ("<=", .atLeast(0), false), ("<=", .exactly(100), true), ("<=", .exactly(101), false),
      ("<", .exactly(99), true), ("<", .exactly(100), false), ("<", .atLeast(5), false),
    ] as [(String, ContentSize, Bool)] {
      let relation = try #require(SizeCondition.Relation(rawValue: text))
      let found = try self.matches(size: size) {
        $0.size = [SizeCondition(relation: relation, bytes: 100)]
      }
      #expect(found == isMatch, "\(text) \(size)")
    }
  }

  @Test("A finding matches by kind and certainty together, and only in its own direction")
  func findings() throws {
    let likely = Laboratory.finding(.imei, .likely)
    let certain = Laboratory.finding(.email, .certain)
    #expect(try self.matches(findings: [likely]) { $0.finding = ["imsi", "imei"] })
    #expect(try !self.matches(findings: [certain]) { $0.finding = ["imei"] })
    #expect(try self.matches(findings: [certain]) { $0.certainty = [.certain] })
    #expect(
      try !self.matches(findings: [likely, certain]) {
        $0.finding = ["imei"]
        $0.certainty = [.certain]
      }
    )
    let response = Laboratory.finding(.imei, .certain, .response)
    #expect(try !self.matches(findings: [response]) { $0.finding = ["imei"] })
    #expect(
      try self.matches(findings: [response], direction: .response) {
        $0.finding = ["imei"]
      }
    )
  }

  @Test("One name of the flow is enough for a rule, and an exception needs every one")
  func hosts() throws {
    let names = ["a.good.example", "bad.example"]
    #expect(try self.matches(hosts: names) { $0.host = ["bad.example"] })
    #expect(try self.matches(hosts: ["203.0.113.7"]) { $0.host = ["203.0.113.7"] })
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.host = ["*.good.example"] }
    )
    #expect(try self.verdict([rule], hosts: names).rule != nil)
    #expect(try self.verdict([rule], hosts: ["a.good.example", "b.good.example"]) == .pass)
  }

  @Test("The keys of an exception are joined by AND")
  func unless() throws {
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions {
        $0.host = ["api.vendor.example"]
        $0.method = ["GET"]
      }
    )
    #expect(try self.verdict([rule]).rule != nil)
    #expect(try self.verdict([rule]) { $0.method = "GET" } == .pass)
    #expect(try self.verdict([rule]) { $0.method = "get" }.rule != nil)
  }

  @Test("An exception that waits for content does not hold yet")
  func unlessPending() throws {
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.finding = ["email"] }
    )
    #expect(try self.verdict([rule]).rule != nil)
    #expect(try self.verdict([rule], findings: [Laboratory.finding(.email)]) == .pass)
    let small = Laboratory.rule(
      "s",
      .block,
      unless: Laboratory.conditions {
        $0.size = [SizeCondition(relation: .under, bytes: 1_000)]
      }
    )
    #expect(try self.verdict([small]) { $0.size = .atLeast(10) }.rule != nil)
    #expect(try self.verdict([small]) { $0.size = .exactly(10) } == .pass)
  }

  @Test("A region matches by country of either case, set, watched, local and unknown")
  func regions() throws {
    #expect(try self.matches { $0.region = ["cn"] })
    #expect(try self.matches { $0.region = ["DE", "watched"] })
    #expect(try !self.matches { $0.region = ["DE"] })
    #expect(try self.matches(addresses: ["10.0.0.1"]) { $0.region = ["local"] })
    #expect(try !self.matches(addresses: ["203.0.113.7"]) { $0.region = ["local"] })
    #expect(try self.matches(addresses: ["8.8.8.8"]) { $0.region = ["unknown"] })
    #expect(try !self.matches(addresses: ["8.8.8.8"]) { $0.region = ["watched", "local", "DE"] })
    #expect(try !self.matches(addresses: ["10.0.0.1"]) { $0.region = ["unknown"] })
  }

  @Test("A region matches if any address lies in it, unless only the address dialled counts")
  func candidates() throws {
    let mixed = ["198.51.100.1", "203.0.113.7"]
    #expect(try self.matches(addresses: mixed) { $0.region = ["CN"] })
    for (addresses, isMatch) in [(mixed, false), (mixed.reversed(), true)] {
      let rule = Laboratory.rule("r", .redact, candidates: .allowedOnly) { $0.region = ["CN"] }
      #expect(try (self.verdict([rule], addresses: addresses).rule != nil) == isMatch)
    }
  }

  @Test("A set matches by block and by autonomous system's country, and its host entries add to it")
  func sets() throws {
    let vendor = RegionSet(
      name: "vendor",
      country: "CN",
      cidrs: [CIDR("198.51.100.0/25")].compactMap(\.self),
      hosts: ["*.vendor.example"]
    )
    #expect(
      try self.matches(addresses: ["198.51.100.1"], hosts: ["x.example"], sets: [vendor]) {
        $0.region = ["vendor"]
      }
    )
    #expect(
      try self.matches(addresses: ["198.51.100.1"], hosts: ["x.example"], sets: [vendor]) {
        $0.region = ["CN"]
      }
    )
    #expect(
      try !self.matches(addresses: ["198.51.100.1"], hosts: ["x.example"], sets: [vendor]) {
        $0.region = ["DE"]
      }
    )
    #expect(try self.matches(addresses: ["8.8.8.8"], sets: [vendor]) { $0.region = ["vendor"] })
    #expect(try self.matches(addresses: ["8.8.8.8"], sets: [vendor]) { $0.region = ["watched"] })
    // A name adds to a region and takes nothing away.
    #expect(try self.matches(addresses: ["198.51.100.200"], sets: [vendor]) { $0.region = ["DE"] })
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.region = ["vendor"] }
    )
    #expect(try self.verdict([rule], sets: [vendor], addresses: ["8.8.8.8"]).rule != nil)
    #expect(try self.verdict([rule], sets: [vendor], addresses: ["198.51.100.1"]) == .pass)
  }

  @Test("An autonomous system matches if any source names it")
  func systems() throws {
    let region = Region(
      name: "CN",
      countries: ["CN"],
      asn: 64_512,
      signals: [64_512, 64_513].map { RegionSignal(source: "lab", country: "CN", asn: $0) }
    )
    func matches(_ numbers: [UInt32], excepting: Bool = false) throws -> Bool {
      let rule =
        excepting
        ? Laboratory.rule("r", .block, unless: Laboratory.conditions { $0.asn = numbers })
        : Laboratory.rule("r", .block) { $0.asn = numbers }
      return try self.verdict([rule]) {
        $0.candidates = [Candidate(address: .v4(0xCB00_7107), region: region)]
      }.rule != nil
    }
    #expect(try matches([64_513]))
    #expect(try !matches([64_514]))
    #expect(try matches([64_513], excepting: true))
    #expect(try !matches([64_513, 64_512], excepting: true))
  }

  @Test("A rule's description is told by its name, and nil stands for none")
  func description() throws {
    let rule = Rule(
      id: RuleID("r"),
      description: "Identifiers to watched regions",
      when: Conditions(),
      then: .log,
      location: SourceLocation(file: "r.yaml", line: 1, column: 1)
    )
    let policy = try Laboratory.policy(.record, [rule, Laboratory.rule("silent", .log)])
    #expect(policy.description(of: RuleID("r")) == "Identifiers to watched regions")
    #expect(policy.description(of: RuleID("silent")) == nil)
    #expect(policy.description(of: RuleID("absent")) == nil)
  }

  @Test("An address is judged in the form that a socket would use")
  func candidate() throws {
    let policy = try Laboratory.policy(.record, [])
    let candidate = policy.candidate(try Laboratory.address("::ffff:203.0.113.7"))
    #expect(candidate.address.description == "203.0.113.7")
    #expect(candidate.region.name == "CN")
  }
}
