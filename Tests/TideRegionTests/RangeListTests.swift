import Glibc
import Testing
import TideCore

@testable import TideRegion

@Suite struct RangeListTests {
  private static let header = """
    # Location Database Export
    #
    # Generated: Thu, 25 Jun 2026 04:33:59 GMT
    #

    """

  private func list(_ lines: String, header: String = header) throws(RegionFailure) -> RangeList {
    try RangeList(parsing: Bytes(header + lines), name: "geoip", sha256: "ab")
  }

  private func failure(_ lines: String) -> RegionFailure? {
    do throws(RegionFailure) {
      _ = try self.list(lines)
      return nil
    } catch {
      return error
    }
  }

  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  @Test("Both ends of a range belong to it, its neighbours and gaps do not")
  func bounds() throws {
    let list = try self.list(
      "3405803776,3405803779,CN\n3405803780,3405803783,??\n3405803792,3405803792,DE\n"
    )
    for (text, country) in [
      ("203.0.112.255", nil), ("203.0.113.0", "CN"), ("203.0.113.3", "CN"), ("203.0.113.4", nil),
      ("203.0.113.8", nil), ("203.0.113.15", nil), ("203.0.113.16", "DE"), ("203.0.113.17", nil),
      ("255.255.255.255", nil), ("0.0.0.0", nil), ("2001:db8::1", nil),
    ] {
      #expect(list.country(of: try self.address(text)) == country, "\(text)")
    }
    #expect(list.info.entries == 3)
    #expect(list.info.hasIPv4 && !list.info.hasIPv6)
    #expect(list.info.knowsCountry && !list.info.knowsASN)
  }

  @Test("The whole of each family is covered without overflow")
  func extremes() throws {
    let all = "0,4294967295,TW\n::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,DE\n"
    let list = try self.list(all)
    #expect(list.country(of: .v4(0)) == "TW")
    #expect(list.country(of: .v4(.max)) == "TW")
    #expect(list.country(of: .v6(0)) == "DE")
    #expect(list.country(of: .v6(.max)) == "DE")
  }

  @Test(
    "Every way to shorten zeros of an IPv6 bound is read as the address parser reads it",
    arguments: [
      "2001:db8::", "2001:db8::1", "2001:db8:0:0:1::", "2001:db8:1:2:3:4:5:6", "2001:DB8::a:b:c",
      "2001:db8:1:2:3:4:5::",
    ]
  )
  func groups(text: String) throws {
    let list = try self.list("\(text),\(text),JP\n")
    let address = try self.address(text)
    #expect(list.country(of: address) == "JP")
    guard case .v6(let value) = address else { return }
    #expect(list.country(of: .v6(value + 1)) == nil)
    #expect(list.country(of: .v6(value - 1)) == nil)
  }

  @Test("The header gives the day, in either of the two forms in use")
  func dates() throws {
    #expect(try self.list("0,1,CN\n").info.date == "2026-06-25")
    let old = "# Last updated based on December 5 2018 Maxmind GeoLite2 Country\n"
    #expect(try self.list("0,1,CN\n", header: old).info.date == "2018-12-05")
    #expect(try self.list("0,1,CN\n", header: "# by hand\n").info.date == nil)
    #expect(try self.list("0,1,CN\n").info.sha256 == "ab")
  }

  @Test("Windows line ends, lower-case countries and a missing last line end are accepted")
  func tolerated() throws {
    let list = try self.list("0,1,cn\r\n\n2,3,A1", header: "")
    #expect(list.country(of: .v4(0)) == "CN")
    #expect(list.country(of: .v4(3)) == "A1")
  }

  @Test(
    "A line that is not a range is an error that names the line",
    arguments: [
      "1,2", "1,2,", "1,2,C", "1,2,CHN", "1,2,4C", "2,1,CN", "a,2,CN", "1;2;CN",
      "4294967296,4294967297,CN",
      "99999999999999999999,1,CN", ",,", " 1,2,CN", "1, 2,CN", "2001:db8::,2001:db8::",
      "2001:db8::1,2001:db8::,CN", "2001:db8,2001:db8::,CN", "2001::db8::,2001:db8::,CN",
      ":1,::2,CN", "1::,2:,CN", "1:2:3:4:5:6:7:8:9,::,CN", "1:2:3:4:5:6:7::8,::,CN",
      "12345::,::,CN",
      "::,::ffff", "\u{0}", "203.0.113.0,203.0.113.1,CN",
    ]
  )
  func malformed(line: String) {
    let failure = self.failure("0,0,CN\n\(line)\n")
    #expect(failure?.code == .malformed)
    #expect(failure?.line == 6)
    #expect(failure?.description.hasPrefix("geoip:6: ") == true)
  }

  @Test("Ranges out of order or sharing addresses are errors that name the line, in both families")
  func order() {
    #expect(self.failure("8,9,CN\n4,5,CN\n")?.code == .unsorted)
    #expect(self.failure("8,9,CN\n9,12,DE\n")?.code == .overlapping)
    #expect(self.failure("8,9,CN\n8,9,CN\n")?.line == 6)
    #expect(self.failure("2::,3::,CN\n1::,1::1,CN\n")?.code == .unsorted)
    #expect(self.failure("2::,3::,CN\n2::1,2::2,CN\n")?.code == .overlapping)
    #expect(self.failure("8,9,CN\n2::,3::,CN\n10,11,CN\n") == nil)
  }

  @Test("A file without a range is an error")
  func empty() {
    #expect(self.failure("")?.code == .empty)
    #expect(throws: RegionFailure.self) { try RangeList(parsing: Bytes(), name: "geoip") }
  }

  @Test("A file cut anywhere is read up to a whole line or refused, and never traps")
  func cut() throws {
    let whole = Bytes(Self.header + "3405803776,3405803779,CN\n2001:db8::,2001:db8::ff,DE\n")
    for count in 0..<whole.count {
      do throws(RegionFailure) {
        let list = try RangeList(parsing: whole.slice(0..<count), name: "geoip")
        #expect((1...2).contains(list.info.entries))
      } catch {
        #expect(error.source == "geoip")
      }
    }
  }

  @Test("Blocks of any size give the list, and the errors, of the whole", arguments: 1...9)
  func blocks(size: Int) throws {
    let good = Bytes(Self.header + "0,1,CN\r\n2001:db8::,2001:db8::ff,DE\n2,3,A1")
    let list = try Self.inBlocks(good, of: size)
    #expect(list.info.entries == 3)
    #expect(list.info.date == "2026-06-25")
    #expect(list.country(of: .v4(3)) == "A1")
    #expect(list.country(of: try self.address("2001:db8::ff")) == "DE")
    do throws(RegionFailure) {
      _ = try Self.inBlocks(Bytes(Self.header + "0,1,CN\n1;2\n"), of: size)
      Issue.record("a line that is no range was read")
    } catch {
      #expect(error.line == 6)
    }
  }

  @Test("A line without an end is refused at its limit, with its number")
  func endless() throws {
    let long = Bytes("0,1,CN\n#" + String(repeating: "x", count: RangeListParser.longestLine))
    do throws(RegionFailure) {
      _ = try Self.inBlocks(long, of: 1_000)
      Issue.record("an endless line was read")
    } catch {
      #expect(error.code == .malformed)
      #expect(error.line == 2)
    }
  }

  private static func inBlocks(_ text: Bytes, of size: Int) throws(RegionFailure) -> RangeList {
    var parser = RangeListParser(name: "geoip", size: text.count)
    var position = 0
    while position < text.count {
      let block = text.slice(position..<min(position + size, text.count))
      try block.withSpan { (span: Span<UInt8>) throws(RegionFailure) in try parser.read(span) }
      position += size
    }
    return try parser.finish()
  }

  @Test("Noise never traps")
  func noise() {
    var generator = Seeded(state: 7)
    let alphabet = Array("0123456789abcdef:,,\n#?CN.\r".utf8)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0..<60, using: &generator)).map { _ in
        alphabet.randomElement(using: &generator) ?? 0
      }
      do throws(RegionFailure) {
        _ = try RangeList(parsing: Bytes(bytes), name: "noise")
      } catch {
        #expect(error.source == "noise")
      }
    }
  }

  @Test("The lists that Debian ships are read whole", .enabled(if: RealFile.isThere))
  func real() throws {
    let v4 = try RangeList(parsing: try #require(RealFile.bytes("geoip")), name: "geoip")
    #expect(v4.info.entries > 100_000)
    #expect(v4.info.date?.count == 10)
    #expect(v4.country(of: .v4(0x01_01_08_00)) == "CN")
    let v6 = try RangeList(parsing: try #require(RealFile.bytes("geoip6")), name: "geoip6")
    #expect(v6.info.entries > 100_000)
    #expect(v6.country(of: try self.address("2001:200::1")) == "JP")
    #expect(v4.footprint + v6.footprint <= 16 << 20)
  }
}

/// The files of Debian's `tor-geoipdb`, where they are installed.
enum RealFile {
  private static let folder = "/usr/share/tor/"

  static var isThere: Bool {
    unsafe access(self.folder + "geoip", R_OK) == 0 && access(self.folder + "geoip6", R_OK) == 0
  }

  static func bytes(_ name: String) -> Bytes? { Self.bytes(path: self.folder + name) }

  static func bytes(path: String) -> Bytes? {
    guard let file = unsafe fopen(path, "rb") else { return nil }
    defer { unsafe fclose(file) }
    unsafe fseek(file, 0, SEEK_END)
    let size = unsafe ftell(file)
    unsafe rewind(file)
    return unsafe Bytes(capacity: size) { room in unsafe fread(room.baseAddress, 1, size, file) }
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
