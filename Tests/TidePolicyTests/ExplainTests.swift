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
}
