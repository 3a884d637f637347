import TideCore
import Testing

@testable import TideConfig

@Suite struct UnitsTests {
  @Test(
    "Sizes have binary and decimal units, and never overflow",
    arguments: [
      ("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("1 MiB", 1_048_576), ("20gib", 20 << 30),
      ("1TiB", 1 << 40), ("10MB", 10_000_000), ("5B", 5), ("18446744073709551615", .max),
      ("18446744073709551616", nil), ("16777216TiB", nil), ("64K", nil), ("KiB", nil), ("", nil),
      ("-1", nil), ("1.5MiB", nil), ("1MiB ", nil), ("１", nil),
    ] as [(String, UInt64?)]
  )
  func sizes(text: String, expected: UInt64?) {
    #expect(Units.bytes(text) == expected)
  }

  @Test(
    "Durations need their unit, and never overflow",
    arguments: [
      ("250ms", .milliseconds(250)), ("5s", .seconds(5)), ("5m", .seconds(300)),
      ("1h", .seconds(3_600)), ("90d", .seconds(7_776_000)), ("0s", .zero), ("5", nil), ("s", nil),
      ("9223372036854775808ms", nil), ("18446744073709551615d", nil), ("1h30m", nil), ("1w", nil),
    ] as [(String, Duration?)]
  )
  func durations(text: String, expected: Duration?) {
    #expect(Units.duration(text) == expected)
  }

  @Test("Sizes and durations are shown in their largest whole unit")
  func shown() {
    #expect(
      [0, 1, 1_024, 65_536, 1_500, 1 << 50].map { Units.sizeText($0) }
        == ["0", "1", "1KiB", "64KiB", "1500", "1024TiB"]
    )
    #expect(
      [Duration.zero, .milliseconds(250), .seconds(60), .seconds(90), .days(2)]
        .map(Units.durationText) == ["0ms", "250ms", "1m", "90s", "2d"]
    )
  }

  @Test("Paths are joined as the shell would, and lose a slash at their end")
  func paths() {
    #expect(Paths.folder(of: "t.yaml") == "" && Paths.folder(of: "/t.yaml") == "/")
    #expect(Paths.folder(of: "a/b/t.yaml") == "a/b")
    #expect(Paths.join("", "x/") == "x" && Paths.join("a", "x") == "a/x")
    #expect(Paths.join("/", "x") == "/x" && Paths.join("a", "/x") == "/x")
    #expect(Paths.join("a", "/") == "/")
  }

  @Test("The words for special use leave out the addresses that give away a machine's credentials")
  func metadata() throws {
    let metadata = try ["169.254.169.254", "fd00:ec2::254"].map { try #require(IPAddress($0)) }
    let words = AddressWords.specialUse
    let linkLocal = try #require(words.read("link-local"))
    let privateUse = try #require(words.read("private"))
    for address in metadata {
      #expect(!(linkLocal + privateUse).contains { $0.contains(address) })
      #expect(try #require(words.read("metadata")).contains { $0.contains(address) })
    }
    for text in ["169.254.169.253", "169.254.169.255", "169.254.0.1", "fe80::1"] {
      let address = try #require(IPAddress(text))
      #expect(linkLocal.contains { $0.contains(address) })
    }
    for text in ["10.0.0.1", "192.168.0.1", "fd00:ec2::253", "fd00:ec2::255", "fc00::1", "fdff::1"]
    {
      let address = try #require(IPAddress(text))
      #expect(privateUse.contains { $0.contains(address) })
    }
    #expect(!linkLocal.contains { $0.contains(.v4(0x0A00_0001)) })
    #expect(try #require(words.read("169.254.0.0/16")).contains { $0.contains(metadata[0]) })
  }
}
