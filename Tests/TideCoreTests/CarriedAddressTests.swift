import Testing
import TideCore

@Suite struct CarriedAddressTests {
  @Test(
    "An IPv6 address carries an IPv4 one in each form that routers and translators know",
    arguments: [
      ("::ffff:203.0.113.7", ["203.0.113.7"]), ("::203.0.113.7", ["203.0.113.7"]),
      ("::ffff:0:203.0.113.7", ["203.0.113.7"]), ("64:ff9b::203.0.113.7", ["203.0.113.7"]),
      ("64:ff9b:1::203.0.113.7", ["203.0.113.7"]),
      ("64:ff9b:1:cb00:71:700::", ["203.0.113.7", "113.7.0.0"]),
      ("64:ff9b:1:5cb:0:7107::", ["5.203.0.113", "203.0.113.7"]),
      ("64:ff9b:1::cb:71:700:0", ["7.0.0.0", "203.0.113.7"]),
      ("2002:cb00:7107::1", ["203.0.113.7"]),
      ("2001:0:c633:6401::34ff:8ef8", ["203.0.113.7", "198.51.100.1"]),
      ("2001:db8::5efe:203.0.113.7", ["203.0.113.7"]),
      ("2001:db8::200:5efe:cb00:7107", ["203.0.113.7"]),
      ("fe80::5efe:203.0.113.7", ["203.0.113.7"]),
      ("2002:c633:6401::5efe:203.0.113.7", ["198.51.100.1", "203.0.113.7"]),
    ]
  )
  func forms(text: String, carried: [String]) throws {
    let address = try #require(IPAddress(text))
    let found = Set(address.carriedV4.map(\.description))
    #expect(found.isSuperset(of: carried), "\(text) carries \(found)")
  }

  @Test(
    "Other addresses carry none",
    arguments: [
      "203.0.113.7", "::", "::1", "2001:db8::cb00:7107", "2003:cb00:7107::1", "64:ff9c::1",
    ]
  )
  func others(text: String) throws {
    #expect(try #require(IPAddress(text)).carriedV4.isEmpty)
  }

  @Test(
    "A name whose last label is a number is none: some would take it for an address",
    arguments: [
      "1.2.3.4.5", "256.256.256.256", "a.example.127", "08", "a.0x7f", "a.0x", "1.2.3.08.",
    ]
  )
  func numbers(text: String) {
    #expect(Hostname(text) == nil)
    #expect(!(Host(text)?.isName ?? false))
  }

  @Test(
    "A number elsewhere is no obstacle",
    arguments: ["127.example", "0x7f.example", "a.x127", "4.a"]
  )
  func names(text: String) {
    #expect(Hostname(text)?.text == text)
  }
}

@Suite struct ResolutionTests {
  @Test("Addresses are kept once each, IPv4-mapped ones as IPv4")
  func addresses() throws {
    let texts = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "192.0.2.1"]
    let resolution = Resolution(
      addresses: try texts.map { try #require(IPAddress($0)) },
      source: "test"
    )
    #expect(resolution.addresses.map(\.description) == ["192.0.2.1", "2001:db8::1"])
  }

  @Test(
    "A name server is an address with a port, 53 if none is written",
    arguments: [
      ("192.0.2.53", "192.0.2.53:53"), ("192.0.2.53:5353", "192.0.2.53:5353"),
      ("2001:db8::53", "[2001:db8::53]:53"), ("[2001:db8::53]:54", "[2001:db8::53]:54"),
    ]
  )
  func nameServer(text: String, shown: String) {
    #expect(NameServer(text)?.description == shown)
  }

  @Test(
    "Anything else is no name server",
    arguments: [
      "", "dns.example", "0.0.0.0", "[::]:53", "192.0.2.1:0", "192.0.2.1:", "0x7f.1:53", "1:53",
    ]
  )
  func noServer(text: String) {
    #expect(NameServer(text) == nil)
  }
}
