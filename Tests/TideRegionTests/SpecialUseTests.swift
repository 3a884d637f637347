import Testing
import TideCore

@testable import TideRegion

@Suite struct SpecialUseTests {
  private func name(_ text: String) throws -> String? {
    SpecialUse.name(of: try #require(IPAddress(lenient: text)))
  }

  @Test(
    "Each block of the IANA registries has its name at both of its ends",
    arguments: [
      ("0.0.0.0", "0.255.255.255", "this network"), ("10.0.0.0", "10.255.255.255", "private"),
      ("100.64.0.0", "100.127.255.255", "shared"), ("127.0.0.0", "127.255.255.255", "loopback"),
      ("169.254.0.0", "169.254.255.255", "link-local"), ("172.16.0.0", "172.31.255.255", "private"),
      ("192.0.0.0", "192.0.0.255", "protocol assignments"),
      ("192.0.2.0", "192.0.2.255", "documentation"),
      ("192.88.99.0", "192.88.99.255", "6to4 relay"), ("192.168.0.0", "192.168.255.255", "private"),
      ("198.18.0.0", "198.19.255.255", "benchmarking"),
      ("203.0.113.0", "203.0.113.255", "documentation"),
      ("224.0.0.0", "239.255.255.255", "multicast"), ("240.0.0.0", "255.255.255.254", "reserved"),
      ("fc00::", "fdff:ffff::1", "private"), ("fe80::", "febf::1", "link-local"),
      ("ff00::", "ff0e::1", "multicast"),
      ("100::", "100::ffff", "discard"), ("2001:db8::", "2001:db8:ffff::", "documentation"),
      ("3fff::", "3fff:fff::1", "documentation"), ("5f00::", "5f00:ffff::", "segment routing"),
      ("4000::", "fbff::", "reserved"), ("64:ff9b:1::", "64:ff9b:1:ffff::", "local translation"),
    ]
  )
  func blocks(first: String, last: String, name: String) throws {
    #expect(try self.name(first) == name)
    #expect(try self.name(last) == name)
  }

  @Test("Single addresses stand out of their blocks")
  func singles() throws {
    #expect(try self.name("169.254.169.254") == "metadata")
    #expect(try self.name("100.100.100.200") == "metadata")
    #expect(try self.name("fd00:ec2::254") == "metadata")
    #expect(try self.name("255.255.255.255") == "broadcast")
    #expect(try self.name("::") == "unspecified")
    #expect(try self.name("::1") == "loopback")
  }

  @Test(
    "What is reachable from everywhere has no name, also inside a special block and just outside of one",
    arguments: [
      "8.8.8.8", "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
      "126.255.255.255",
      "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.0.9", "192.0.1.0", "198.20.0.0",
      "223.255.255.255",
      "2000::", "2001:4:112::1", "2001:200::1", "2606:4700::1", "3ffe::", "64:ff9b::808:808",
      "2002:808:808::1",
    ]
  )
  func global(text: String) throws { #expect(try self.name(text) == nil) }

  @Test(
    "An IPv4 address inside an IPv6 one is judged too",
    arguments: [
      ("::ffff:127.0.0.1", "loopback"), ("64:ff9b::7f00:1", "loopback"),
      ("64:ff9b::a00:1", "private"),
      ("2002:a00:1::1", "private"), ("2002:7f00:1::", "loopback"),
      ("64:ff9b::a9fe:a9fe", "metadata"),
      ("2001:0:808:808:0:0:f5ff:fffe", "private"), ("::7f00:1", "reserved"),
    ]
  )
  func embedded(text: String, name: String) throws { #expect(try self.name(text) == name) }

  @Test(
    "Every spelling of the loopback address is seen through",
    arguments: [
      "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
      "017700000001",
      "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "0:0:0:0:0:ffff:7f00:1", "127.000.000.001",
    ]
  )
  func spellings(text: String) throws { #expect(try self.name(text) == "loopback") }
}
