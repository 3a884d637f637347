import Testing
import TideConfig
import TideCore

@Suite struct ResolverConfigurationTests {
  private func servers(_ text: String) throws -> [String] {
    try Configuration(yaml: "upstream: { resolver: \(text) }", path: "t.yaml")
      .upstream.nameServers.map(\.description)
  }

  @Test(
    "The system's resolver is the default; servers are addresses, whose port is 53 if none is written"
  )
  func forms() throws {
    #expect(try Configuration(yaml: "", path: "t.yaml").upstream.nameServers.isEmpty)
    #expect(try self.servers("system").isEmpty)
    #expect(try self.servers("9.9.9.9:53") == ["9.9.9.9:53"])
    #expect(
      try self.servers("[\"192.0.2.1:5353\", 192.0.2.2, \"[2001:db8::1]:53\", \"2001:db8::2\"]")
        == ["192.0.2.1:5353", "192.0.2.2:53", "[2001:db8::1]:53", "[2001:db8::2]:53"]
    )
  }

  @Test("The environment names servers with commas between them")
  func environment() throws {
    var configuration = try Configuration(yaml: "", path: "t.yaml")
    try configuration.apply(
      environment: ["TIDEWAITER_UPSTREAM_RESOLVER": "192.0.2.1:53,192.0.2.2:53"]
    )
    #expect(configuration.upstream.nameServers.count == 2)
    try configuration.apply(environment: ["TIDEWAITER_UPSTREAM_RESOLVER": "system"])
    #expect(configuration.upstream.nameServers.isEmpty)
  }

  @Test(
    "What is no server is refused where it stands, with what to write",
    arguments: [
      ("[]", 23, "the list is empty; expected system, or ADDRESS:PORT"),
      ("\"dns.example:53\"", 23, "is a name, which would have to be looked up itself"),
      ("\"https://dns.example/q\"", 23, "is a URL: DNS over TLS or HTTPS is not spoken"),
      ("\"0.0.0.0:53\"", 23, "is no server's address"),
      ("\"192.0.2.1:0\"", 23, "expected system, or ADDRESS:PORT"),
      ("\"0x7f.1:53\"", 23, "expected system, or ADDRESS:PORT"),
      ("sytsem", 23, "is a name"),
      ("[system, 192.0.2.1]", 24, "stands alone"),
      ("[192.0.2.1, \"192.0.2.1:53\"]", 35, "192.0.2.1:53 is written twice"),
      ("{ a: b }", 23, "expected system"), ("null", 23, "expected system"),
    ]
  )
  func refused(text: String, column: Int, words: String) {
    let found = problems(configuration: "upstream: { resolver: \(text) }")
    #expect(found.count == 1 && found[0].hasPrefix("t.yaml:1:\(column): upstream.resolver: "))
    #expect(found.first?.contains(words) == true, "\(found)")
  }

  @Test("Eight servers are enough")
  func many() {
    let list = (1...9).map { "192.0.2.\($0)" }.joined(separator: ", ")
    #expect(
      problems(configuration: "upstream: { resolver: [\(list)] }").first?.contains(
        "more than 8 servers"
      ) == true
    )
  }
}
