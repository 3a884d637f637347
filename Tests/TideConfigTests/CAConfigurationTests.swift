import Testing

@testable import TideConfig

@Suite struct CAConfigurationTests {
  @Test("Limits, the passphrase's file and a key in a token are read; paths follow the file")
  func read() throws {
    let configuration = try Configuration(
      yaml: """
        ca:
          permit: ["*.MIUI.com", a.example, 192.0.2.7, "2001:db8::/32"]
          passphrase_file: secret/pass
          pkcs11: "pkcs11:token=audit;object=ca?pin-source=file:/etc/pin"
        """,
      path: "/srv/tw/t.yaml"
    )
    #expect(
      configuration.ca.permit == ["*.miui.com", "a.example", "192.0.2.7/32", "2001:db8::/32"]
    )
    #expect(configuration.ca.passphraseFile == "/srv/tw/secret/pass")
    #expect(
      configuration.ca.pkcs11 == "pkcs11:token=audit;object=ca?pin-source=file:/etc/pin"
    )
    #expect(!configuration.ca.isPerCase)
    let perCase = try Configuration(yaml: "ca: { per_case: true }", path: "t.yaml")
    #expect(perCase.ca.isPerCase)
  }

  @Test("By default there is no limit, no passphrase, no token, and one CA for all cases")
  func defaults() throws {
    let ca = Configuration.defaults.ca
    #expect(ca.permit.isEmpty && ca.passphraseFile == nil && ca.pkcs11 == nil && !ca.isPerCase)
    let written = try Configuration(
      yaml: "ca: { permit: [], passphrase_file: null, pkcs11: null, per_case: false }",
      path: "tidewaiter.yaml"
    )
    #expect(written.ca == ca)
  }

  @Test("What would not limit, gives a secret away or contradicts itself is refused with a reason")
  func refused() {
    #expect(
      problems(configuration: "ca: { permit: [\"*\"] }") == [
        "t.yaml:1:16: ca.permit: \"*\" is no limit: leave ca.permit out"
      ]
    )
    let many = (0..<2_500).map { "a\($0).example" }.joined(separator: ", ")
    #expect(
      problems(configuration: "ca: { permit: [\(many)] }") == [
        "t.yaml:1:15: ca.permit: 2500 entries are too many for a certificate: each counts as many bytes "
          + "as it has, at least 36, and together they may have 24576"
      ]
    )
    #expect(
      problems(configuration: "ca: { permit: [\"https://a.example\"] }") == [
        "t.yaml:1:16: ca.permit: \"https://a.example\" is a URL: only its host name is meant here"
      ]
    )
    #expect(
      problems(configuration: "ca: { pkcs11: \"pkcs11:token=a?pin-value=1234\" }").first?
        .hasSuffix(
          "holds the PIN: put it into a file of mode 0600 and name that, by pin-source=file:PATH "
            + "or ca.passphrase_file"
        ) == true
    )
    #expect(
      problems(configuration: "ca: { pkcs11: ca.key }") == [
        "t.yaml:1:15: ca.pkcs11: expected null or a PKCS #11 URI such as "
          + "pkcs11:token=audit;object=ca, found \"ca.key\""
      ]
    )
    #expect(
      problems(configuration: "ca: { per_case: true, pkcs11: \"pkcs11:token=a\" }") == [
        "t.yaml:1:17: ca.per_case: with ca.pkcs11 there is one key for all cases: "
          + "leave out one of the two"
      ]
    )
  }
}
