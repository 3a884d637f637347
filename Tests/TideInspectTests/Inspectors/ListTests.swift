import Testing
import TideCore

@testable import TideInspect

/// What only several values, or a value among its siblings, give away.
@Suite struct ListTests {
  private func lines(_ body: String, _ inspector: String) throws -> [String] {
    try makeContext([], inspectors: [inspector]).findings(body).map(\.line)
  }

  @Test("Three siblings with name and number are an address book")
  func contacts() throws {
    let people = [
      ("Ann Ash", "0951797493"), ("Bo Birch", "02 2345 6789"), ("林怡君", "+886951797400"),
    ]
    let entries = people.map { "{\"name\":\"\($0)\",\"phone\":\"\($1)\"}" }
    let lines = try self.lines("{\"c\":[\(entries.joined(separator: ","))]}", "contact_list")
    #expect(
      lines.map { $0.prefix { $0 != " " } }
        == [
          "contact_name", "contact_phone", "contact_name", "contact_phone", "contact_name",
          "contact_phone",
        ]
    )
    #expect(
      try self.lines("{\"c\":[\(entries.prefix(2).joined(separator: ","))]}", "contact_list")
        .isEmpty
    )
    #expect(
      try self.lines("{\"stores\":[\(entries.joined(separator: ","))]}", "contact_list").isEmpty
    )
    let same = [String](repeating: entries[0], count: 4)
    #expect(try self.lines("{\"c\":[\(same.joined(separator: ","))]}", "contact_list").isEmpty)
  }

  @Test(
    "Three packages that many have are a list of what is installed, in any container",
    arguments: [
      "{\"a\":[\"com.whatsapp\",\"com.spotify.music\",\"org.telegram.messenger\"]}",
      "{\"a\":\"com.whatsapp,com.spotify.music;org.telegram.messenger\"}",
      "{\"p\":\"com.whatsapp\"}\n{\"p\":\"com.spotify.music\"}\n{\"p\":\"org.telegram.messenger\"}\n",
      "{\"apps\":[\"test.some.one\",\"test.other.one\",\"test.third.one\"]}",
      "packages=test.some.one%7Ctest.other.one%7Ctest.third.one&v=2",
    ]
  )
  func apps(body: String) throws {
    let lines = try self.lines(body, "apps")
    #expect(lines.count == 3 && lines.allSatisfy { $0.hasPrefix("app_list likely") }, "\(lines)")
  }

  @Test(
    "Fewer, the same again, or names of classes and hosts are none",
    arguments: [
      "{\"pkg\":\"com.whatsapp\",\"b\":\"com.spotify.music\"}",
      "{\"a\":[\"com.whatsapp\",\"com.whatsapp\",\"com.whatsapp\"]}",
      "{\"t\":[\"com.whatsapp.Main\",\"com.spotify.music.Main\",\"com.tencent.mm.ui\"]}",
      "{\"x\":[\"test.some.one\",\"test.other.one\",\"test.third.one\"]}",
      "{\"apps\":[\"Clock\",\"Mail\",\"Maps\"],\"apps_version\":\"1.2.3\"}", "{\"apps\":3}",
    ]
  )
  func noApps(body: String) throws {
    #expect(try self.lines(body, "apps").isEmpty)
  }

  @Test("A page is a visit under a name that says so; what every app fetches is none")
  func browsing() throws {
    let page = "https://clinic.example/appointments/oncology?slot=17"
    #expect(
      try self.lines("{\"visited\":\"\(page)\"}", "browsing") == [
        "browsing_url likely body $.visited"
      ]
    )
    #expect(try self.lines("{\"history\":[{\"url\":\"\(page)\",\"n\":2}]}", "browsing").count == 1)
    #expect(try self.lines("{\"pageUrl\":\"\(page)\"}", "browsing").count == 1)
    for body in [
      "{\"url\":\"\(page)\"}", "{\"cb\":\"\(page)\"}", "{\"redirect_uri\":\"\(page)\"}",
      "{\"history\":\"https://cdn.example/js/app.4f2a91.js\"}",
      "{\"visited\":\"https://clinic.example/\"}",
      "{\"visited\":\"https://clinic.example\"}", "{\"visited\":\"three\"}",
      "{\"history\":\"https:///x/y.z\"}",
    ] {
      #expect(try self.lines(body, "browsing").isEmpty, "\(body)")
    }
  }

  @Test("A password is possible; what stands for one is none")
  func credentials() throws {
    #expect(
      try self.lines("{\"user\":\"a\",\"password\":\"tide-Pass!2931\"}", "credential")
        == ["credential possible body $.password"]
    )
    for body in [
      "{\"password\":\"********\"}", "{\"password\":\"\"}", "{\"password\":false}",
      "{\"passwd\":\"5f4dcc3b5aa765d61d8327deb882cf99\"}", "{\"csrf\":\"162fa35487895a1e\"}",
      "{\"session\":\"c401e8c23ae94880af18acde\"}", "{\"access_token\":\"tide-Pass!2931\"}",
    ] {
      #expect(try self.lines(body, "credential").isEmpty, "\(body)")
    }
  }

  @Test("Neighbours' addresses are access points', whatever they are called there")
  func neighbours() throws {
    let body =
      "{\"aps\":[{\"mac\":\"18:a0:53:fd:60:65\"},{\"bssid\":\"dc:60:50:28:a8:67\"}],\"mac\":\"1c:94:32:4f:8e:b9\"}"
    #expect(
      try self.lines(body, "mac") == [
        "bssid likely body $.aps[0].mac", "bssid likely body $.aps[1].bssid",
        "wifi_mac likely body $.mac",
      ]
    )
  }

  @Test("Role addresses are nobody's, and a server's text is full of them")
  func mail() throws {
    for local in [
      "support", "info", "noreply", "no-reply", "admin", "privacy", "help", "service", "feedback",
    ] {
      #expect(try self.lines("{\"mail\":\"\(local)@post.test\"}", "email").isEmpty)
    }
    let context = try makeContext([], inspectors: ["email"])
    let response = context.makeBodyInspection(head: request("/"), direction: .response)
    var findings: [Finding] = []
    response?.receive(
      Bytes("{\"text\":\"see an.na@post.test\",\"email\":\"bo@post.test\"}"),
      &findings
    )
    response?.finish(&findings)
    #expect(findings.map(\.line) == ["email likely body $.email"])
  }
}
