import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct HelloDecisionTests {
  private func hello(_ name: String?, malformed: Bool = false) throws -> HelloFacts {
    HelloFacts(
      serverName: try name.map { try #require(Hostname($0)) },
      hasMalformedServerName: malformed,
      applicationProtocols: ["http/1.1"],
      versions: [0x0304],
      raw: Bytes()
    )
  }

  private func context(
    _ policy: PolicySnapshot,
    _ authority: String,
    _ addresses: [String] = ["198.51.100.1"],
    named: [String] = []
  ) throws -> HelloContext {
    let candidates = try addresses.map { policy.candidate(try Laboratory.address($0)) }
    return HelloContext(
      device: "redmi",
      authority: try #require(Authority(authority, defaultPort: 443)),
      address: candidates.first?.address,
      candidates: candidates,
      serverNameCandidates: try named.map { policy.candidate(try Laboratory.address($0)) }
    )
  }

  @Test("A server name that is the CONNECT name, or none, is intercepted")
  func intercepts() throws {
    let policy = try Laboratory.policy(.block, [])
    let context = try self.context(policy, "a.example")
    #expect(policy.decideHello(try self.hello("A.example."), for: context) == .intercept)
    #expect(policy.decideHello(try self.hello(nil), for: context) == .intercept)
  }

  @Test(
    "Another server name, or one that is no name, is refused as fronting unless it is to be judged"
  )
  func fronting() throws {
    let strict = try Laboratory.policy(.record, [])
    let context = try self.context(strict, "a.example")
    #expect(strict.decideHello(try self.hello("b.example"), for: context) == .refuseFronting)
    #expect(
      strict.decideHello(try self.hello(nil, malformed: true), for: context) == .refuseFronting
    )
    let judging = try Laboratory.policy(.record, []) { $0.fronting = .judge }
    #expect(judging.decideHello(try self.hello("b.example"), for: context) == .intercept)
  }

  @Test("A connection to an address goes by its server name")
  func literal() throws {
    let policy = try Laboratory.policy(
      .block,
      [Laboratory.rule("r", .block) { $0.host = ["bad.example"] }]
    )
    let context = try self.context(policy, "198.51.100.1")
    #expect(policy.decideHello(try self.hello("good.example"), for: context) == .intercept)
    #expect(
      policy.decideHello(try self.hello("bad.example"), for: context) == .sinkhole(RuleID("r"))
    )
  }

  @Test(
    "What the server name or its addresses decide is blocked before a byte goes on, by the rule's way"
  )
  func judged() throws {
    let rule = Laboratory.rule("r", .block, how: .refuse) { $0.region = ["CN"] }
    let policy = try Laboratory.policy(.block, [rule]) { $0.fronting = .judge }
    let context = try self.context(policy, "a.example", named: ["203.0.113.7"])
    #expect(policy.decideHello(try self.hello("b.example"), for: context) == .refuse(RuleID("r")))
    let recording = try Laboratory.policy(.record, [rule]) { $0.fronting = .judge }
    #expect(recording.decideHello(try self.hello("b.example"), for: context) == .intercept)
  }

  @Test(
    "With allowed-only, a server name of which no address is left blocks although another was dialled"
  )
  func allowedOnly() throws {
    let rule = Laboratory.rule("r", .block, candidates: .allowedOnly) { $0.region = ["CN"] }
    let policy = try Laboratory.policy(.block, [rule]) { $0.fronting = .judge }
    let hello = try self.hello("b.example")
    let all = try self.context(policy, "a.example", named: ["203.0.113.7"])
    #expect(policy.decideHello(hello, for: all) == .sinkhole(RuleID("r")))
    let some = try self.context(policy, "a.example", named: ["203.0.113.7", "198.51.100.2"])
    #expect(policy.decideHello(hello, for: some) == .intercept)
  }

  @Test("An exception for a host must match the CONNECT name and the server name")
  func exception() throws {
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.host = ["*.good.example"] }
    )
    let policy = try Laboratory.policy(.block, [rule]) { $0.fronting = .judge }
    let context = try self.context(policy, "a.good.example")
    #expect(policy.decideHello(try self.hello("b.good.example"), for: context) == .intercept)
    #expect(policy.decideHello(try self.hello("b.example"), for: context) == .sinkhole(RuleID("r")))
  }

  @Test("Passthrough must match the CONNECT name and the server name, and there must be one")
  func passthrough() throws {
    let policy = try Laboratory.policy(.record, []) {
      $0.passthrough = ["captive.example", "*.bank.example"]
      $0.fronting = .judge
    }
    for (authority, name, decision) in [
      ("captive.example", "captive.example", .passthrough), ("captive.example", nil, .intercept),
      ("captive.example", "evil.example", .intercept),
      ("evil.example", "captive.example", .intercept),
      ("a.bank.example", "b.bank.example", .passthrough),
      ("198.51.100.1", "captive.example", .intercept),
    ] as [(String, String?, HelloDecision)] {
      let context = try self.context(policy, authority)
      #expect(
        policy.decideHello(try self.hello(name), for: context) == decision,
        "\(authority) \(name ?? "-")"
      )
    }
  }

  @Test(
    "In redact and block mode nothing undecrypted goes to a region that a redact or block rule names"
  )
  func undecrypted() throws {
    let rule = Laboratory.rule("r", .redact) {
      $0.region = ["CN"]
      $0.finding = ["imei"]
    }
    for mode in Mode.allCases {
      let policy = try Laboratory.policy(mode, [rule]) { $0.passthrough = ["captive.example"] }
      let hello = try self.hello("captive.example")
      let inside = try self.context(policy, "captive.example", ["203.0.113.7"])
      let expected: HelloDecision = mode.isEnforcing ? .refuse(RuleID("r")) : .passthrough
      #expect(policy.decideHello(hello, for: inside) == expected)
      let outside = try self.context(policy, "captive.example", ["198.51.100.1"])
      #expect(policy.decideHello(hello, for: outside) == .passthrough)
    }
  }

  @Test(
    "Undecrypted traffic is refused for any rule that its destination could match, and for no other"
  )
  func undecryptedRules() throws {
    let rules: [(Rule, Bool)] = [
      (Laboratory.rule("region", .redact) { $0.region = ["watched"] }, true),
      (Laboratory.rule("response", .block) { $0.direction = [.response] }, true),
      (Laboratory.rule("anywhere", .redact) { $0.finding = ["imei"] }, true),
      (Laboratory.rule("method", .block) { $0.method = ["POST"] }, true),
      (Laboratory.rule("log", .log) { $0.region = ["CN"] }, false),
      (Laboratory.rule("allow", .allow), false),
      (Laboratory.rule("elsewhere", .block) { $0.region = ["DE"] }, false),
      (Laboratory.rule("device", .block) { $0.device = ["other"] }, false),
      (
        Laboratory.rule(
          "excepted",
          .block,
          unless: Laboratory.conditions { $0.host = ["api.vendor.example"] }
        ),
        false
      ),
      (
        Laboratory.rule(
          "half",
          .block,
          unless: Laboratory.conditions {
            $0.host = ["api.vendor.example"]
            $0.method = ["GET"]
          }
        ), true
      ),
    ]
    for (rule, isRefused) in rules {
      let policy = try Laboratory.policy(.redact, [rule])
      let facts = try Laboratory.facts(policy)
      #expect(policy.undecryptedVerdict(for: facts) == (isRefused ? rule.id : nil), "\(rule.id)")
      let recording = try Laboratory.policy(.record, [rule])
      #expect(recording.undecryptedVerdict(for: facts) == nil)
    }
  }

  @Test("For undecrypted traffic, allowed-only asks about the address dialled")
  func undecryptedAllowedOnly() throws {
    let rule = Laboratory.rule("r", .block, candidates: .allowedOnly) { $0.region = ["CN"] }
    let policy = try Laboratory.policy(.block, [rule])
    let outside = try Laboratory.facts(policy, ["198.51.100.1", "203.0.113.7"])
    #expect(policy.undecryptedVerdict(for: outside) == nil)
    let inside = try Laboratory.facts(policy, ["203.0.113.7", "198.51.100.1"])
    #expect(policy.undecryptedVerdict(for: inside) == RuleID("r"))
  }
}
