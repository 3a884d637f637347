import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct RuleReviewTests {
  private func remarks(
    _ rules: [Rule],
    sets: [RegionSet] = [],
    databases: [RegionDatabase] = Laboratory.databases,
    _ change: (inout PolicySettings) -> Void = { _ in }
  ) throws -> [PolicyRemark] {
    var settings = Laboratory.settings(.block)
    change(&settings)
    return try PolicySnapshot(
      rules: rules,
      regions: RegionTable(databases: databases, sets: sets),
      settings: settings
    ).remarks
  }

  private func isShadowed(_ first: Rule, _ second: Rule, sets: [RegionSet] = []) throws -> Bool {
    let remarks = try self.remarks([first, second], sets: sets).filter {
      $0.kind == .unreachable && $0.description.contains(": rule second: ")
    }
    if let remark = remarks.first {
      #expect(remarks.count == 1)
      #expect(
        remark.description.contains("rule second: never decides: rule first (rules.yaml:1:1)")
      )
    }
    return !remarks.isEmpty
  }

  @Test("A rule that a wider and no milder one stands before never decides, and that is said")
  func shadowed() throws {
    let wide: [((inout Conditions) -> Void, (inout Conditions) -> Void)] = [
      ({ _ in }, { $0.region = ["CN"] }),
      ({ $0.region = ["watched"] }, { $0.region = ["CN"] }),
      ({ $0.region = ["CN", "DE"] }, { $0.region = ["watched"] }),
      ({ $0.region = ["cn"] }, { $0.region = ["CN"] }),
      ({ $0.region = ["CN"] }, { $0.region = ["lab"] }),
      ({ $0.host = ["*.example"] }, { $0.host = ["a.example", "*.b.example"] }),
      ({ $0.path = ["/api/*"] }, { $0.path = ["/api/v1/*", "/api/x"] }),
      ({ $0.type = ["image/*"] }, { $0.type = ["image/png"] }),
      (
        { $0.finding = ["imei", "imsi"] },
        {
          $0.finding = ["imei"]
          $0.certainty = [.certain]
        }
      ),
      (
        { $0.header = [HeaderCondition(name: "user-agent", patterns: ["*sdk*"])] },
        { $0.header = [HeaderCondition(name: "user-agent", patterns: ["vendor-sdk/*"])] }
      ),
    ]
    let sets = [RegionSet(name: "lab", country: "CN", cidrs: [], asns: [64_496])]
    for (when, narrower) in wide {
      let first = Laboratory.rule("first", .redact, when: when)
      #expect(
        try self.isShadowed(first, Laboratory.rule("second", .redact, when: narrower), sets: sets)
      )
      #expect(
        try self.isShadowed(first, Laboratory.rule("second", .log, when: narrower), sets: sets)
      )
      // One that is stricter is heard.
      #expect(
        try !self.isShadowed(first, Laboratory.rule("second", .block, when: narrower), sets: sets)
      )
    }
  }

  @Test("A stricter rule shadows also one that is written before it; an equal one does not")
  func order() throws {
    let narrow = Laboratory.rule("narrow", .redact) { $0.host = ["a.example"] }
    let wideBlock = Laboratory.rule("wide", .block) { $0.host = ["*.example"] }
    let wideRedact = Laboratory.rule("wide", .redact) { $0.host = ["*.example"] }
    #expect(try self.remarks([narrow, wideBlock]).map(\.kind) == [.unreachable])
    #expect(try self.remarks([narrow, wideRedact]).isEmpty)
  }

  @Test("A rule that does something of its own beside the decision is not shadowed")
  func ownEffect() throws {
    let first = Laboratory.rule("first", .redact, otherwise: .allow) { $0.region = ["CN"] }
    #expect(try !self.isShadowed(first, Laboratory.rule("second", .redact) { $0.region = ["CN"] }))
    let plain = Laboratory.rule("first", .redact) { $0.region = ["CN"] }
    let holding = Laboratory.rule("second", .redact, holdsBody: true) { $0.region = ["CN"] }
    #expect(try !self.isShadowed(plain, holding))
    let excepting = Laboratory.rule(
      "first",
      .redact,
      unless: Laboratory.conditions { $0.host = ["a.example"] }
    ) { $0.region = ["CN"] }
    let second = Laboratory.rule("second", .redact) {
      $0.region = ["CN"]
      $0.port = [443...443]
    }
    #expect(try !self.isShadowed(excepting, second))
    let survivors = Laboratory.rule("first", .block, candidates: .allowedOnly) {
      $0.region = ["CN"]
    }
    #expect(
      try !self.isShadowed(survivors, Laboratory.rule("second", .block) { $0.region = ["CN"] })
    )
  }

  @Test("A shadowed rule indeed never decides, whatever the flow")
  func shadowedNeverDecides() throws {
    let rules = [
      Laboratory.rule("first", .redact) { $0.region = ["watched"] },
      Laboratory.rule("second", .redact) {
        $0.region = ["CN"]
        $0.method = ["POST"]
      },
    ]
    let policy = try Laboratory.policy(.block, rules)
    for address in ["203.0.113.7", "198.51.100.1", "192.0.2.1"] {
      let facts = try Laboratory.facts(policy, [address])
      #expect(policy.verdict(for: facts).rule != RuleID("second"))
    }
  }

  @Test("A rule for regions with nothing in them never applies")
  func empty() throws {
    let watched = Laboratory.rule("r", .log) { $0.region = ["watched"] }
    #expect(try self.remarks([watched]) { $0.watch = [] }.map(\.kind) == [.unreachable])
    let lab = Laboratory.rule("r", .log) { $0.region = ["lab"] }
    #expect(try self.remarks([lab], sets: [RegionSet(name: "lab")]).map(\.kind) == [.unreachable])
    let filled = RegionSet(name: "lab", hosts: ["*.lab.example"])
    #expect(try self.remarks([lab], sets: [filled]).isEmpty)
  }

  @Test("Without a database that knows autonomous systems, rules and sets by asn are blind")
  func asn() throws {
    let byNumber = Laboratory.rule("r", .log) { $0.asn = [64_496] }
    let bySet = Laboratory.rule("r", .log) { $0.region = ["cloud"] }
    let cloud = RegionSet(name: "cloud", asns: [64_496])
    #expect(try self.remarks([byNumber]).map(\.kind) == [.blind])
    let remarks = try self.remarks([bySet], sets: [cloud])
    #expect(remarks.map(\.kind) == [.blind])
    #expect(remarks.first?.description.contains("who is in cloud by asn cannot be told") == true)
    let exception = Laboratory.rule("r", .log, unless: Laboratory.conditions { $0.asn = [1] })
    #expect(try self.remarks([exception]).map(\.kind) == [.blind])
  }

  @Test(
    "Without a database that knows countries, a rule for a country is blind unless a set has it"
  )
  func country() throws {
    let rule = Laboratory.rule("r", .log) { $0.region = ["watched"] }
    #expect(try self.remarks([rule], databases: []).map(\.kind) == [.blind])
    let block = try #require(CIDR("127.66.0.0/16"))
    let lab = RegionSet(name: "lab", country: "CN", cidrs: [block])
    #expect(try self.remarks([rule], sets: [lab], databases: []).isEmpty)
    #expect(try self.remarks([rule]).isEmpty)
  }

  @Test("An allow is doubted: it makes no exception")
  func allow() throws {
    let remarks = try self.remarks([Laboratory.rule("r", .allow) { $0.host = ["a.example"] }])
    #expect(remarks.map(\.kind) == [.doubtful])
    #expect(remarks.first?.description.contains("write unless") == true)
  }

  @Test("An exception by findings is doubted where the block does not wait for any")
  func lateException() throws {
    let opaque = Laboratory.conditions { $0.finding = ["opaque"] }
    let late = Laboratory.rule("r", .block, unless: opaque) { $0.region = ["CN"] }
    let remarks = try self.remarks([late])
    #expect(remarks.map(\.kind) == [.doubtful])
    #expect(remarks.first?.description.contains("comes too late to be an exception") == true)
    #expect(
      try self.remarks([Laboratory.rule("r", .block, unless: opaque) { $0.finding = ["imei"] }])
        .isEmpty
    )
    #expect(
      try self.remarks([Laboratory.rule("r", .log, unless: opaque) { $0.region = ["CN"] }]).isEmpty
    )
  }
}
