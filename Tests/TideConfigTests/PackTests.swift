import Foundation
import TideConfig
import TideCore
import TidePolicy
import TideRegion
import Testing

/// Every rule of every file in rules/: a flow that it is for, and one that it is not for.
@Suite struct PackTests {
  /// A flow as a rule is asked about it.
  private struct Flow {
    var host = "www.elsewhere.example"
    var path = "/"
    var method = "POST"
    var direction = Direction.request
    var region = Region(name: "DE", countries: ["DE"])
    var finding: String?
    var size: UInt64 = 100

    func with(_ change: (inout Flow) -> Void) -> Flow {
      var flow = self
      change(&flow)
      return flow
    }
  }

  private static let china = Region(name: "CN", countries: ["CN"])

  private static func flow(_ change: (inout Flow) -> Void) -> Flow { Flow().with(change) }

  private static func host(_ host: String, _ finding: String? = nil, _ path: String = "/") -> Flow {
    Self.flow {
      $0.host = host
      $0.path = path
      $0.finding = finding
    }
  }

  private static func region(_ region: Region, _ finding: String? = nil) -> Flow {
    Self.flow {
      $0.region = region
      $0.finding = finding
    }
  }

  private static func cloud(_ name: String) -> Region {
    Region(name: name, sets: [name], countries: ["SG"])
  }

  /// For each file its rules, each with a flow that matches and one that does not.
  private static let table: [(file: String, rows: [(rule: String, yes: Flow, no: Flow)])] = [
    (
      "default.yaml",
      [
        (
          "identifiers-to-watched-regions", Self.region(Self.china, "imei"),
          Self.region(Region(name: "DE", countries: ["DE"]), "imei")
        ),
        (
          "uploads",
          Self.region(Self.china).with { $0.size = 262_144 },
          Self.region(Self.china).with { $0.size = 262_143 }
        ),
        ("home-rolled-crypto", Self.region(Self.china, "opaque"), Self.region(Self.china, "email")),
      ]
    ),
    (
      "xiaomi.yaml",
      [
        (
          "xiaomi-account", Self.host("api.account.xiaomi.com", "carrier", "/pass/v2/user/full"),
          Self.host("account.elsewhere.example", "imei")
        ),
        (
          "xiaomi-activation",
          Self.host(
            "api.account.xiaomi.com",
            nil,
            "/pass/activate/dev/Zm9vYmFyYmF6cXV4/activating"
          ),
          Self.host("api.account.xiaomi.com", nil, "/pass/serviceLogin")
        ),
        (
          "xiaomi-analytics", Self.host("tracking.intl.miui.com", "app_list", "/track/v4"),
          Self.host("tracking.intl.miui.com", "gps")
        ),
        (
          "xiaomi-browser", Self.host("sa.api.intl.miui.com", "browsing_url", "/sa"),
          Self.host("sa.api.intl.miui.com", "browsing_url", "/config")
        ),
        (
          "xiaomi-browser-contact", Self.host("sa.api.intl.miui.com", nil, "/sa"),
          Self.host("sa.api.intl.miui.com", nil, "/sa").with { $0.method = "GET" }
        ),
        (
          "xiaomi-word-list",
          Self.host("globalapi.ad.xiaomi.com").with { $0.direction = .response },
          Self.host("globalapi.ad.xiaomi.com")
        ),
        (
          "xiaomi-advertising", Self.host("sdkconfig.ad.intl.xiaomi.com", "oaid"),
          Self.host("ad.xiaomi.com.elsewhere.example", "oaid")
        ),
        ("xiaomi-push", Self.host("cn.app.chat.xiaomi.net"), Self.host("chat.xiaomi.net")),
        (
          "keyboard-in-the-clear", Self.host("pinyin.voicecloud.cn", "opaque"),
          Self.host("pinyin.voicecloud.cn", "email")
        ),
      ]
    ),
    (
      "mainland-clouds.yaml",
      [
        (
          "identifiers-to-mainland-operators", Self.region(Self.cloud("alibaba-cloud"), "imsi"),
          Self.region(Self.cloud("alibaba-cloud"), "gaid")
        ),
        (
          "opaque-to-mainland-operators", Self.region(Self.cloud("kingsoft-cloud"), "opaque"),
          Self.region(Self.china, "opaque")
        ),
        (
          "contact-with-mainland-operators", Self.region(Self.cloud("china-mobile")),
          Self.region(Self.china)
        ),
      ]
    ),
  ]

  private static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../rules/"

  private static func read(_ file: String) throws -> RuleFile {
    let yaml = try String(contentsOfFile: Self.folder + file, encoding: .utf8)
    return try RuleDocument.parse(yaml: yaml, path: "rules/" + file)
  }

  private static func policy(_ files: [RuleFile], rules: [Rule]? = nil) throws -> PolicySnapshot {
    let sets = Configuration.defaults.regions.sets + files.flatMap(\.sets).map(\.set)
    return try PolicySnapshot(
      rules: rules ?? files.flatMap(\.rules),
      regions: RegionTable(databases: [], sets: sets),
      settings: PolicySettings(mode: .block, watch: ["CN"])
    )
  }

  private static func applies(_ flow: Flow, _ policy: PolicySnapshot) throws -> Bool {
    let address = try #require(IPAddress("203.0.113.7"))
    let facts = MessageFacts(
      device: "phone",
      hosts: [try #require(Host(flow.host))],
      port: 443,
      address: address,
      candidates: [Candidate(address: address, region: flow.region)],
      direction: flow.direction,
      method: Bytes(flow.method),
      path: Bytes(flow.path),
      size: .exactly(flow.size),
      protocols: ["http/1.1"]
    )
    let findings = flow.finding.map { kind in
      [
        Finding(
          kind: FindingKind(kind),
          certainty: .likely,
          location: .body,
          direction: flow.direction,
          path: "",
          encoding: [],
          range: 0..<1,
          value: "1",
          inspector: "test"
        )
      ]
    }
    return policy.verdict(for: facts, findings: findings ?? []).rule != nil
  }

  @Test("Every rule of every pack matches the flow that it is for and not the one beside it")
  func rules() throws {
    for (name, rows) in Self.table {
      let file = try Self.read(name)
      #expect(file.rules.map(\.id.text) == rows.map(\.rule), "\(name)")
      for (rule, row) in zip(file.rules, rows) {
        let policy = try Self.policy([file], rules: [rule])
        #expect(try Self.applies(row.yes, policy), "\(row.rule) misses its flow")
        #expect(try !Self.applies(row.no, policy), "\(row.rule) takes another flow")
      }
    }
  }

  @Test("Every file of rules/ is in this table")
  func complete() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
    #expect(files.filter { $0.hasSuffix(".yaml") }.sorted() == Self.table.map(\.file).sorted())
  }

  @Test("All packs together make a policy in which every rule can decide")
  func together() throws {
    let files = try Self.table.map { try Self.read($0.file) }
    let policy = try Self.policy(files)
    #expect(policy.remarks.filter { $0.kind != .blind } == [])
    var configuration = Configuration.defaults
    #expect(
      problems { () throws(ConfigFailure) in try configuration.add(sets: files.flatMap(\.sets)) }
        == []
    )
  }

  @Test("The operators' sets name each autonomous system once, and none a country")
  func operators() throws {
    let sets = try Self.read("mainland-clouds.yaml").sets.map(\.set)
    let numbers = sets.flatMap(\.asns)
    #expect(Set(numbers).count == numbers.count && numbers.count > 80)
    #expect(sets.allSatisfy { $0.country == nil && !$0.asns.isEmpty && $0.cidrs.isEmpty })
    let rules = try Self.read("mainland-clouds.yaml").rules
    #expect(rules.allSatisfy { $0.when.region == sets.map(\.name) })
  }
}
