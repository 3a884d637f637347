import Glibc
import Testing
import TideCore
import TideRegion

@Suite struct MaxMindDatabaseTests {
  private static let path =
    #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    + "/Fixtures/regions.mmdb"

  static func laboratory() throws(RegionFailure) -> MaxMindDatabase {
    try MaxMindDatabase(path: Self.path, sha256: "cd")
  }

  @Test(
    "Country and autonomous system are those of the longest prefix",
    arguments: [
      ("127.66.0.1", "CN", 64512), ("127.66.64.1", "CN", 64513), ("127.66.240.1", "SG", 64513),
      ("127.83.127.255", "SG", 64520), ("::ffff:127.66.0.1", "CN", 64512), ("::1", "CN", 64512),
    ] as [(String, String, UInt32)]
  )
  func records(text: String, country: String, asn: UInt32) throws {
    let address = try #require(IPAddress(text)).unmapped
    let record = try Self.laboratory().record(of: address)
    #expect(record?.country == country)
    #expect(record?.asn == asn)
  }

  @Test("An address without an entry is nil, in either family")
  func absent() throws {
    let database = try Self.laboratory()
    #expect(try database.record(of: .v4(0x0808_0808)) == nil)
    #expect(try database.record(of: try #require(IPAddress("2001:db8::1"))) == nil)
  }

  @Test("The database tells its name, day, digest and what it knows")
  func info() throws {
    let info = try Self.laboratory().info
    #expect(info.name == "regions.mmdb")
    #expect(info.sha256 == "cd")
    #expect(info.date?.count == 10)
    #expect(info.hasIPv4 && info.knowsCountry && info.knowsASN)
    #expect(info.entries > 0)
  }

  @Test("A file that is not there is unreadable, one of another kind is malformed")
  func failures() {
    #expect(self.failure("/nonexistent/regions.mmdb")?.code == .unreadable)
    #expect(self.failure(#filePath)?.code == .malformed)
    #expect(self.failure("/nonexistent/regions.mmdb")?.source == "regions.mmdb")
  }

  @Test("A damaged file is refused or answers without trapping")
  func damaged() throws {
    let whole = try #require(RealFile.bytes(path: Self.path)).array
    var generator = Seeded(state: 3)
    let folder = try #require(self.temporaryFolder())
    defer { unsafe rmdir(folder) }
    let path = folder + "/damaged.mmdb"
    for round in 0..<300 {
      var bytes = whole
      for _ in 0...Int.random(in: 0..<6, using: &generator) {
        bytes[Int.random(in: bytes.indices, using: &generator)] =
          UInt8.random(in: 0...255, using: &generator)
      }
      if round % 10 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator)) }
      guard let file = unsafe fopen(path, "wb") else {
        Issue.record("no temporary file")
        return
      }
      unsafe fwrite(bytes, 1, bytes.count, file)
      unsafe fclose(file)
      defer { unsafe unlink(path) }
      do throws(RegionFailure) {
        let database = try MaxMindDatabase(path: path)
        for second in UInt32(60)..<100 {
          _ = try database.record(of: .v4(127 << 24 | second << 16 | 0xF0_01))
        }
        _ = try database.record(of: .v6(1))
      } catch {
        #expect(error.source == "damaged.mmdb")
      }
    }
  }

  private func failure(_ path: String) -> RegionFailure? {
    do throws(RegionFailure) {
      _ = try MaxMindDatabase(path: path)
      return nil
    } catch {
      return error
    }
  }

  private func temporaryFolder() -> String? {
    var template = Array("/tmp/tide-region-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { return nil }
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
