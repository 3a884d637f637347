import TideConfig
import TideCore
import TidePolicy
import Testing

@Suite struct RuleDocumentTests {
  private func parse(_ yaml: String, kinds: [String] = []) throws -> [Rule] {
    try RuleDocument.parse(yaml: yaml, path: "rules/x.yaml", additionalKinds: kinds).rules
  }

  /// The problems of a rule with these lines under `when` (line 3 on).
  private func problemsOfConditions(_ yaml: String) -> [String] {
    problems(rules: "rules: [{ id: a, then: log, when: {\n\n\(yaml) } }]")
      .map { String($0.dropFirst("rules/x.yaml:".count)) }
  }

  @Test("The rules of PRODUCT.md section 6 read as they are meant")
  func example() throws {
    let rules = try self.parse(Examples.rules)
    #expect(
      rules.map(\.id.text) == ["identifiers-to-watched-regions", "uploads", "home-rolled-crypto"]
    )
    let first = try #require(rules.first)
    #expect(first.description == "Hardware and subscriber identifiers bound for a watched region")
    #expect(first.when.region == ["watched"] && first.when.direction == [.request])
    #expect(first.when.finding.count == 11)
    #expect(first.unless?.host == ["*.updates.example"])
    #expect(first.then == .redact && first.otherwise == .block && first.severity == "high")
    #expect(first.how == nil && !first.holdsBody && first.candidates == .any)
    #expect(first.location.description == "rules/x.yaml:3:5")
    #expect(first.keyLocations["when.region"]?.description == "rules/x.yaml:6:7")
    #expect(first.keyLocations["when.unless.host"]?.description == "rules/x.yaml:9:17")
    #expect(first.keyLocations["then"]?.description == "rules/x.yaml:10:5")
    #expect(rules[1].when.method == ["POST", "PUT"] && rules[1].unless == nil)
    #expect(rules[1].when.size == [SizeCondition(relation: .atLeast, bytes: 262_144)])
    #expect(rules[2].when.finding == ["opaque"])
  }

  @Test("Every key of a rule and of its conditions is read, a scalar as a list of one")
  func everyKey() throws {
    let rule = try #require(
      try self.parse(
        """
        rules:
          - id: all-1
            when:
              device: redmi
              host: [A.Example., "*.B.example", 192.0.2.1]
              ip: 192.0.2.0/24
              port: [443, 8000-8999]
              region: CN
              asn: AS64496
              protocol: [http/1.1, tls]
              direction: response
              method: post
              path: [/api/*, "*"]
              header.User-Agent: ["*okhttp*", curl*]
              header.x-a: "1"
              type: Image/*
              size: [">1KiB", "<= 2 MiB"]
              finding: [imei, my_kind]
              certainty: [likely, certain]
              unless: { port: 80, header.dnt: "1" }
            then: block
            how: refuse
            hold: body
            candidates: allowed-only
            otherwise: allow
            severity: low
        """,
        kinds: ["my_kind"]
      ).first
    )
    #expect(rule.when.device == ["redmi"])
    #expect(rule.when.host == ["a.example", "*.b.example", "192.0.2.1"])
    #expect(rule.when.ip.map(\.description) == ["192.0.2.0/24"])
    #expect(rule.when.port == [443...443, 8_000...8_999])
    #expect(rule.when.region == ["CN"] && rule.when.asn == [64_496])
    #expect(rule.when.protocolName == ["http/1.1", "tls"])
    #expect(rule.when.direction == [.response] && rule.when.method == ["POST"])
    #expect(rule.when.path == ["/api/*", "*"])
    #expect(
      rule.when.header == [
        HeaderCondition(name: "user-agent", patterns: ["*okhttp*", "curl*"]),
        HeaderCondition(name: "x-a", patterns: ["1"]),
      ]
    )
    #expect(rule.when.type == ["image/*"])
    #expect(
      rule.when.size == [
        SizeCondition(relation: .over, bytes: 1_024),
        SizeCondition(relation: .atMost, bytes: 2_097_152),
      ]
    )
    #expect(rule.when.finding == ["imei", "my_kind"])
    #expect(rule.when.certainty == [.likely, .certain])
    #expect(rule.unless?.port == [80...80])
    #expect(rule.unless?.header == [HeaderCondition(name: "dnt", patterns: ["1"])])
    #expect(rule.then == .block && rule.how == .refuse && rule.holdsBody)
    #expect(rule.candidates == .allowedOnly && rule.otherwise == .allow)
    #expect(rule.severity == "low")
  }

  @Test("A misspelt key is told with its place and the nearest key")
  func misspelt() {
    let yaml = """
      version: 1
      rules:
        - id: a
          then: block
          when:
            host: a.example
            regoin: CN
            unless: { hosts: b.example }
        - id: b
          whn: {}
          then: blok
          region: CN
          unless: { host: a.example }
          severty: high
      rule: []
      """
    #expect(
      problems(rules: yaml) == [
        "rules/x.yaml:7:7: unknown key \"regoin\" under when; did you mean \"region\"?",
        "rules/x.yaml:8:17: unknown key \"hosts\" under when.unless; did you mean \"host\"?",
        "rules/x.yaml:9:5: the key \"when\" is missing",
        "rules/x.yaml:10:5: unknown key \"whn\"; did you mean \"when\"?",
        "rules/x.yaml:11:11: then: expected allow, log, redact or block, found \"blok\"; did you mean \"block\"?",
        "rules/x.yaml:12:5: unknown key \"region\"; did you mean \"when.region\"?",
        "rules/x.yaml:13:5: unknown key \"unless\"; did you mean \"when.unless\"?",
        "rules/x.yaml:14:5: unknown key \"severty\"; did you mean \"severity\"?",
        "rules/x.yaml:15:1: unknown key \"rule\"; did you mean \"rules\"?",
      ]
    )
  }

  @Test(
    "A condition's value that means nothing is told with what is expected",
    arguments: [
      (
        "region: []",
        "3:9: when.region: the list is empty; expected a country code, the name of a set, watched, local or unknown"
      ),
      (
        "region: ",
        "3:10: when.region: expected a country code, the name of a set, watched, local or unknown, found nothing"
      ),
      (
        "port: 0",
        "3:7: when.port: expected a port such as 443, or a range such as 8000-8999, found \"0\""
      ),
      (
        "port: 9-8",
        "3:7: when.port: expected a port such as 443, or a range such as 8000-8999, found \"9-8\""
      ),
      (
        "port: 1-2-3",
        "3:7: when.port: expected a port such as 443, or a range such as 8000-8999, found \"1-2-3\""
      ),
      ("host: a.example:443", "3:7: when.host: \"a.example:443\" has a port: name it under port"),
      (
        "host: 2130706433",
        "3:7: when.host: expected a host name, an address, or a pattern such as *.updates.example, found \"2130706433\""
      ),
      (
        "host: *.a.example",
        "3:7: \"*.a.example\" begins with *, which YAML takes for an alias: put it in quotes"
      ),
      ("path: /a?b=c", "3:7: when.path: \"/a?b=c\" has a ?, but the query is not part of the path"),
      (
        "size: 256KiB",
        "3:7: when.size: expected a comparison of sizes such as \">=256KiB\", found \"256KiB\""
      ),
      (
        "size: \">=256KB/s\"",
        "3:7: when.size: expected a comparison of sizes such as \">=256KiB\", found \">=256KB/s\""
      ),
      (
        "finding: [imie]",
        "3:11: when.finding: expected a kind of finding such as imei, found \"imie\"; did you mean \"imei\"?"
      ),
      ("direction: up", "3:12: when.direction: expected request or response, found \"up\""),
      (
        "protocol: http",
        "3:11: when.protocol: expected http/1.1, h2, grpc, websocket, stream, tls or tcp, "
          + "found \"http\""
      ),
      (
        "type: json",
        "3:7: when.type: expected a media type such as application/json or image/*, found \"json\""
      ),
      ("method: P OST", "3:9: when.method: expected a method such as POST, found \"P OST\""),
      ("header: x", "3:1: unknown key \"header\" under when; did you mean \"header.NAME\"?"),
      ("header.: x", "3:1: \"\" is not the name of a header field"),
      (
        "asn: 0",
        "3:6: when.asn: expected the number of an autonomous system, such as 64496 or AS64496, found \"0\""
      ),
      ("unless: {}", "3:9: when.unless: names no exception"),
      ("unless: { unless: { port: 1 } }", "3:11: unknown key \"unless\" under when.unless"),
      (
        "certainty: { a: b }",
        "3:12: when.certainty: expected possible, likely or certain, found a mapping"
      ),
    ]
  )
  func conditions(yaml: String, expected: String) {
    #expect(self.problemsOfConditions(yaml) == [expected])
  }

  @Test("A rule needs an id of its own, conditions and an action")
  func required() {
    let yaml = """
      rules:
        - { id: a, when: {}, then: log }
        - { id: a, when: {}, then: log }
        - { id: Bad id, when: {}, then: log }
        - { when: x, hold: head, otherwise: redact }
        - just text
        -
      """
    #expect(
      problems(rules: yaml) == [
        "rules/x.yaml:3:7: rule \"a\" is written twice, first in line 2",
        "rules/x.yaml:4:11: id: expected an id of a-z, 0-9 and -, at most 64 characters, found \"Bad id\"",
        "rules/x.yaml:5:5: the key \"id\" is missing",
        "rules/x.yaml:5:5: the key \"then\" is missing",
        "rules/x.yaml:5:13: when: expected a mapping of keys to values, found \"x\"",
        "rules/x.yaml:5:22: hold: expected body, found \"head\"",
        "rules/x.yaml:5:39: otherwise: expected block or allow, found \"redact\"",
        "rules/x.yaml:6:5: expected a rule, found \"just text\"",
        "rules/x.yaml:7:4: expected a rule, found nothing",
      ]
    )
  }

  @Test("A file without rules is no rules, and `when: {}` asks nothing")
  func empty() throws {
    #expect(try self.parse("").isEmpty)
    #expect(try self.parse("version: 1\nrules: []").isEmpty)
    #expect(try self.parse("version: 1\nrules:\n  # - id: a").isEmpty)
    #expect(try self.parse("rules: [{ id: a, when: {}, then: log }]").map(\.when) == [Conditions()])
    #expect(
      problems(rules: "rules: [{ id: a, when: , then: block }]") == [
        "rules/x.yaml:1:24: when: expected a mapping of keys to values, found nothing"
      ]
    )
    #expect(
      problems(rules: "rules: { a: 1 }") == [
        "rules/x.yaml:1:8: rules: expected a list of rules, found a mapping"
      ]
    )
  }
}
