import Testing
import TideCore
import TidePolicy
import TideRegion

/// Random rules and flows from a fixed seed.
@Suite struct PolicyPropertyTests {
  private struct World {
    var generator: Seeded

    mutating func pick<Value>(_ values: [Value]) -> Value {
      values[Int.random(in: values.indices, using: &self.generator)]
    }

    mutating func some<Value>(_ values: [Value], _ chance: Int = 3) -> [Value] {
      Int.random(in: 0..<chance, using: &self.generator) == 0
        ? values.filter { _ in Bool.random(using: &self.generator) } : []
    }

    mutating func conditions() -> Conditions {
      var conditions = Conditions()
      conditions.device = self.some(["redmi", "other"], 6)
      conditions.host = self.some(["*.vendor.example", "b.example", "203.0.113.7"], 5)
      conditions.ip = self.some(["203.0.113.0/25", "198.51.100.0/24"], 6).compactMap { CIDR($0) }
      conditions.port = self.some([443...443, 1...1_024], 6)
      conditions.region = self.some(["CN", "DE", "watched", "local", "unknown", "lab"], 2)
      conditions.direction = self.some(Direction.allCases, 4)
      conditions.method = self.some(["POST", "GET"], 5)
      conditions.size = self.some([SizeCondition(relation: .atLeast, bytes: 50)], 5)
      conditions.finding = self.some(["imei", "email"], 4)
      conditions.certainty = self.some(Certainty.allCases, 6)
      return conditions
    }

    mutating func rule(_ id: Int) -> Rule {
      Rule(
        id: RuleID("r\(id)"),
        when: self.conditions(),
        unless: Int.random(in: 0..<4, using: &self.generator) == 0 ? self.conditions() : nil,
        then: self.pick(Action.allCases),
        holdsBody: Bool.random(using: &self.generator),
        candidates: self.pick(CandidatePolicy.allCases),
        otherwise: self.pick([.block, .allow]),
        location: SourceLocation(file: "r.yaml", line: id + 1, column: 1)
      )
    }

    /// Rules that make a policy: those with an exception that covers all are left out.
    mutating func rules(_ count: Int) -> [Rule] {
      (0..<count).map { self.rule($0) }.filter { rule in
        do throws(PolicyFailure) {
          _ = try PolicyPropertyTests.policy(.block, [rule])
          return true
        } catch {
          return false
        }
      }
    }

    mutating func addresses() -> [IPAddress] {
      let pool = [
        "203.0.113.7", "203.0.113.200", "198.51.100.1", "192.0.2.1", "10.0.0.1", "127.0.0.1",
        "8.8.8.8",
        "2001:db8:66::1", "64:ff9b::cb00:7107", "64:ff9b::7f00:1", "::ffff:203.0.113.9",
        "2606:4700::1",
      ]
      return (0..<Int.random(in: 0...4, using: &self.generator)).compactMap { _ in
        IPAddress(self.pick(pool))
      }
    }

    mutating func request() throws -> ConnectRequest {
      let authority = self.pick([
        "api.vendor.example:443", "b.example:80", "203.0.113.7:443", "127.0.0.1:80",
      ])
      return ConnectRequest(
        device: self.pick(["redmi", "other"]),
        authority: try #require(Authority(authority, defaultPort: nil)),
        resolved: self.addresses()
      )
    }

    mutating func facts(_ policy: PolicySnapshot) throws -> MessageFacts {
      let request = try self.request()
      let candidates = request.resolved.map(policy.candidate)
      return MessageFacts(
        device: request.device,
        hosts: [request.authority.host] + self.some([Host("b.example")].compactMap(\.self)),
        port: request.authority.port,
        address: candidates.first?.address,
        candidates: candidates,
        direction: self.pick(Direction.allCases),
        method: self.pick(["POST", "GET"]),
        path: "/",
        size: self.pick([.atLeast(10), .atLeast(60), .exactly(10), .exactly(60)]),
        protocols: ["http/1.1"]
      )
    }

    mutating func findings() -> [Finding] {
      self.some([FindingKind.imei, .email], 2).map {
        Laboratory.finding($0, self.pick(Certainty.allCases), self.pick(Direction.allCases))
      }
    }
  }

  private static func policy(_ mode: Mode, _ rules: [Rule]) throws(PolicyFailure) -> PolicySnapshot
  {
    let set = RegionSet(
      name: "lab",
      country: "SG",
      cidrs: [CIDR("192.0.2.0/24")].compactMap(\.self),
      hosts: ["b.example"]
    )
    return try Laboratory.policy(mode, rules, sets: [set])
  }

  private func severity(_ outcome: ConnectDecision.Outcome) -> Int {
    switch outcome {
    case .dial: 0
    case .sinkhole, .refuse: 1
    }
  }

  @Test(
    "Adding a rule, anywhere, never weakens a verdict, a plan or a decision",
    arguments: Mode.allCases
  )
  func monotone(mode: Mode) throws {
    var world = World(generator: Seeded(state: 42))
    for _ in 0..<150 {
      let more = world.rules(5)
      guard !more.isEmpty else { continue }
      var fewer = more
      fewer.remove(at: Int.random(in: more.indices, using: &world.generator))
      let (small, large) = (try Self.policy(mode, fewer), try Self.policy(mode, more))
      for _ in 0..<4 {
        let facts = try world.facts(large)
        let findings = world.findings()
        let (a, b) = (
          small.verdict(for: facts, findings: findings),
          large.verdict(for: facts, findings: findings)
        )
        #expect(a.decided <= b.decided && a.applied <= b.applied)
        if a.decided >= .redact { #expect(a.otherwise <= b.otherwise) }
        let (p, q) = (small.bodyPlan(for: facts), large.bodyPlan(for: facts))
        #expect(p.holding <= q.holding && p.otherwise <= q.otherwise)
        #expect((!p.inspects || q.inspects) && (!p.mayRedact || q.mayRedact))
        #expect(
          small.undecryptedVerdict(for: facts) == nil || large.undecryptedVerdict(for: facts) != nil
        )
        let request = try world.request()
        let (c, d) = (small.decideConnect(request), large.decideConnect(request))
        #expect(c.verdict.decided <= d.verdict.decided)
        #expect(self.severity(c.outcome) <= self.severity(d.outcome))
        if case .dial(let few) = d.outcome, case .dial(let many) = c.outcome {
          // In redact mode a rule that strikes all that was left dials all that is permitted.
          if mode != .redact { #expect(Set(few).isSubset(of: Set(many))) }
        }
      }
    }
  }

  @Test(
    "What is applied never exceeds the ceiling, and is decided when it does not",
    arguments: Mode.allCases
  )
  func ceiling(mode: Mode) throws {
    var world = World(generator: Seeded(state: 43))
    for _ in 0..<150 {
      let policy = try Self.policy(mode, world.rules(5))
      let facts = try world.facts(policy)
      for verdict in [
        policy.verdict(for: facts, findings: world.findings()),
        policy.decideConnect(try world.request()).verdict,
      ] { #expect(verdict.applied == min(verdict.decided, mode.ceiling)) }
    }
  }

  @Test("A pinned target is a permitted candidate of its own request", arguments: Mode.allCases)
  func pinned(mode: Mode) throws {
    var world = World(generator: Seeded(state: 44))
    for _ in 0..<400 {
      let policy = try Self.policy(mode, world.rules(3))
      let request = try world.request()
      let decision = policy.decideConnect(request)
      guard case .dial(let targets) = decision.outcome else { continue }
      #expect(!targets.isEmpty)
      for target in targets {
        #expect(target.authority == request.authority)
        #expect(
          decision.candidates.contains(Candidate(address: target.address, region: target.region))
        )
        #expect(request.resolved.contains(target.address))
        let parts = [target.address] + target.address.carriedV4
        for part in parts where SpecialUse.ownName(of: part) != nil {
          #expect(Laboratory.documentation.contains { $0.contains(part) }, "\(target.address)")
        }
      }
    }
  }

  @Test("A plan holds whatever a later verdict on the same message needs held")
  func planForesees() throws {
    var world = World(generator: Seeded(state: 45))
    for _ in 0..<600 {
      let policy = try Self.policy(world.pick([.redact, .block]), world.rules(4))
      let facts = try world.facts(policy)
      let plan = policy.bodyPlan(for: facts)
      let head = policy.verdict(for: facts)
      #expect(policy.opening(for: facts) == (plan, head))
      let later = policy.verdict(for: facts, findings: world.findings())
      if later.applied == .redact { #expect(plan.mayRedact && plan.holding >= .unit) }
      if later.applied == .block, head.applied != .block { #expect(plan.holding >= .window) }
    }
  }
}
