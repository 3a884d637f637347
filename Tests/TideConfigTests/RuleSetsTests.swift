import TideConfig
import TideCore
import TidePolicy
import TideRegion
import Testing

@Suite struct RuleSetsTests {
  private func sets(_ yaml: String, _ path: String = "rules/x.yaml") throws -> [PlacedRegionSet] {
    try RuleDocument.parse(yaml: yaml, path: path).sets
  }

  private func merging(
    _ configuration: String,
    _ files: [String]
  ) throws -> (configuration: Configuration, problems: [String]) {
    var merged = try Configuration(yaml: configuration, path: "t.yaml")
    let sets = try files.enumerated().flatMap { try self.sets($1, "rules/\($0).yaml") }
    let found = problems { () throws(ConfigFailure) in try merged.add(sets: sets) }
    return (merged, found)
  }

  @Test("A file of rules brings sets along, in the form of regions.sets")
  func read() throws {
    let yaml = """
      sets:
        cloud: { asn: [AS64496, 64497], host: ["*.Cloud.example"] }
        lab:
          country: cn
          cidr: 192.0.2.0/24
      rules: []
      """
    let sets = try self.sets(yaml)
    #expect(sets.map(\.set.name) == ["cloud", "lab"])
    #expect(sets[0].set.asns == [64_496, 64_497] && sets[0].set.hosts == ["*.cloud.example"])
    #expect(sets[0].set.country == nil && sets[1].set.country == "CN")
    #expect(sets.map(\.location.description) == ["rules/x.yaml:2:3", "rules/x.yaml:3:3"])
    #expect(try self.sets("rules: []").isEmpty)
    #expect(try self.sets("sets: {}").isEmpty)
  }

  @Test("What is wrong in a file's sets is told with its place")
  func refused() {
    let yaml = """
      sets: { cn: {}, local: {}, a: { asns: [1], cidr: x } }
      setts: {}
      """
    #expect(
      problems(rules: yaml) == [
        "rules/x.yaml:1:9: sets.cn: \"cn\" would be taken for a country",
        "rules/x.yaml:1:17: sets.local: \"local\" has a meaning of its own in rules",
        "rules/x.yaml:1:33: unknown key \"asns\" under sets.a; did you mean \"asn\"?",
        "rules/x.yaml:1:50: sets.a.cidr: expected an address or a block such as 192.0.2.0/24, found \"x\"",
        "rules/x.yaml:2:1: unknown key \"setts\"; did you mean \"sets\"?",
      ]
    )
  }

  @Test("Sets of all files and of the configuration are one vocabulary")
  func merged() throws {
    let (configuration, found) = try self.merging(
      "regions: { sets: { own: { country: CN } } }",
      ["sets: { a: { asn: [1] } }", "sets: { b: { asn: [2] } }"]
    )
    #expect(found.isEmpty)
    #expect(configuration.regions.sets.map(\.name) == ["own", "a", "b"])
  }

  @Test("A name that is used twice is refused at its second place, whichever the files")
  func conflicts() throws {
    let (configuration, found) = try self.merging(
      "regions: { sets: { own: {} } }",
      ["sets: { a: {}, own: {} }", "sets:\n  a: {}"]
    )
    #expect(
      found == [
        "rules/0.yaml:1:16: sets.own: there is a set of this name already, at regions.sets of t.yaml; rename one of them",
        "rules/1.yaml:2:3: sets.a: there is a set of this name already, at rules/0.yaml:1:9; rename one of them",
      ]
    )
    #expect(configuration.regions.sets.map(\.name) == ["own"])
  }

  @Test("regions.watch may name sets of rule files, and what is nowhere is refused at its place")
  func watch() throws {
    let yaml = "regions:\n  watch: [CN, alibaba-cloud, clodu]\n  sets: {}"
    let (_, found) = try self.merging(yaml, ["sets: { alibaba-cloud: {}, cloud: {} }"])
    #expect(
      found == [
        "t.yaml:2:30: regions.watch: unknown region \"clodu\": neither a country code of two letters, nor local or unknown, nor a set of this file or of the rule files; did you mean \"cloud\"?"
      ]
    )
    let (configuration, none) = try self.merging(
      "regions: { watch: cloud }",
      ["sets: { cloud: {} }"]
    )
    #expect(none.isEmpty && configuration.regions.watch == ["cloud"])
    #expect(configuration.regions.watchElsewhere.map(\.name) == ["cloud"])
    #expect(try Configuration(yaml: "", path: "t.yaml").regions.watchElsewhere.isEmpty)
  }
}
