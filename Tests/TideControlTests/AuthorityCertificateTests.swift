import Foundation
import Testing
import TideCore

@testable import TideControl

@Suite struct AuthorityCertificateTests {
  private let authority = SiteFixture.authority

  @Test("The PEM decodes to the DER and has lines of at most 64 columns")
  func pem() throws {
    let lines = self.authority.pem.text.split(separator: "\n")
    #expect(lines.first == "-----BEGIN CERTIFICATE-----")
    #expect(lines.last == "-----END CERTIFICATE-----")
    #expect(lines.dropFirst().dropLast().allSatisfy { $0.count <= 64 })
    let data = try #require(Data(base64Encoded: lines.dropFirst().dropLast().joined()))
    #expect(Bytes(Array(data)) == self.authority.der)
  }

  @Test("The profile is a property list that installs the DER as a root, with stable identifiers")
  func mobileProfile() throws {
    let bytes = Data(self.authority.mobileProfile.array)
    let list = try unsafe PropertyListSerialization.propertyList(from: bytes, format: nil)
    let profile = try #require(list as? [String: Any])
    #expect(profile["PayloadType"] as? String == "Configuration")
    #expect(profile["PayloadUUID"] as? String == "A0A1A2A3-A4A5-86A7-A8A9-AAABACADAEAF")
    let payloads = try #require(profile["PayloadContent"] as? [[String: Any]])
    #expect(payloads.count == 1)
    #expect(payloads[0]["PayloadType"] as? String == "com.apple.security.root")
    #expect(payloads[0]["PayloadContent"] as? Data == Data(self.authority.der.array))
    let other = AuthorityCertificate(der: "x", fingerprint: Bytes(Array(repeating: 7, count: 32)))
    #expect(other.mobileProfile != self.authority.mobileProfile)
    #expect(payloads[0]["PayloadUUID"] as? String != profile["PayloadUUID"] as? String)
  }
}
