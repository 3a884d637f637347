import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct RuleCompilerTests {
  private func problems(
    _ rules: [Rule],
    sets: [RegionSet] = [],
    _ change: (inout PolicySettings) -> Void = { _ in }
  ) -> [String] {
    do throws(PolicyFailure) {
      _ = try Laboratory.policy(.block, rules, sets: sets, change)
      return []
    } catch {
      return error.problems.map(\.message)
    }
  }

  private func isRefused(_ rule: Rule, for reason: String) -> Bool {
    let problems = self.problems([rule])
    return problems.count == 1 && problems[0].contains(reason)
  }

  @Test("Every problem is told, each at the key it is about or else at its rule")
  func places() throws {
    var when = Conditions()
    when.region = ["CN", "cnn"]
    when.host = ["a b"]
    let key = SourceLocation(file: "r.yaml", line: 7, column: 5)
    let own = SourceLocation(file: "r.yaml", line: 3, column: 5)
    let rule = Rule(
      id: RuleID("r"),
      when: when,
      then: .block,
      location: own,
      keyLocations: ["when.region": key]
    )
    let failure = #expect(throws: PolicyFailure.self) { try Laboratory.policy(.block, [rule]) }
    #expect(failure?.problems.map(\.location) == [own, key])
    #expect(failure?.description.contains("r.yaml:7:5: rule r: unknown region \"cnn\"") == true)
  }

  @Test("Two rules of one name are refused")
  func duplicates() {
    let problems = self.problems([Laboratory.rule("r", .log), Laboratory.rule("r", .block)])
    #expect(problems == ["rule r: a rule called \"r\" is at rules.yaml:1:1 already"])
  }

  @Test("Regions are country codes, sets and the words with a meaning, under unless too")
  func regions() {
    let set = RegionSet(name: "lab", cidrs: [])
    let fine = Laboratory.rule("r", .block) {
      $0.region = ["CN", "de", "lab", "watched", "local", "unknown"]
    }
    #expect(self.problems([fine], sets: [set]).isEmpty)
    #expect(self.isRefused(Laboratory.rule("r", .block) { $0.region = ["lab"] }, for: "\"lab\""))
    #expect(self.isRefused(Laboratory.rule("r", .block) { $0.region = ["C1"] }, for: "\"C1\""))
    #expect(
      self.isRefused(
        Laboratory.rule("r", .block, unless: Laboratory.conditions { $0.region = ["CHN"] }),
        for: "\"CHN\""
      )
    )
  }

  @Test("The settings are checked as well: watch, passthrough, sets")
  func settings() {
    #expect(self.problems([]) { $0.watch = ["CN", "china"] }.count == 1)
    #expect(self.problems([]) { $0.watch = ["watched"] }.count == 1)
    #expect(self.problems([]) { $0.passthrough = ["*.ok.example", "not*ok.example"] }.count == 1)
    #expect(
      self.problems([], sets: [RegionSet(name: "local"), RegionSet(name: "a", hosts: ["%"])]).count
        == 2
    )
    #expect(self.problems([], sets: [RegionSet(name: "a"), RegionSet(name: "a")]).count == 1)
    let watched = Laboratory.rule("r", .block) { $0.region = ["watched"] }
    #expect(self.problems([watched]) { $0.watch = ["china"] }.count == 1)
  }

  @Test("how is refused on rules that have to see a message, and on those that do not block")
  func how() {
    #expect(
      self.problems([Laboratory.rule("r", .block, how: .refuse) { $0.region = ["CN"] }]).isEmpty
    )
    for when in [
      { $0.finding = ["imei"] }, { $0.method = ["POST"] }, { $0.direction = [.response] },
    ] as [(inout Conditions) -> Void] {
      #expect(self.isRefused(Laboratory.rule("r", .block, how: .sinkhole, when: when), for: "how"))
    }
    #expect(self.isRefused(Laboratory.rule("r", .redact, how: .refuse), for: "how"))
    #expect(
      self.isRefused(
        Laboratory.rule(
          "r",
          .block,
          how: .refuse,
          unless: Laboratory.conditions { $0.path = ["/"] }
        ),
        for: "how"
      )
    )
  }

  @Test("Sizes that contradict each other are refused")
  func sizes() {
    func rule(_ sizes: [(SizeCondition.Relation, UInt64)]) -> Rule {
      Laboratory.rule("r", .block) {
        $0.size = sizes.map { SizeCondition(relation: $0.0, bytes: $0.1) }
      }
    }
    #expect(self.problems([rule([(.atLeast, 10), (.atMost, 10)])]).isEmpty)
    #expect(self.problems([rule([(.over, 9), (.under, 11)])]).isEmpty)
    #expect(self.isRefused(rule([(.atLeast, 11), (.atMost, 10)]), for: "size"))
    #expect(self.isRefused(rule([(.over, 10), (.under, 11)]), for: "size"))
    #expect(self.isRefused(rule([(.under, 0)]), for: "size"))
    #expect(self.isRefused(rule([(.over, .max)]), for: "size"))
  }

  @Test("An exception equal to or wider than its rule is refused")
  func coverage() throws {
    let narrow = try #require(CIDR("10.1.0.0/16"))
    let wide = try #require(CIDR("10.0.0.0/8"))
    let covered: [((inout Conditions) -> Void, (inout Conditions) -> Void)] = [
      ({ _ in }, { _ in }), ({ $0.region = ["CN"] }, { _ in }),
      ({ $0.region = ["CN"] }, { $0.region = ["DE", "CN"] }),
      ({ $0.ip = [narrow] }, { $0.ip = [wide] }),
      ({ $0.port = [80...81] }, { $0.port = [1...100] }),
      ({ $0.host = ["a.example"] }, { $0.host = ["*"] }),
      (
        {
          $0.method = ["GET"]
          $0.finding = ["imei"]
        }, { $0.method = ["GET"] }
      ),
      (
        { $0.size = [SizeCondition(relation: .atLeast, bytes: 10)] },
        { $0.size = [SizeCondition(relation: .over, bytes: 5)] }
      ),
    ]
    for (when, unless) in covered {
      #expect(
        self.isRefused(
          Laboratory.rule("r", .block, unless: Laboratory.conditions(unless), when: when),
          for: "never applies"
        )
      )
    }
    let reachable: [((inout Conditions) -> Void, (inout Conditions) -> Void)] = [
      ({ _ in }, { $0.region = ["CN"] }), ({ $0.region = ["CN", "DE"] }, { $0.region = ["CN"] }),
      ({ $0.ip = [wide] }, { $0.ip = [narrow] }),
      ({ $0.finding = ["imei"] }, { $0.host = ["a.example"] }),
      (
        { $0.finding = ["imei"] },
        {
          $0.finding = ["imei"]
          $0.certainty = [.possible]
        }
      ),
      (
        { $0.size = [SizeCondition(relation: .atLeast, bytes: 5)] },
        { $0.size = [SizeCondition(relation: .atLeast, bytes: 6)] }
      ),
    ]
    for (when, unless) in reachable {
      #expect(
        self.problems([
          Laboratory.rule("r", .block, unless: Laboratory.conditions(unless), when: when)
        ]).isEmpty
      )
    }
  }

  @Test("otherwise is block or allow")
  func otherwise() {
    #expect(self.isRefused(Laboratory.rule("r", .redact, otherwise: .log), for: "otherwise"))
    #expect(self.problems([Laboratory.rule("r", .redact, otherwise: .allow)]).isEmpty)
  }

  @Test("redact without any finding is a rule")
  func redactAll() {
    #expect(self.problems([Laboratory.rule("r", .redact) { $0.region = ["CN"] }]).isEmpty)
  }
}
