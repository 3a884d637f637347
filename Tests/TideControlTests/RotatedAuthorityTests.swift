import Foundation
import Testing
import TideCore

@testable import TideControl

@Suite struct RotatedAuthorityTests {
  private let old = AuthorityCertificate(
    der: Bytes(Array(repeating: 7, count: 90)),
    fingerprint: Bytes(Array(0x10..<0x30))
  )

  private func site() -> OnboardingSite {
    OnboardingSite(
      authority: SiteFixture.authority,
      previous: self.old,
      addresses: [.v4(0xC000_020A)],
      port: 8080,
      mode: .record,
      caseName: "case"
    )
  }

  @Test(
    "During a rotation /ca.pem holds both certificates, the new one first, and /ca.crt the new one"
  )
  func files() {
    let new = SiteFixture.authority
    let site = self.site()
    #expect(
      site.respond(SiteFixture.request("/ca.pem")).body.array == new.pem.array + self.old.pem.array
    )
    #expect(site.respond(SiteFixture.request("/ca.crt")).body == new.der)
    #expect(SiteFixture.site().respond(SiteFixture.request("/ca.pem")).body == new.pem)
  }

  @Test("The profile installs both, each under identifiers of its own, and has the new one's name")
  func profile() throws {
    let body = self.site().respond(SiteFixture.request("/tidewaiter.mobileconfig")).body
    let list = try unsafe PropertyListSerialization.propertyList(
      from: Data(body.array),
      format: nil
    )
    let profile = try #require(list as? [String: Any])
    let payloads = try #require(profile["PayloadContent"] as? [[String: Any]])
    #expect(
      payloads.map { $0["PayloadContent"] as? Data } == [
        Data(SiteFixture.authority.der.array), Data(self.old.der.array),
      ]
    )
    #expect(Set(payloads.map { $0["PayloadUUID"] as? String }).count == 2)
    #expect(profile["PayloadDisplayName"] as? String == "Tidewaiter CA A0A1A2A3")
    #expect(AuthorityCertificate.mobileProfile(of: []).isEmpty)
  }
}
