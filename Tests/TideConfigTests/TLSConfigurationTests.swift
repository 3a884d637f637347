import TideCore
import Testing

@testable import TideConfig

@Suite struct TLSConfigurationTests {
  private func tls(_ yaml: String) throws -> Configuration.TLS {
    try Configuration(yaml: "tls: \(yaml)", path: "etc/t.yaml").tls
  }

  private func problem(_ yaml: String) -> [String] { problems(configuration: "tls: \(yaml)") }

  @Test("An upstream that does not verify is refused unless the operator says what else")
  func upstreamVerify() throws {
    #expect(Configuration.defaults.tls.upstreamVerify == .strict)
    #expect(try self.tls("{ upstream_verify: mirror }").upstreamVerify == .mirror)
    #expect(try self.tls("{ upstream_verify: off }").upstreamVerify == .off)
    #expect(
      self.problem("{ upstream_verify: none }") == [
        "t.yaml:1:25: tls.upstream_verify: expected strict, mirror or off, found \"none\""
      ]
    )
  }

  @Test("Revocation is looked for in staples and the files named, elsewhere too, or nowhere")
  func revocation() throws {
    #expect(Configuration.defaults.tls.crls.isEmpty)
    let tls = try self.tls("{ revocation: fetch, crls: [a.crl, /etc/b.pem] }")
    #expect(tls.revocation == .fetch)
    #expect(tls.crls == ["etc/a.crl", "/etc/b.pem"])
    #expect(try self.tls("{ crls: a.crl }").crls == ["etc/a.crl"])
  }

  @Test("Lists that nobody would look into are refused, wherever revocation is switched off")
  func idleLists() throws {
    let message =
      "tls.crls: not looked at with revocation: off; leave them out, or set revocation to staple"
    #expect(self.problem("{ crls: [a.crl], revocation: off }") == ["t.yaml:1:14: " + message])
    #expect(self.problem("{ crls: [], revocation: off }").isEmpty)
    var configuration = try Configuration(yaml: "tls: { crls: [a.crl] }", path: "t.yaml")
    #expect(
      problems { () throws(ConfigFailure) in
        try configuration.apply(environment: ["TIDEWAITER_TLS_REVOCATION": "off"])
      } == ["TIDEWAITER_TLS_REVOCATION: " + message]
    )
  }

  @Test("A client certificate names its hosts, its file and its key's file")
  func clientCertificates() throws {
    let tls = try self.tls(
      """

        client_certs:
          - { host: "*.Bank.example", cert: bank.pem, key: /run/bank.key }
          - { host: api.example, cert: both.pem, key: both.pem }
      """
    )
    #expect(
      tls.clientCertificates == [
        .init(host: "*.bank.example", certificate: "etc/bank.pem", key: "/run/bank.key"),
        .init(host: "api.example", certificate: "etc/both.pem", key: "etc/both.pem"),
      ]
    )
  }

  @Test("A client certificate that lacks a part, or has one too many, is refused with its place")
  func clientCertificatesRefused() {
    #expect(
      self.problem("{ client_certs: [{ host: a.example, cert: a.pem }] }") == [
        "t.yaml:1:23: the key \"tls.client_certs.key\" is missing"
      ]
    )
    #expect(
      self.problem("{ client_certs: [{ host: a.example, cert: a, key: b, passwd: c }] }") == [
        "t.yaml:1:59: unknown key \"passwd\" under tls.client_certs"
      ]
    )
    #expect(
      self.problem("{ client_certs: a.pem }") == [
        "t.yaml:1:22: tls.client_certs: expected { host: …, cert: FILE, key: FILE }, found \"a.pem\""
      ]
    )
    #expect(
      self.problem("{ client_certs: [{ host: \"a.example:443\", cert: a, key: b }] }") == [
        "t.yaml:1:31: tls.client_certs.host: \"a.example:443\" has a port: name it under port"
      ]
    )
  }

  @Test("No client certificate is for every server")
  func clientCertificateForAll() {
    #expect(
      self.problem("{ client_certs: [{ host: \"*\", cert: a, key: b }] }") == [
        "t.yaml:1:31: tls.client_certs.host: \"*\" would show the certificate to every server"
      ]
    )
  }

  @Test("The environment overrides what is one value or a list of them")
  func environment() throws {
    var configuration = try Configuration(
      yaml: "tls: { client_certs: [{ host: a.example, cert: a, key: b }] }",
      path: "etc/t.yaml"
    )
    try configuration.apply(environment: [
      "TIDEWAITER_TLS_UPSTREAM_VERIFY": "mirror",
      "TIDEWAITER_TLS_REVOCATION": "fetch",
      "TIDEWAITER_TLS_CRLS": "a.crl, b.crl",
    ])
    #expect(configuration.tls.upstreamVerify == .mirror && configuration.tls.revocation == .fetch)
    #expect(configuration.tls.crls == ["a.crl", "b.crl"])
    #expect(configuration.tls.clientCertificates.count == 1)
    try configuration.apply(environment: ["TIDEWAITER_TLS_CLIENT_CERTS": "[]"])
    #expect(configuration.tls.clientCertificates.isEmpty)
  }
}
