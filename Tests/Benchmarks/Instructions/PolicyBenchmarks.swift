import TideCore
import TidePolicy
import TideRegion
import TideTLS

/// Judging, looking regions up, and minting.
enum PolicyBenchmarks {
  static let wall = WallTime(seconds: 1_790_000_000)

  static var all: [Benchmark] {
    [
      Benchmark(
        name: "judge",
        unit: "a destination and two messages, by the default rules",
        units: 2_000
      ) {
        let policy = try Self.policy(mode: .record)
        let authority = try Self.authority("api.vendor.example:443")
        let addresses = ["198.51.100.7"].compactMap { IPAddress($0) }
        let head = Samples.post("application/json")
        let finding = Finding(
          kind: .imei,
          certainty: .certain,
          location: .body,
          direction: .request,
          path: "imei",
          encoding: [],
          range: 0..<15,
          value: "490154203237518",
          inspector: "needles"
        )
        return {
          let decision = policy.decideConnect(
            ConnectRequest(device: "phone", authority: authority, resolved: addresses)
          )
          var facts = MessageFacts(
            device: "phone",
            hosts: [authority.host],
            port: 443,
            address: addresses.first,
            candidates: decision.candidates,
            method: "POST",
            path: "/v1/collect",
            fields: head.fields,
            size: .exactly(2_000),
            protocols: ["http/1.1"]
          )
          let request = policy.verdict(for: facts, findings: [finding])
          facts.direction = .response
          let response = policy.verdict(for: facts)
          try require(request.decided == .redact && response.decided == .allow, "judged otherwise")
        }
      },
      Benchmark(name: "region", unit: "1,000 addresses among 50,000 ranges", units: 20) {
        let table = try Self.regions()
        var numbers = Samples.Numbers()
        let addresses = (0..<1_000).compactMap { _ in
          let number = numbers.next()
          return IPAddress(
            "\(1 + number % 190).\(number >> 8 & 255).\(number >> 16 & 255).\(number >> 24 & 255)"
          )
        }
        return {
          var found = 0
          for address in addresses where table.region(of: address).name == "CN" { found += 1 }
          try require(found > 100, "\(found) found")
        }
      },
      Benchmark(name: "mint", unit: "a leaf for a new name", units: 20) {
        // Without a lifetime that could end: the clock is the benchmark's own.
        let authority = try CertificateAuthority.generate(
          key: .p256,
          lifetimeSeconds: 86_400,
          at: Self.wall,
          label: "benchmark"
        )
        let minter = try LeafMinter(authority: authority, capacity: 16)
        var number = 100
        return {
          number += 1
          guard let host = Host("a\(number).vendor.example") else {
            throw BenchmarkFailure(what: "no name")
          }
          let leaf = try minter.leaf(for: host, at: Self.wall)
          try require(leaf.host == host, "another's leaf")
        }
      },
    ]
  }

  static func authority(_ text: String) throws -> Authority {
    guard let authority = Authority(text, defaultPort: nil) else {
      throw BenchmarkFailure(what: "no authority: \(text)")
    }
    return authority
  }

  /// A table with as many ranges as a real one has.
  static func regions() throws -> RegionTable {
    let countries = ["CN", "DE", "FR", "US", "TW"]
    var text = ""
    for index in 0..<50_000 {
      // From 1.0.0.0 on, 64,000 addresses each.
      let first = 0x0100_0000 + index * 64_000
      text += "\(first),\(first + 63_999),\(countries[index % countries.count])\n"
    }
    var parser = RangeListParser(name: "ranges")
    let bytes = Array(text.utf8)
    try parser.read(bytes.span)
    let list = try parser.finish()
    let lab = RegionSet(name: "lab", cidrs: ["198.51.100.0/24"].compactMap { CIDR($0) })
    return RegionTable(databases: [.ranges(list)], sets: [lab])
  }

  /// The default rules, with the documentation's addresses as the watched region.
  static func policy(mode: Mode) throws -> PolicySnapshot {
    var identifiers = Conditions()
    identifiers.region = ["watched"]
    identifiers.direction = [.request]
    identifiers.finding = [
      "imei", "meid", "imsi", "iccid", "msisdn", "contact_phone", "contact_name", "sms_text",
      "serial",
      "android_id", "wifi_mac",
    ]
    var uploads = Conditions()
    uploads.region = ["watched"]
    uploads.method = ["POST", "PUT"]
    uploads.size = [SizeCondition(relation: .atLeast, bytes: 256 << 10)]
    var opaque = Conditions()
    opaque.region = ["watched"]
    opaque.finding = ["opaque"]
    let rules = [
      ("identifiers", identifiers, Action.redact), ("uploads", uploads, Action.block),
      ("opaque", opaque, Action.redact),
    ]
    .map { id, when, then in
      Rule(
        id: RuleID(id),
        when: when,
        then: then,
        location: SourceLocation(file: "rules.yaml", line: 1, column: 1)
      )
    }
    return try PolicySnapshot(
      rules: rules,
      regions: Self.regions(),
      settings: PolicySettings(
        mode: mode,
        watch: ["CN", "lab"],
        allowSpecialUse: ["198.51.100.0/24", "203.0.113.0/24"].compactMap { CIDR($0) }
      )
    )
  }
}
