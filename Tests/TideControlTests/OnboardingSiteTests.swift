import Testing
import TideCore

@testable import TideControl

/// What the tests of the site ask and how they look at answers.
enum SiteFixture {
  static let authority = AuthorityCertificate(
    der: Bytes(Array(0..<200)),
    fingerprint: Bytes(Array(0xA0..<0xC0))
  )

  static func site(mode: Mode = .record, caseName: String = "2026-11-22-a") -> OnboardingSite {
    OnboardingSite(
      authority: self.authority,
      addresses: [.v4(0xC000_020A), .v4(0xC000_020B)],
      port: 8080,
      mode: mode,
      caseName: caseName
    )
  }

  static func request(
    _ path: String,
    method: String = "GET",
    query: String = "",
    host: String = "192.0.2.10:8080",
    language: String = "",
    userAgent: String = "",
    client: IPAddress = .v4(0xC000_0217),
    route: OnboardingRequest.Route = .direct
  ) -> OnboardingRequest {
    OnboardingRequest(
      method: method,
      path: path,
      query: query,
      host: host,
      acceptLanguage: language,
      userAgent: userAgent,
      client: client,
      route: route
    )
  }
}

extension PageResponse {
  /// The only value of the field called `name`, or nil.
  func field(_ name: String) -> String? {
    let values = self.fields.filter { $0.0 == name }.map(\.1)
    return values.count == 1 ? values[0] : nil
  }
}

@Suite struct OnboardingSiteTests {
  @Test("The checklist follows what the device proves: reached, through the proxy, trusted")
  func checklist() {
    let site = SiteFixture.site()
    let first = site.respond(SiteFixture.request("/")).body.text
    #expect(first.contains("<li id=\"reached\" class=\"yes\">"))
    #expect(first.contains("<li id=\"through_proxy\">"))
    let second = site.respond(
      SiteFixture.request("/", host: "tidewaiter.internal", route: .proxied)
    ).body.text
    #expect(second.contains("<li id=\"through_proxy\" class=\"yes\">"))
    #expect(second.contains("<li id=\"certificate_trusted\">"))
    let probe = site.respond(
      SiteFixture.request("/ok", host: "check.tidewaiter.internal", route: .intercepted)
    )
    #expect(probe.status == 204)
    #expect(probe.body.isEmpty)
    #expect(probe.field("Access-Control-Allow-Origin") == "*")
    let third = site.respond(SiteFixture.request("/")).body.text
    #expect(third.contains("<li id=\"certificate_trusted\" class=\"yes\">"))
  }

  @Test("The status file tells a device of itself and of no other")
  func statusFile() {
    let site = SiteFixture.site()
    _ = site.respond(SiteFixture.request("/ok", client: .v4(0xC000_0299), route: .intercepted))
    site.ledger.noteRejection(by: .v4(0xC000_0217))
    let response = site.respond(SiteFixture.request("/status.json"))
    #expect(response.field("Content-Type") == "application/json")
    #expect(
      response.body.text == """
        {"client":"192.0.2.23","reached":true,"through_proxy":true,"certificate_trusted":false,\
        "certificate_rejected":1}

        """
    )
    #expect(site.respond(SiteFixture.request("/")).body.text.contains("<p id=\"rejected\">"))
  }

  @Test("The automatic configuration names the address by which the device came, and no way around")
  func autoconfiguration() {
    let site = SiteFixture.site()
    func pac(_ host: String, _ route: OnboardingRequest.Route = .direct) -> String {
      let response = site.respond(SiteFixture.request("/proxy.pac", host: host, route: route))
      #expect(response.field("Content-Type") == "application/x-ns-proxy-autoconfig")
      #expect(!response.body.text.contains("DIRECT"))
      return response.body.text
    }
    #expect(pac("192.0.2.11:8080").contains("\"PROXY 192.0.2.11:8080\""))
    #expect(pac("[2001:db8::1]:9000").contains("\"PROXY [2001:db8::1]:9000\""))
    #expect(pac("tidewaiter.internal", .proxied).contains("\"PROXY 192.0.2.10:8080\""))
    #expect(pac("192.0.2.11").contains("\"PROXY 192.0.2.11:8080\""))
    #expect(pac("evil.example:1\"; alert(1)").contains("\"PROXY 192.0.2.10:8080\""))
    #expect(pac("").contains("\"PROXY 192.0.2.10:8080\""))
  }

  @Test("The certificate comes as DER and PEM for download, with types that phones know")
  func certificate() {
    let site = SiteFixture.site()
    let der = site.respond(SiteFixture.request("/ca.crt"))
    #expect(der.field("Content-Type") == "application/x-x509-ca-cert")
    #expect(der.body == SiteFixture.authority.der)
    let pem = site.respond(SiteFixture.request("/ca.pem"))
    #expect(pem.body.text.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
    let profile = site.respond(SiteFixture.request("/tidewaiter.mobileconfig"))
    #expect(profile.field("Content-Type") == "application/x-apple-aspen-config")
    #expect(profile.body == SiteFixture.authority.mobileProfile)
  }

  @Test("The page shows address, port, fingerprint, case and the warning in the language asked for")
  func languages() {
    let site = SiteFixture.site(caseName: "<b>x</b>")
    let english = site.respond(SiteFixture.request("/", language: "en-GB, zh;q=0.5"))
    #expect(english.field("Content-Language") == "en")
    for part in [
      "<html lang=\"en\">", "value=\"192.0.2.10\"", "value=\"8080\"", "A0:A1:A2:A3",
      "written consent", "&lt;b&gt;x&lt;/b&gt;", "href=\"?lang=zh-TW\"",
      "http://192.0.2.10:8080/proxy.pac", "mode record",
    ] {
      #expect(english.body.text.contains(part), "\(part)")
    }
    let chinese = site.respond(SiteFixture.request("/", language: "zh-Hant-TW"))
    #expect(chinese.field("Content-Language") == "zh-TW")
    #expect(chinese.body.text.contains("書面同意"))
    let chosen = site.respond(SiteFixture.request("/", query: "lang=en", language: "zh-TW"))
    #expect(chosen.field("Content-Language") == "en")
  }

  @Test("The steps of the platform that asks are open and come first, the others are folded")
  func platforms() throws {
    let site = SiteFixture.site()
    func opened(_ userAgent: String) -> [String] {
      let text = site.respond(SiteFixture.request("/", userAgent: userAgent)).body.text
      return text.components(between: "<details open><summary>", and: "</summary>")
    }
    #expect(Set(opened("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5)")) == ["iPhone, iPad"])
    #expect(Set(opened("Mozilla/5.0 (Linux; Android 5.1; Redmi)")) == ["Android"])
    #expect(Set(opened("curl/8")) == ["Another device"])
    #expect(opened("").count == 3)
  }

  @Test("A HEAD is answered as a GET is, for whoever sends it to cut; all else is refused")
  func methods() {
    let site = SiteFixture.site()
    let get = site.respond(SiteFixture.request("/ca.pem"))
    let head = site.respond(SiteFixture.request("/ca.pem", method: "HEAD"))
    #expect(head.status == 200)
    #expect(head.body == get.body)
    let post = site.respond(SiteFixture.request("/", method: "POST"))
    #expect(post.status == 405)
    #expect(post.field("Allow") == "GET, HEAD")
    let missing = site.respond(SiteFixture.request("/../etc/passwd"))
    #expect(missing.status == 404)
    #expect(!missing.body.text.contains("passwd"))
  }

  @Test(
    "Framing is left to whoever sends: no response claims a length or says what becomes of a connection"
  )
  func framing() {
    for path in ["/", "/ok", "/ca.crt", "/nothing"] {
      let names = SiteFixture.site().respond(SiteFixture.request(path)).fields.map(\.0)
      #expect(Set(names).isDisjoint(with: ["Content-Length", "Transfer-Encoding", "Connection"]))
      #expect(Set(names).count == names.count)
    }
  }

  @Test("Every response forbids caching and sniffing, and a page runs nothing but its own script")
  func hardening() throws {
    let site = SiteFixture.site()
    for path in [
      "/", "/ok", "/status.json", "/proxy.pac", "/ca.crt", "/ca.pem", "/tidewaiter.mobileconfig",
      "/nothing",
    ] {
      let response = site.respond(SiteFixture.request(path))
      #expect(response.field("Cache-Control") == "no-store", "\(path)")
      #expect(response.field("X-Content-Type-Options") == "nosniff", "\(path)")
    }
    let page = site.respond(SiteFixture.request("/"))
    let policy = try #require(page.field("Content-Security-Policy"))
    let nonce = try #require(policy.components(between: "script-src 'nonce-", and: "'").first)
    #expect(nonce.utf8.count == 32)
    #expect(page.body.text.contains("<script nonce=\"\(nonce)\">"))
    #expect(policy.contains("https://check.tidewaiter.internal"))
    let again = site.respond(SiteFixture.request("/"))
    #expect(again.field("Content-Security-Policy") != policy)
    // Nothing is fetched from elsewhere but by the probes.
    #expect(!page.body.text.contains("src=\"//"))
    #expect(
      page.body.text.components(between: "<link", and: ">") == [" rel=\"icon\" href=\"data:,\""]
    )
  }

  @Test("Every mode says what becomes of the traffic", arguments: Mode.allCases)
  func modes(mode: Mode) {
    let text = SiteFixture.site(mode: mode).respond(SiteFixture.request("/")).body.text
    #expect(text.contains("(mode \(mode.rawValue))"))
  }
}

extension String {
  /// What stands between each `start` and the next `end`.
  func components(between start: String, and end: String) -> [String] {
    self.split(separator: start, omittingEmptySubsequences: false).dropFirst().compactMap { part in
      part.split(separator: end, maxSplits: 1, omittingEmptySubsequences: false).first
        .map(String.init)
    }
  }
}
