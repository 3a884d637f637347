import Foundation
import TideConfig
import TideCore
import TidePolicy
import TideRegion
import Testing

@Suite struct DefaultRulesTests {
  @Test("The embedded default rules are the file in the repository, letter by letter")
  func sameAsFile() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    // Left to the system to resolve, as a folder on the way may be a link.
    let file = folder + "/../../rules/default.yaml"
    #expect(try String(contentsOfFile: file, encoding: .utf8) == DefaultRules.yaml)
  }

  @Test(
    "They are three rules: redact identifiers, block uploads, redact or block what cannot be read"
  )
  func meaning() throws {
    let rules = try RuleDocument.parse(yaml: DefaultRules.yaml, path: "rules/default.yaml").rules
    #expect(
      rules.map(\.id.text) == ["identifiers-to-watched-regions", "uploads", "home-rolled-crypto"]
    )
    #expect(rules.map(\.then) == [.redact, .block, .redact])
    #expect(rules.allSatisfy { $0.otherwise == .block && $0.when.region == ["watched"] })
    #expect(rules.first?.severity == "high")
  }

  @Test("They, and the rules of PRODUCT.md section 6, compile with the default configuration")
  func compile() throws {
    let defaults = Configuration.defaults
    let regions = RegionTable(databases: [], sets: defaults.regions.sets)
    for yaml in [DefaultRules.yaml, Examples.rules] {
      let rules = try RuleDocument.parse(yaml: yaml, path: "rules/default.yaml").rules
      let settings = PolicySettings(mode: defaults.mode, watch: defaults.regions.watch)
      _ = try PolicySnapshot(rules: rules, regions: regions, settings: settings)
    }
  }
}
