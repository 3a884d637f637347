import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct BodyPlanTests {
  private func plan(
    _ rules: [Rule],
    _ mode: Mode = .block,
    change: (inout MessageFacts) -> Void = { _ in }
  ) throws -> BodyPlan {
    let policy = try Laboratory.policy(mode, rules)
    return policy.bodyPlan(for: try Laboratory.facts(policy, change: change))
  }

  private func response(_ type: String?) -> (inout MessageFacts) -> Void {
    { facts in
      facts.direction = .response
      facts.fields = type.map { HeaderFields([("content-type", $0)]) } ?? HeaderFields()
    }
  }

  private let imei: (inout Conditions) -> Void = { $0.finding = ["imei"] }

  @Test("Without rules a request is inspected and streams")
  func streams() throws {
    #expect(
      try self.plan([])
        == BodyPlan(inspects: true, holding: .none, otherwise: .allow, mayRedact: false)
    )
  }

  @Test(
    "What a rule that may find something holds depends on what would be applied",
    arguments: [
      (Action.redact, Mode.block, BodyPlan.Holding.unit, true), (.redact, .redact, .unit, true),
      (.block, .redact, .unit, true), (.block, .block, .window, false),
      (.log, .block, .none, false),
      (.redact, .record, .none, false), (.block, .observe, .none, false),
    ]
  )
  func holding(then: Action, mode: Mode, holding: BodyPlan.Holding, mayRedact: Bool) throws {
    let plan = try self.plan([Laboratory.rule("r", then, when: self.imei)], mode)
    #expect(plan.holding == holding)
    #expect(plan.mayRedact == mayRedact)
  }

  @Test("hold: body holds the whole body of a block by content, also by size alone")
  func holdBody() throws {
    #expect(
      try self.plan([Laboratory.rule("r", .block, holdsBody: true, when: self.imei)]).holding
        == .body
    )
    let size: (inout Conditions) -> Void = {
      $0.size = [SizeCondition(relation: .atLeast, bytes: 1_000)]
    }
    let unknown: (inout MessageFacts) -> Void = { $0.size = .atLeast(0) }
    #expect(
      try self.plan([Laboratory.rule("r", .block, holdsBody: true, when: size)], change: unknown)
        .holding == .body
    )
    #expect(
      try self.plan([Laboratory.rule("r", .block, when: size)], change: unknown).holding == .none
    )
  }

  @Test("hold: body of a redact rule holds the whole body, not one unit of it")
  func holdBodyToRedact() throws {
    let rule = Laboratory.rule("r", .redact, holdsBody: true, when: self.imei)
    let plan = try self.plan([rule])
    #expect(plan.holding == .body && plan.mayRedact)
  }

  @Test("A size that the head declares settles whether a rule may fire")
  func declaredSize() throws {
    let rule = Laboratory.rule("r", .redact) {
      $0.size = [SizeCondition(relation: .atLeast, bytes: 1_000)]
    }
    #expect(try self.plan([rule]) { $0.size = .exactly(999) }.holding == .none)
    #expect(try self.plan([rule]) { $0.size = .exactly(1_000) }.holding == .unit)
    #expect(try self.plan([rule]) { $0.size = .atLeast(0) }.holding == .unit)
  }

  @Test("A flow that is redacted by region alone may be redacted whole")
  func redactedByRegion() throws {
    let block = Laboratory.rule("r", .block) { $0.region = ["CN"] }
    let plan = try self.plan([block], .redact)
    #expect(
      plan
        == BodyPlan(
          inspects: true,
          holding: .unit,
          otherwise: .block,
          otherwiseRule: RuleID("r"),
          mayRedact: true
        )
    )
  }

  @Test("A rule that the head rules out, or excepts, holds nothing")
  func ruledOut() throws {
    let other = Laboratory.rule("r", .redact) {
      $0.finding = ["imei"]
      $0.path = ["/other"]
    }
    #expect(try self.plan([other]).holding == .none)
    let excepted = Laboratory.rule(
      "r",
      .redact,
      unless: Laboratory.conditions { $0.method = ["POST"] },
      when: self.imei
    )
    #expect(try self.plan([excepted]).holding == .none)
    let mayExcept = Laboratory.rule(
      "r",
      .redact,
      unless: Laboratory.conditions { $0.finding = ["email"] },
      when: self.imei
    )
    #expect(try self.plan([mayExcept]).holding == .unit)
  }

  @Test("The strictest otherwise of the enforced rules that may fire holds")
  func otherwise() throws {
    let lenient = Laboratory.rule("a", .redact, otherwise: .allow, when: self.imei)
    let strict = Laboratory.rule("b", .block, otherwise: .block, when: self.imei)
    let log = Laboratory.rule("c", .log, otherwise: .block, when: self.imei)
    #expect(try self.plan([lenient]).otherwise == .allow)
    #expect(try self.plan([lenient, log]).otherwise == .allow)
    #expect(try self.plan([lenient, strict]).otherwise == .block)
    #expect(try self.plan([strict], .record).otherwise == .allow)
  }

  @Test("The strictest holding wins over all rules")
  func strictestHolding() throws {
    let window = Laboratory.rule("a", .block, when: self.imei)
    let body = Laboratory.rule("b", .redact) { $0.finding = ["email"] }
    for rules in [[window, body], [body, window]] {
      let plan = try self.plan(rules)
      #expect(plan.holding == .unit && plan.mayRedact)
    }
  }

  @Test(
    "A response is inspected if it can be read or a rule asks for it",
    arguments: [
      ("text/html; charset=utf-8", true), ("application/json", true),
      ("application/problem+json", true),
      ("image/svg+xml", true), ("application/x-www-form-urlencoded", true),
      ("Application/X-NDJSON", true),
      ("image/png", false), ("application/octet-stream", false), ("video/mp4", false), (nil, false),
    ] as [(String?, Bool)]
  )
  func responses(type: String?, isReadable: Bool) throws {
    #expect(try self.plan([], change: self.response(type)).inspects == isReadable)
    let rule = Laboratory.rule("r", .log) {
      $0.finding = ["imei"]
      $0.direction = [.response]
    }
    #expect(try self.plan([rule], change: self.response(type)).inspects)
    #expect(
      try self.plan([Laboratory.rule("r", .redact)], .record, change: self.response(type)).inspects
    )
  }

  @Test("A rule for one direction says nothing of the other")
  func directions() throws {
    let request = Laboratory.rule("r", .redact) {
      $0.finding = ["imei"]
      $0.direction = [.request]
    }
    let plan = try self.plan([request], change: self.response("image/png"))
    #expect(plan == BodyPlan(inspects: false, holding: .none, otherwise: .allow, mayRedact: false))
    #expect(try !Laboratory.policy(.block, [request]).needsResponseInspection)
    let both = Laboratory.rule("r", .redact, when: self.imei)
    #expect(try Laboratory.policy(.block, [both]).needsResponseInspection)
    #expect(try Laboratory.policy(.redact, [Laboratory.rule("r", .block)]).needsResponseInspection)
    #expect(try !Laboratory.policy(.record, [Laboratory.rule("r", .block)]).needsResponseInspection)
  }
}
