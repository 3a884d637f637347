import Testing
import TideCore

@testable import TideControl

@Suite struct LocalAddressesTests {
  @Test("The list has this machine's loopback address, and no address twice")
  func list() {
    let list = LocalAddresses.list()
    #expect(list.contains(.v4(0x7F00_0001)))
    #expect(Set(list).count == list.count)
  }

  @Test("A private network's address comes before a public one, a container bridge and a tunnel")
  func ranking() throws {
    func interface(
      _ name: String,
      _ address: String,
      isPointToPoint: Bool = false
    ) throws -> LocalAddresses.Interface {
      LocalAddresses.Interface(
        name: name,
        address: try #require(IPAddress(address)),
        isPointToPoint: isPointToPoint
      )
    }
    let ranked = LocalAddresses.ranked([
      try interface("lo", "127.0.0.1"), try interface("lo", "::1"),
      try interface("docker0", "172.17.0.1"),
      try interface("ppp0", "10.9.0.2", isPointToPoint: true),
      try interface("eth0", "fe80::1"), try interface("eth0", "2001:db8::5"),
      try interface("eth1", "198.51.100.9"), try interface("eth0", "169.254.3.4"),
      try interface("wlan0", "fd00::7"), try interface("wlan0", "192.168.1.10"),
      try interface("eth2", "192.168.1.10"),
    ])
    #expect(
      ranked.map(\.description) == [
        "192.168.1.10", "198.51.100.9", "fd00::7", "2001:db8::5", "172.17.0.1", "10.9.0.2",
      ]
    )
  }
}
