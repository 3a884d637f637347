import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct ExplainTests {
  private let rules = [
    Laboratory.rule("region", .block) { $0.region = ["CN"] },
    Laboratory.rule("port", .log) {
      $0.port = [80...80]
      $0.region = ["DE"]
    },
    Laboratory.rule("imei", .redact) {
      $0.region = ["CN"]
      $0.method = ["POST"]
      $0.finding = ["imei"]
    },
    Laboratory.rule(
      "except",
      .block,
      unless: Laboratory.conditions { $0.host = ["api.vendor.example"] }
    ),
    Laboratory.rule("header", .log) {
      $0.header = [HeaderCondition(name: "cookie", patterns: ["*"])]
    },
  ]

  @Test(
    "For a destination each rule matched, missed a key with the value seen, or waits for the message"
  )
  func destination() throws {
    let policy = try Laboratory.policy(.record, self.rules)
    let request = try Laboratory.request("api.vendor.example:443", ["203.0.113.7", "8.8.8.8"])
    let explained = policy.explain(request)
    #expect(explained.map(\.rule.text) == ["region", "port", "imei", "except", "header"])
    #expect(
      explained.map(\.outcome) == [
        .matched, .missed(key: "port", seen: "443"), .waiting(key: "method"), .excepted,
        .waiting(key: "header.cookie"),
      ]
    )
    let german = try Laboratory.request("a.example:443", ["198.51.100.1"])
    #expect(policy.explain(german)[0].outcome == .missed(key: "region", seen: "DE (198.51.100.1)"))
  }

  @Test("For a message that is complete nothing waits")
  func message() throws {
    let policy = try Laboratory.policy(.record, self.rules)
    let facts = try Laboratory.facts(policy)
    #expect(policy.explain(facts)[2].outcome == .missed(key: "finding", seen: "none"))
    #expect(policy.explain(facts)[4].outcome == .missed(key: "header.cookie", seen: "none"))
    let email = Laboratory.finding(.email, .likely)
    #expect(
      policy.explain(facts, findings: [email])[2].outcome
        == .missed(key: "finding", seen: "email (likely)")
    )
    #expect(policy.explain(facts, findings: [Laboratory.finding()])[2].outcome == .matched)
  }

  @Test("A rule is explained as matched exactly when it alone gives a verdict")
  func agrees() throws {
    let policy = try Laboratory.policy(.block, self.rules)
    let facts = try Laboratory.facts(policy)
    for (rule, explanation) in zip(self.rules, policy.explain(facts)) {
      let alone = try Laboratory.policy(.block, [rule]).verdict(for: facts)
      #expect((explanation.outcome == .matched) == (alone.rule != nil))
    }
  }

  @Test("Each key is shown with what is asked and what the flow has, those of the exception too")
  func conditions() throws {
    let rule = Laboratory.rule(
      "r",
      .redact,
      unless: Laboratory.conditions {
        $0.host = ["*.vendor.example"]
        $0.port = [8_000...8_999]
      }
    ) {
      $0.region = ["CN", "DE"]
      $0.method = ["POST"]
      $0.size = [SizeCondition(relation: .over, bytes: 50)]
      $0.finding = ["imei", "imsi"]
      $0.certainty = [.certain]
    }
    let policy = try Laboratory.policy(.record, [rule])
    let facts = try Laboratory.facts(policy)
    let explained = try #require(
      policy.explain(facts, findings: [Laboratory.finding(.imei, .likely)]).first
    )
    let lines = explained.conditions.map {
      "\($0.isException ? "unless " : "")\($0.key) | \($0.asked) | \($0.seen) | \($0.answer)"
    }
    #expect(
      lines == [
        "region | CN or DE | CN (203.0.113.7) | holds",
        "method | POST | POST | holds",
        "size | >50 | 100 | holds",
        "finding | imei or imsi, certain | imei (likely) | fails",
        "unless host | *.vendor.example | api.vendor.example | holds",
        "unless port | 8000-8999 | 443 | fails",
      ]
    )
    #expect(explained.outcome == .missed(key: "finding", seen: "imei (likely)"))
    #expect(explained.location.description == "rules.yaml:1:1")
  }

  @Test("What is unknown neither applies nor excepts, and is named")
  func unknown() throws {
    let rule = Laboratory.rule(
      "r",
      .log,
      unless: Laboratory.conditions { $0.header = [HeaderCondition(name: "dnt", patterns: ["1"])] }
    ) {
      $0.region = ["CN"]
      $0.type = ["application/json"]
    }
    let policy = try Laboratory.policy(.record, [rule])
    let facts = try Laboratory.facts(policy)
    #expect(policy.explain(facts).first?.outcome == .matched)
    let explained = try #require(policy.explain(facts, unknown: [.fields]).first)
    #expect(explained.outcome == .waiting(key: "type"))
    #expect(explained.conditions.map(\.answer) == [.holds, .unknown, .unknown])
    #expect(explained.conditions.map(\.seen) == ["CN (203.0.113.7)", "", ""])
    let german = try Laboratory.facts(policy, ["198.51.100.1"])
    #expect(
      policy.explain(german, unknown: [.fields]).first?.outcome
        == .missed(key: "region", seen: "DE (198.51.100.1)")
    )
  }

  @Test("Key by key and as a whole, a rule says the same of a message")
  func partsAgree() throws {
    var rules: [Rule] = []
    for (number, region) in ["CN", "DE", "unknown"].enumerated() {
      rules.append(
        Laboratory.rule(
          "r\(number)",
          .log,
          candidates: .allowedOnly,
          unless: Laboratory.conditions { $0.method = ["GET"] }
        ) {
          $0.region = [region]
          $0.finding = ["imei"]
          $0.certainty = [.certain]
        }
      )
    }
    let policy = try Laboratory.policy(.record, rules)
    for addresses in [["203.0.113.7"], ["203.0.113.7", "198.51.100.1"], ["192.0.2.1"]] {
      for method in ["GET", "POST"] {
        let facts = try Laboratory.facts(policy, addresses) { $0.method = Bytes(method) }
        let findings = [Laboratory.finding()]
        let matched = policy.explain(facts, findings: findings).filter { $0.outcome == .matched }
        #expect(matched.first?.rule == policy.verdict(for: facts, findings: findings).rule)
      }
    }
  }
}
