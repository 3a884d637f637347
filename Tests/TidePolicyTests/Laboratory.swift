import Testing
import TideCore
import TidePolicy
import TideRegion

/// A small world: 203.0.113.0/24 is CN, 198.51.100.0/24 DE, 2001:db8:66::/48 CN, 192.0.2.0/24 unknown to all.
enum Laboratory {
  static let databases: [RegionDatabase] = {
    let lines = """
      3325256704,3325256959,DE
      3405803776,3405804031,CN
      2001:db8:66::,2001:db8:66:ffff:ffff:ffff:ffff:ffff,CN

      """
    do throws(RegionFailure) {
      return [.ranges(try RangeList(parsing: Bytes(lines), name: "lab"))]
    } catch {
      Issue.record("\(error)")
      return []
    }
  }()

  /// Documentation addresses are of special use, so the laboratory allows them.
  static let documentation = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
    .compactMap { CIDR($0) }

  static func settings(_ mode: Mode) -> PolicySettings {
    PolicySettings(mode: mode, watch: ["CN"], allowSpecialUse: Self.documentation)
  }

  static func policy(
    _ mode: Mode,
    _ rules: [Rule],
    sets: [RegionSet] = [],
    _ change: (inout PolicySettings) -> Void = { _ in }
  ) throws(PolicyFailure) -> PolicySnapshot {
    var settings = Self.settings(mode)
    change(&settings)
    return try PolicySnapshot(
      rules: rules,
      regions: RegionTable(databases: Self.databases, sets: sets),
      settings: settings
    )
  }

  static func rule(
    _ id: String,
    _ then: Action,
    how: BlockMethod? = nil,
    holdsBody: Bool = false,
    candidates: CandidatePolicy = .any,
    otherwise: Action = .block,
    unless: Conditions? = nil,
    when: (inout Conditions) -> Void = { _ in }
  ) -> Rule {
    Rule(
      id: RuleID(id),
      when: Self.conditions(when),
      unless: unless,
      then: then,
      how: how,
      holdsBody: holdsBody,
      candidates: candidates,
      otherwise: otherwise,
      location: SourceLocation(file: "rules.yaml", line: 1, column: 1)
    )
  }

  static func conditions(_ change: (inout Conditions) -> Void) -> Conditions {
    var conditions = Conditions()
    change(&conditions)
    return conditions
  }

  static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  static func request(
    _ authority: String = "api.vendor.example:443",
    _ addresses: [String] = [],
    device: String = "redmi"
  ) throws -> ConnectRequest {
    ConnectRequest(
      device: device,
      authority: try #require(Authority(authority, defaultPort: 443)),
      resolved: try addresses.map(Self.address)
    )
  }

  /// A request of `redmi` to api.vendor.example at the first of `addresses`.
  static func facts(
    _ policy: PolicySnapshot,
    _ addresses: [String] = ["203.0.113.7"],
    hosts: [String] = ["api.vendor.example"],
    change: (inout MessageFacts) -> Void = { _ in }
  ) throws -> MessageFacts {
    let candidates = try addresses.map { policy.candidate(try Self.address($0)) }
    var facts = MessageFacts(
      device: "redmi",
      hosts: try hosts.map { try #require(Host($0)) },
      port: 443,
      address: candidates.first?.address,
      candidates: candidates,
      method: "POST",
      path: "/v1/report",
      fields: HeaderFields([
        ("Content-Type", "application/json; charset=utf-8"), ("User-Agent", "VendorSDK/2.1"),
      ]),
      size: .exactly(100),
      protocols: ["http/1.1"]
    )
    change(&facts)
    return facts
  }

  static func finding(
    _ kind: FindingKind = .imei,
    _ certainty: Certainty = .certain,
    _ direction: Direction = .request
  ) -> Finding {
    Finding(
      kind: kind,
      certainty: certainty,
      location: .body,
      direction: direction,
      path: "$.imei",
      encoding: [],
      range: 0..<15,
      value: "490154203237518",
      inspector: "needles"
    )
  }
}

/// SplitMix64: the same sequence for the same seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
