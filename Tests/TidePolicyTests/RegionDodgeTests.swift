import Testing
import TideCore
import TidePolicy
import TideRegion

/// Ways around a rule on a region, as far as a destination alone decides them.
@Suite struct RegionDodgeTests {
  private let rule = Laboratory.rule("watched", .block) { $0.region = ["watched"] }

  /// Everything may be dialled, so that nothing but the rule stops an address.
  private func policy(_ rules: [Rule], sets: [RegionSet] = []) throws -> PolicySnapshot {
    try Laboratory.policy(.block, rules, sets: sets) {
      $0.allowSpecialUse = ["0.0.0.0/0", "::/0"].compactMap { CIDR($0) }
    }
  }

  @Test(
    "An address that carries one of the region's is bound for it, asked for as it is or behind a name",
    arguments: [
      "203.0.113.7", "::ffff:203.0.113.7", "::203.0.113.7", "::ffff:0:203.0.113.7",
      "64:ff9b::203.0.113.7", "64:ff9b:1::203.0.113.7", "64:ff9b:1:cb00:71:700::",
      "64:ff9b:1:cb:0:7107::", "64:ff9b:1::cb:71:700:0", "2002:cb00:7107::1",
      "2001:0:c633:6401::34ff:8ef8", "2001:0:cb00:7107::39cc:9bfe", "2001:db8::5efe:203.0.113.7",
      "2001:db8::200:5efe:203.0.113.7", "2001:db8:66::1",
    ]
  )
  func carried(text: String) throws {
    let policy = try self.policy([self.rule])
    let named = try Laboratory.request("a.example:443", ["198.51.100.1", text])
    #expect(policy.decideConnect(named).outcome == .sinkhole(RuleID("watched")))
    let authority = text.contains(":") ? "[\(text)]:443" : "\(text):443"
    let literal = try Laboratory.request(authority)
    #expect(policy.decideConnect(literal).outcome == .sinkhole(RuleID("watched")))
    let block = Laboratory.rule("block", .block) {
      $0.ip = ["203.0.113.0/24", "2001:db8:66::/48"].compactMap { CIDR($0) }
    }
    let byBlock = try self.policy([block]).decideConnect(named)
    #expect(byBlock.outcome == .sinkhole(RuleID("block")), "a rule by block of addresses too")
  }

  @Test(
    "Every spelling of an address is that address",
    arguments: [
      "3405803783", "0xcb007107", "0xCB.0.0x71.7", "0313.0.0161.07", "203.28935", "203.0.28935",
      "203.0.113.7.", "[::ffff:203.0.113.7]", "[::ffff:cb00:7107]", "[::ffff:203.0.113.7%eth0]",
      "[0:0:0:0:0:FFFF:203.0.113.7]",
    ]
  )
  func spellings(text: String) throws {
    let policy = try self.policy([self.rule])
    let decision = policy.decideConnect(try Laboratory.request("\(text):443", ["198.51.100.1"]))
    #expect(decision.outcome == .sinkhole(RuleID("watched")))
  }

  @Test(
    "What could be read as an address by some and as a name by others is nobody's",
    arguments: [
      "203.0.113.7.1:443", "203.0.113.256:443", "08.0.0.1:443", "a.203:443", "[203.0.113.7]:443",
      "a@203.0.113.7:443", "203.0.113.7:443@a.example:443", "203.0.113.7..:443", "%32.example:443",
      "a\u{3002}example:443", "\u{4F8B}.example:443", "203.0.113.\u{FF17}:443",
    ]
  )
  func ambiguous(text: String) {
    #expect(Authority(text, defaultPort: nil) == nil)
  }

  @Test("One spelling of a name is as good as another: case, a trailing dot")
  func names() throws {
    let rule = Laboratory.rule("name", .block) { $0.host = ["*.vendor.example"] }
    let policy = try self.policy([rule])
    for text in ["API.Vendor.EXAMPLE:443", "api.vendor.example.:443"] {
      let decision = policy.decideConnect(try Laboratory.request(text, ["198.51.100.1"]))
      #expect(decision.outcome == .sinkhole(RuleID("name")), "\(text)")
    }
  }

  private func request(_ aliases: [String]) throws -> ConnectRequest {
    ConnectRequest(
      device: "redmi",
      authority: try #require(Authority("www.vendor.example:443", defaultPort: nil)),
      resolved: [try Laboratory.address("198.51.100.1")],
      aliases: try aliases.map { try #require(Hostname($0)) }
    )
  }

  @Test("A name that the host is only another name for makes rules apply, by itself or by a set")
  func aliases() throws {
    let byName = Laboratory.rule("name", .block) { $0.host = ["*.cdn.example"] }
    let request = try self.request(["other.example", "edge.cdn.example"])
    let named = try self.policy([byName]).decideConnect(request)
    #expect(named.outcome == .sinkhole(RuleID("name")))
    let set = RegionSet(name: "vendor", country: "CN", hosts: ["edge.cdn.example"])
    let inSet = try self.policy([self.rule], sets: [set]).decideConnect(request)
    #expect(inSet.outcome == .sinkhole(RuleID("watched")))
  }

  @Test("It neither makes an exception nor breaks one")
  func exceptions() throws {
    func outcome(_ exempt: String) throws -> ConnectDecision.Outcome {
      let rule = Laboratory.rule(
        "all",
        .block,
        unless: Laboratory.conditions { $0.host = [exempt] }
      ) {
        $0.device = ["redmi"]
      }
      return try self.policy([rule]).decideConnect(try self.request(["edge.cdn.example"])).outcome
    }
    #expect(try outcome("edge.cdn.example") == .sinkhole(RuleID("all")))
    guard case .dial = try outcome("www.vendor.example") else {
      Issue.record("the exception is for the name that was asked for")
      return
    }
  }

  @Test(
    "A connection that is open must end where rules forbid it now, by what was dialled if so written"
  )
  func open() throws {
    let lenient = Laboratory.rule("lenient", .block, candidates: .allowedOnly) {
      $0.region = ["watched"]
    }
    func rule(_ rules: [Rule], _ mode: Mode = .block, dialled: String) throws -> RuleID? {
      let policy = try Laboratory.policy(mode, rules)
      let facts = try Laboratory.facts(policy, ["198.51.100.1", "203.0.113.7"]) {
        $0.address = IPAddress(dialled)
      }
      return policy.blockingRule(for: facts)
    }
    #expect(try rule([self.rule], dialled: "198.51.100.1") == RuleID("watched"))
    #expect(try rule([lenient], dialled: "198.51.100.1") == nil)
    #expect(try rule([lenient], dialled: "203.0.113.7") == RuleID("lenient"))
    #expect(try rule([self.rule], .redact, dialled: "203.0.113.7") == nil)
  }
}
