import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct ConnectDecisionTests {
  private let blockWatched = Laboratory.rule("watched", .block) { $0.region = ["watched"] }

  private func targets(_ decision: ConnectDecision) -> [String] {
    guard case .dial(let targets) = decision.outcome else { return [] }
    return targets.map(\.address.description)
  }

  @Test("Without rules every address is pinned, in the resolver's order, each once")
  func dials() throws {
    let policy = try Laboratory.policy(.block, [])
    let request = try Laboratory.request(
      "a.example:8443",
      ["203.0.113.7", "198.51.100.1", "203.0.113.7", "::ffff:198.51.100.1"]
    )
    let decision = policy.decideConnect(request)
    #expect(self.targets(decision) == ["203.0.113.7", "198.51.100.1"])
    #expect(decision.verdict == .pass)
    #expect(decision.candidates.map(\.region.name) == ["CN", "DE"])
    guard case .dial(let targets) = decision.outcome else { return }
    #expect(targets.allSatisfy { $0.authority == request.authority })
    #expect(targets.map(\.region.name) == ["CN", "DE"])
  }

  @Test(
    "In block mode one address in a blocked region blocks the name: sinkhole by default, refuse if so written"
  )
  func blocksAnyCandidate() throws {
    let request = try Laboratory.request("a.example:443", ["198.51.100.1", "203.0.113.7"])
    let sinkhole = try Laboratory.policy(.block, [self.blockWatched]).decideConnect(request)
    #expect(sinkhole.outcome == .sinkhole(RuleID("watched")))
    #expect(sinkhole.verdict.applied == .block)
    let rule = Laboratory.rule("watched", .block, how: .refuse) { $0.region = ["cn"] }
    let refused = try Laboratory.policy(.block, [rule]).decideConnect(request)
    #expect(refused.outcome == .refuse(.rule(RuleID("watched"))))
  }

  @Test(
    "Below block mode a blocked region is dialled, and what block mode would do is recorded",
    arguments: [(Mode.observe, Action.log), (.record, .log), (.redact, .redact)]
  )
  func ceiling(mode: Mode, applied: Action) throws {
    let decision = try Laboratory.policy(mode, [self.blockWatched])
      .decideConnect(try Laboratory.request("a.example:443", ["203.0.113.7"]))
    #expect(self.targets(decision) == ["203.0.113.7"])
    #expect(decision.verdict.decided == .block)
    #expect(decision.verdict.applied == applied)
    #expect(decision.verdict.rule == RuleID("watched"))
  }

  @Test("Each key that a destination decides is asked before dialling")
  func keys() throws {
    let rules: [(String, (inout Conditions) -> Void)] = [
      ("device", { $0.device = ["redmi"] }), ("host", { $0.host = ["*.vendor.example"] }),
      ("ip", { $0.ip = [CIDR("203.0.113.0/28")].compactMap(\.self) }),
      ("port", { $0.port = [400...443] }),
      ("region", { $0.region = ["CN"] }), ("direction", { $0.direction = [.request] }),
    ]
    let hit = try Laboratory.request("api.vendor.example:443", ["203.0.113.7"])
    let miss = try Laboratory.request("vendor.example:8443", ["198.51.100.1"], device: "other")
    for (name, when) in rules {
      let policy = try Laboratory.policy(.block, [Laboratory.rule(name, .block, when: when)])
      #expect(policy.decideConnect(hit).outcome == .sinkhole(RuleID(name)), "\(name)")
      guard name != "direction" else { continue }
      #expect(policy.decideConnect(miss).verdict == .pass, "\(name)")
    }
  }

  @Test("A rule with a key that needs the message is not decided before dialling")
  func undecidable() throws {
    let rules: [(inout Conditions) -> Void] = [
      { $0.method = ["POST"] }, { $0.path = ["*"] }, { $0.type = ["*"] }, { $0.finding = ["imei"] },
      { $0.certainty = [.certain] }, { $0.protocolName = ["http/1.1"] },
      { $0.direction = [.response] },
      { $0.size = [SizeCondition(relation: .atLeast, bytes: 0)] },
      { $0.header = [HeaderCondition(name: "host", patterns: ["*"])] },
    ]
    for when in rules {
      let policy = try Laboratory.policy(.block, [Laboratory.rule("r", .block, when: when)])
      let decision = policy.decideConnect(try Laboratory.request("a.example:443", ["203.0.113.7"]))
      #expect(decision.verdict == .pass)
      #expect(self.targets(decision) == ["203.0.113.7"])
    }
  }

  @Test("A redact rule that names a region is decided before dialling and dials")
  func redactDials() throws {
    let rule = Laboratory.rule("r", .redact, otherwise: .allow) { $0.region = ["CN"] }
    let decision = try Laboratory.policy(.block, [rule])
      .decideConnect(try Laboratory.request("a.example:443", ["203.0.113.7"]))
    #expect(
      decision.verdict
        == Verdict(decided: .redact, applied: .redact, rule: RuleID("r"), otherwise: .allow)
    )
    #expect(self.targets(decision) == ["203.0.113.7"])
  }

  @Test("With allowed-only, addresses in the region are struck out and the rest are dialled")
  func allowedOnly() throws {
    let rule = Laboratory.rule("r", .block, candidates: .allowedOnly) { $0.region = ["CN"] }
    let mixed = try Laboratory.request(
      "a.example:443",
      ["203.0.113.7", "198.51.100.1", "203.0.113.8"]
    )
    for mode in [Mode.block, .redact] {
      let decision = try Laboratory.policy(mode, [rule]).decideConnect(mixed)
      #expect(self.targets(decision) == ["198.51.100.1"])
      #expect(decision.verdict == .pass)
      #expect(decision.candidates.count == 3)
    }
    for mode in [Mode.record, .observe] {
      let decision = try Laboratory.policy(mode, [rule]).decideConnect(mixed)
      #expect(self.targets(decision) == ["203.0.113.7", "198.51.100.1", "203.0.113.8"])
    }
  }

  @Test(
    "With allowed-only, a name with no address left is blocked, or in redact mode dialled and redacted"
  )
  func allowedOnlyNoneLeft() throws {
    let rule = Laboratory.rule("r", .block, candidates: .allowedOnly) { $0.region = ["CN"] }
    let all = try Laboratory.request("a.example:443", ["203.0.113.7", "203.0.113.8"])
    #expect(
      try Laboratory.policy(.block, [rule]).decideConnect(all).outcome == .sinkhole(RuleID("r"))
    )
    let redacting = try Laboratory.policy(.redact, [rule]).decideConnect(all)
    #expect(self.targets(redacting).count == 2)
    #expect(redacting.verdict.decided == .block && redacting.verdict.applied == .redact)
  }

  @Test(
    "Rules that strike out every address between them block it, and so does a rule that takes what special use left"
  )
  func allowedOnlyTogether() throws {
    let rules = ["CN", "DE"].map { country in
      Laboratory.rule(country, .block, candidates: .allowedOnly) { $0.region = [country] }
    }
    let policy = try Laboratory.policy(.block, rules)
    let both = try Laboratory.request("a.example:443", ["198.51.100.1", "203.0.113.7"])
    #expect(policy.decideConnect(both).outcome == .sinkhole(RuleID("CN")))
    let special = try Laboratory.request("a.example:443", ["10.0.0.1", "203.0.113.7"])
    #expect(policy.decideConnect(special).outcome == .sinkhole(RuleID("CN")))
  }

  @Test("The first of equally severe rules decides, and a block is preferred to all else")
  func ties() throws {
    let rules = [
      Laboratory.rule("log", .log), Laboratory.rule("first", .block) { $0.port = [443...443] },
      Laboratory.rule("second", .block, how: .refuse),
    ]
    let decision = try Laboratory.policy(.block, rules)
      .decideConnect(try Laboratory.request("a.example:443", ["203.0.113.7"]))
    #expect(decision.outcome == .sinkhole(RuleID("first")))
  }

  @Test("A name without an address is refused, after the rules that need none")
  func noAddress() throws {
    let request = try Laboratory.request("a.example:443", [])
    #expect(try Laboratory.policy(.block, []).decideConnect(request).outcome == .refuse(.noAddress))
    let rule = Laboratory.rule("r", .block) { $0.host = ["a.example"] }
    #expect(
      try Laboratory.policy(.block, [rule]).decideConnect(request).outcome == .sinkhole(RuleID("r"))
    )
    #expect(
      try Laboratory.policy(.block, [self.blockWatched]).decideConnect(request).outcome
        == .refuse(.noAddress)
    )
  }

  @Test("An address literal stands for itself, whatever the resolver is said to have answered")
  func literal() throws {
    let policy = try Laboratory.policy(.block, [self.blockWatched])
    let request = try Laboratory.request("203.0.113.7:443", ["198.51.100.1"])
    #expect(policy.decideConnect(request).outcome == .sinkhole(RuleID("watched")))
  }

  @Test("An IPv6 address that carries an IPv4 one in the region is in the region")
  func embedded() throws {
    let policy = try Laboratory.policy(.block, [self.blockWatched])
    for text in ["64:ff9b::cb00:7107", "2002:cb00:7107::1", "::ffff:203.0.113.7", "2001:db8:66::1"]
    {
      let decision = policy.decideConnect(try Laboratory.request("a.example:443", [text]))
      #expect(decision.outcome == .sinkhole(RuleID("watched")), "\(text)")
    }
  }

  @Test("No more addresses than the limit are dialled, but every one of them is judged")
  func limit() throws {
    let policy = try Laboratory.policy(.block, [self.blockWatched]) { $0.candidatesLimit = 2 }
    let many = (1...9).map { "198.51.100.\($0)" }
    let decision = policy.decideConnect(try Laboratory.request("a.example:443", many))
    #expect(decision.candidates.count == 9)
    #expect(self.targets(decision) == ["198.51.100.1", "198.51.100.2"])
    let last = policy.decideConnect(
      try Laboratory.request("a.example:443", many + ["203.0.113.7"])
    )
    #expect(last.outcome == .sinkhole(RuleID("watched")), "one beyond the limit counts too")
  }

  @Test("An exception for a host holds before dialling")
  func exception() throws {
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.host = ["*.updates.example"] }
    ) {
      $0.region = ["CN"]
    }
    let policy = try Laboratory.policy(.block, [rule])
    let exempt = try Laboratory.request("a.updates.example:443", ["203.0.113.7"])
    #expect(policy.decideConnect(exempt).verdict == .pass)
    let other = try Laboratory.request("updates.example:443", ["203.0.113.7"])
    #expect(policy.decideConnect(other).outcome == .sinkhole(RuleID("r")))
  }

  @Test("An exception for a region must hold for every address and every country of it")
  func regionException() throws {
    let rule = Laboratory.rule("r", .block, unless: Laboratory.conditions { $0.region = ["DE"] })
    let policy = try Laboratory.policy(.block, [rule])
    let german = try Laboratory.request("a.example:443", ["198.51.100.1", "198.51.100.2"])
    #expect(policy.decideConnect(german).verdict == .pass)
    let mixed = try Laboratory.request("a.example:443", ["198.51.100.1", "203.0.113.7"])
    #expect(policy.decideConnect(mixed).outcome == .sinkhole(RuleID("r")))
    // NAT64 with a German address inside: the outer form is in no country, the inner is in DE alone.
    let inner = try Laboratory.request("a.example:443", ["64:ff9b::c633:6401"])
    #expect(policy.decideConnect(inner).verdict == .pass)
  }
}
