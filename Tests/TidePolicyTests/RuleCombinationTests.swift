import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct RuleCombinationTests {
  /// The problems of one rule, each with its place: keys are at the line of their number below.
  private func problems(
    _ then: Action,
    _ keys: [String] = [],
    holdsBody: Bool = false,
    candidates: CandidatePolicy = .any,
    unless: Conditions? = nil,
    devices: [String]? = nil,
    when: (inout Conditions) -> Void = { _ in }
  ) -> [String] {
    var places: [String: TidePolicy.SourceLocation] = [:]
    for (index, key) in keys.enumerated() {
      places[key] = SourceLocation(file: "r.yaml", line: index + 2, column: 5)
    }
    let rule = Rule(
      id: RuleID("r"),
      when: Laboratory.conditions(when),
      unless: unless,
      then: then,
      holdsBody: holdsBody,
      candidates: candidates,
      location: SourceLocation(file: "r.yaml", line: 1, column: 1),
      keyLocations: places
    )
    do throws(PolicyFailure) {
      _ = try Laboratory.policy(.block, [rule]) { $0.devices = devices }
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test("hold and otherwise are refused where nothing is held or redacted, at their place")
  func withoutEffect() {
    let log = self.problems(.log, ["hold", "otherwise"], holdsBody: true) { $0.region = ["CN"] }
    #expect(log.count == 2)
    #expect(
      log.first?.hasPrefix("r.yaml:2:5: rule r: hold is for rules that redact or block") == true
    )
    #expect(log.last?.hasPrefix("r.yaml:3:5: rule r: otherwise is for rules") == true)
    #expect(self.problems(.redact, ["hold", "otherwise"], holdsBody: true).isEmpty)
    #expect(self.problems(.block, ["hold"], holdsBody: true) { $0.finding = ["imei"] }.isEmpty)
    #expect(self.problems(.log) { $0.region = ["CN"] }.isEmpty)
  }

  @Test("candidates is refused on a rule that asks nothing of addresses")
  func candidates() throws {
    let refused = self.problems(.block, ["candidates"], candidates: .allowedOnly) {
      $0.host = ["a.example"]
    }
    #expect(refused.count == 1)
    #expect(
      refused.first?.hasPrefix("r.yaml:2:5: rule r: candidates is for rules that ask") == true
    )
    let block = try #require(CIDR("203.0.113.0/24"))
    for change in [
      { $0.region = ["CN"] }, { $0.asn = [64_496] }, { $0.ip = [block] },
    ] as [(inout Conditions) -> Void] {
      #expect(self.problems(.block, candidates: .allowedOnly, when: change).isEmpty)
    }
  }

  @Test("What only requests have is refused beside protocols that have no requests")
  func tunnels() {
    let refused = self.problems(
      .log,
      ["when.method", "when.path", "when.header.cookie", "when.type"]
    ) {
      $0.protocolName = ["tls", "stream"]
      $0.method = ["POST"]
      $0.path = ["/*"]
      $0.header = [HeaderCondition(name: "cookie", patterns: ["*"])]
      $0.type = ["text/html"]
    }
    #expect(
      refused.map { String($0.prefix(10)) } == [
        "r.yaml:4:5", "r.yaml:2:5", "r.yaml:3:5", "r.yaml:5:5",
      ]
    )
    #expect(
      self.problems(.log) {
        $0.protocolName = ["tls", "h2"]
        $0.method = ["POST"]
      }.isEmpty
    )
    let unless = Laboratory.conditions {
      $0.protocolName = ["tcp"]
      $0.path = ["/"]
    }
    #expect(self.problems(.log, unless: unless) { $0.region = ["CN"] }.count == 1)
  }

  @Test("A device that no profile has is refused, unless it is an address or names are not known")
  func devices() {
    func refused(_ names: [String], _ known: [String]?) -> [String] {
      self.problems(.log, ["when.device"], devices: known) { $0.device = names }
    }
    #expect(refused(["redmi"], ["redmi", "other"]).isEmpty)
    #expect(refused(["192.0.2.7", "2001:db8::1"], []).isEmpty)
    #expect(refused(["anyone"], nil).isEmpty)
    #expect(
      refused(["remdi"], ["redmi"]) == [
        "r.yaml:2:5: rule r: no device is called \"remdi\" (there are redmi): "
          + "`tidewaiter device add` makes one"
      ]
    )
    let exception = Laboratory.conditions { $0.device = ["x"] }
    #expect(self.problems(.log, unless: exception, devices: []) { $0.region = ["CN"] }.count == 1)
  }
}
