import Testing
import TideCore
import TideRegion

@Suite struct HostPatternTests {
  @Test("A pattern matches a name as the vocabulary's own comparison does")
  func agrees() throws {
    let names = [
      "example", "a.example", "b.a.example", "notexample", "x.notexample", "a-b_c.example",
    ]
    for pattern in ["*", "example", "a.example", "*.example", "*.a.example", "*.b.a.example"] {
      let compiled = try #require(HostPattern(pattern))
      for name in try names.map({ try #require(Hostname($0)) }) {
        #expect(compiled.matches(name) == name.matches(pattern: pattern), "\(pattern) \(name)")
        #expect(compiled.matches(.name(name)) == compiled.matches(name))
      }
    }
  }

  @Test("Case, a trailing dot and the spelling of an address do not matter")
  func canonical() throws {
    #expect(HostPattern("*.Vendor.Example.") == .below(".vendor.example"))
    #expect(HostPattern("Vendor.Example.") == HostPattern("vendor.example"))
    #expect(HostPattern("0x7f.1") == .address(.v4(0x7F00_0001)))
    #expect(HostPattern("[::ffff:127.0.0.1]") == .address(.v4(0x7F00_0001)))
  }

  @Test("An address is matched by itself and by *, a name never by an address")
  func addresses() throws {
    let address = Host.address(try #require(IPAddress("::ffff:192.0.2.1")))
    #expect(HostPattern("192.0.2.1")?.matches(address) == true)
    #expect(HostPattern("*")?.matches(address) == true)
    #expect(HostPattern("192.0.2.2")?.matches(address) == false)
    #expect(HostPattern("*.example")?.matches(address) == false)
    #expect(HostPattern("192.0.2.1")?.matches(try #require(Hostname("a.example"))) == false)
  }

  @Test(
    "What is neither a name nor a pattern of names is refused",
    arguments: [
      "", "*.", "a*.example", "*a.example", "*.*.example", "a b", "https://a.example", "-a",
      "10.0.0.0/8", "*.127.0.0.1",
    ]
  )
  func refused(text: String) { #expect(HostPattern(text) == nil) }
}
