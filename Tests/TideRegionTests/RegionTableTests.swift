import Testing
import TideCore

@testable import TideRegion

@Suite struct RegionTableTests {
  /// 203.0.113.0/24 is CN, 198.51.100.0/24 DE, 2001:db8::/32 JP.
  private static let first = """
    3325256704,3325256959,DE
    3405803776,3405804031,CN
    2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,JP

    """
  /// 203.0.113.0/25 is TW, the other half CN.
  private static let second = "3405803776,3405803903,TW\n3405803904,3405804031,CN\n"

  private func table(_ sets: [RegionSet] = [], maxMind: Bool = false) throws -> RegionTable {
    var databases: [RegionDatabase] = [
      .ranges(try RangeList(parsing: Bytes(Self.first), name: "one")),
      .ranges(try RangeList(parsing: Bytes(Self.second), name: "two")),
    ]
    if maxMind { databases.append(.maxMind(try MaxMindDatabaseTests.laboratory())) }
    return RegionTable(databases: databases, sets: sets)
  }

  private func region(_ text: String, _ table: RegionTable) throws -> Region {
    table.region(of: try #require(IPAddress(text)))
  }

  private func set(
    _ name: String,
    _ country: String? = nil,
    _ cidrs: [String] = [],
    asns: [UInt32] = [],
    hosts: [String] = []
  ) -> RegionSet {
    RegionSet(
      name: name,
      country: country,
      cidrs: cidrs.compactMap { CIDR($0) },
      asns: asns,
      hosts: hosts
    )
  }

  @Test("Databases that disagree are both believed, the first one first, and both are quoted")
  func disagreement() throws {
    let region = try self.region("203.0.113.7", self.table())
    #expect(region.name == "CN")
    #expect(region.countries == ["CN", "TW"])
    #expect(
      region.signals == [
        RegionSignal(source: "one", country: "CN", asn: nil),
        RegionSignal(source: "two", country: "TW", asn: nil),
      ]
    )
    #expect(try self.region("203.0.113.200", self.table()).countries == ["CN"])
  }

  @Test("A database that does not cover the family says nothing")
  func families() throws {
    let region = try self.region("2001:db8::1", self.table())
    #expect(region.signals == [RegionSignal(source: "one", country: "JP", asn: nil)])
  }

  @Test("What no source knows is local if it is of special use, else unknown")
  func fallbacks() throws {
    let table = try self.table()
    let local = try self.region("127.0.0.1", table)
    #expect(local.name == "local" && local.isSpecialUse && local.countries.isEmpty)
    let unknown = try self.region("8.8.8.8", table)
    #expect(unknown.name == "unknown" && !unknown.isSpecialUse)
    #expect(RegionTable(databases: [], sets: []).region(of: .v4(0x0808_0808)) == .unknown)
  }

  @Test("A database's country wins over local, and the special use is still told")
  func databaseBeforeLocal() throws {
    let region = try self.region("198.51.100.1", self.table())
    #expect(region.name == "DE" && region.isSpecialUse)
  }

  @Test("A set stands in place of the databases, which are still quoted")
  func setOverrides() throws {
    let region = try self.region(
      "203.0.113.7",
      self.table([self.set("lab", "sg", ["203.0.113.0/24"])])
    )
    #expect(region.name == "lab")
    #expect(region.sets == ["lab"])
    #expect(region.countries == ["SG"])
    #expect(region.signals.map(\.source) == ["one", "two", "set:lab"])
    #expect(region.signals.map(\.country) == ["CN", "TW", "SG"])
  }

  @Test("A set without a country names the region and leaves the countries to the databases")
  func setWithoutCountry() throws {
    let region = try self.region(
      "203.0.113.7",
      self.table([self.set("vendor", nil, ["203.0.113.0/24"])])
    )
    #expect(region.name == "vendor")
    #expect(region.countries == ["CN", "TW"])
  }

  @Test("The longest prefix names the region and the country, whatever the order of the sets")
  func longestPrefix() throws {
    let wide = self.set("wide", "CN", ["198.51.0.0/16"])
    let narrow = self.set("narrow", "SG", ["198.51.100.0/25"])
    for sets in [[wide, narrow], [narrow, wide]] {
      let region = try self.region("198.51.100.1", self.table(sets))
      #expect(region.name == "narrow")
      #expect(region.sets == ["narrow", "wide"])
      #expect(region.countries == ["SG"])
      #expect(try self.region("198.51.100.200", self.table(sets)).name == "wide")
    }
  }

  @Test("A set inside another that names no country does not lift the outer one's country")
  func nestedWithoutCountry() throws {
    let sets = [
      self.set("outer", "RU", ["203.0.113.0/24"]), self.set("inner", nil, ["203.0.113.0/28"]),
    ]
    let region = try self.region("203.0.113.7", self.table(sets))
    #expect(region.name == "inner")
    #expect(region.countries == ["RU"])
  }

  @Test("Sets with the same block both count")
  func sameBlock() throws {
    let sets = [self.set("a", "RU", ["203.0.113.0/24"]), self.set("b", "SG", ["203.0.113.0/24"])]
    let region = try self.region("203.0.113.7", self.table(sets))
    #expect(region.sets == ["a", "b"])
    #expect(region.countries == ["RU", "SG"])
  }

  @Test("A set takes an autonomous system's addresses, after every set that has a block")
  func systems() throws {
    let cloud = self.set("cloud", "CN", asns: [64520])
    let table = try self.table([cloud], maxMind: true)
    let region = try self.region("127.83.1.1", table)
    #expect(region.name == "cloud")
    #expect(region.countries == ["CN"])
    #expect(region.asn == 64520)
    let block = self.set("block", "DE", ["127.0.0.0/8"])
    let both = try self.region("127.83.1.1", self.table([cloud, block], maxMind: true))
    #expect(both.sets == ["block", "cloud"])
    #expect(both.countries == ["DE"])
  }

  @Test(
    "An IPv6 address that carries an IPv4 one lies where either lies",
    arguments: ["64:ff9b::cb00:7107", "2002:cb00:7107::1", "64:ff9b:1::cb00:7107"]
  )
  func embedded(text: String) throws {
    let region = try self.region(text, self.table([self.set("relay", "US", ["2002::/16"])]))
    #expect(region.countries.contains("CN"))
    #expect(region.isSpecialUse)
    if text.hasPrefix("2002") {
      #expect(region.name == "relay")
      #expect(region.countries == ["US", "CN", "TW"])
    }
  }

  @Test("An IPv4-mapped address is the IPv4 address, in look-ups and in sets")
  func mapped() throws {
    let table = try self.table([self.set("lab", nil, ["::ffff:198.51.100.0/120"])])
    #expect(
      try self.region("::ffff:198.51.100.9", table) == (try self.region("198.51.100.9", table))
    )
    #expect(try self.region("198.51.100.9", table).name == "lab")
  }

  @Test("Host entries put a name into sets and say nothing of addresses")
  func hosts() throws {
    let table = try self.table([
      self.set("a", hosts: ["*.vendor.example", "vendor.example"]), self.set("b", hosts: ["*"]),
      self.set("c", hosts: ["other.example"]),
    ])
    #expect(table.sets(forHost: try #require(Hostname("api.Vendor.example."))) == ["a", "b"])
    #expect(table.sets(forHost: try #require(Hostname("vendor.example"))) == ["a", "b"])
    #expect(table.sets(forHost: try #require(Hostname("notvendor.example"))) == ["b"])
    #expect(try self.region("8.8.8.8", table).sets.isEmpty)
  }

  @Test("The sources are told in order")
  func sources() throws {
    #expect(try self.table(maxMind: true).sources.map(\.name) == ["one", "two", "regions.mmdb"])
  }

  @Test("Look-ups of random addresses agree with a scan of every block")
  func prefixesAgree() throws {
    var generator = Seeded(state: 11)
    var table = PrefixTable<[Int]>()
    var blocks: [CIDR] = []
    for index in 0..<200 {
      let base = IPAddress.v4(UInt32.random(in: 0..<4_096, using: &generator) << 20)
      let length = Int.random(in: 0...14, using: &generator)
      let block = try #require(CIDR(base, prefixLength: length))
      blocks.append(block)
      table.update(block, initial: []) { $0.append(index) }
    }
    for _ in 0..<500 {
      let address = IPAddress.v4(UInt32.random(in: 0...UInt32.max, using: &generator))
      let found = table.matches(address)
      #expect(
        Set(found.flatMap(\.self)) == Set(blocks.indices.filter { blocks[$0].contains(address) })
      )
      let lengths = found.compactMap(\.first).map { blocks[$0].prefixLength }
      #expect(lengths == lengths.sorted(by: >))
    }
  }
}
