import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct ClientIdentityTests {
  let root: TestIdentity
  let leaf: Leaf
  let device: TestIdentity

  init() throws {
    self.root = try .authority("root")
    self.leaf = try TestIdentity.server([host("server.example")], issuer: self.root).leaf()
    self.device = try TestIdentity.server([], name: "device", extensions: [], issuer: self.root)
  }

  private func identity(
    _ host: String,
    _ identity: TestIdentity? = nil,
    key: PrivateKey? = nil
  ) throws -> ClientIdentity {
    let shown = identity ?? self.device
    return try ClientIdentity(
      host: host,
      certificatePEM: shown.pem,
      keyPEM: (key ?? shown.key).pem()
    )
  }

  private func meeting(
    _ identities: [ClientIdentity],
    sessions: UpstreamSessions? = nil
  ) throws -> Meeting {
    Meeting(
      clients: try TLSClientContext(
        roots: .pem(self.root.pem),
        identities: identities,
        sessions: sessions
      ),
      servers: try TLSServerContext(tickets: sessions == nil ? nil : TicketKeys())
    )
  }

  private static let insists = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT

  @Test(
    "An upstream that asks gets the certificate for its host, with its issuers",
    arguments: [0x0303, 0x0304]
  )
  func shown(version: UInt16) throws {
    let issuer = try TestIdentity.authority("device issuer", issuer: self.root)
    let device = try TestIdentity.server([], name: "d", extensions: [], issuer: issuer)
    let identity = try ClientIdentity(
      host: "server.example",
      certificatePEM: device.pem + issuer.pem,
      keyPEM: device.key.pem()
    )
    let other = try self.identity("other.example")
    let pair = try self.meeting([other, identity]).connect(
      to: self.leaf,
      resuming: nil,
      version: version,
      asking: Self.insists
    )
    #expect(pair.isEstablished)
    #expect(pair.client.wantsClientCertificate && pair.client.gotClientCertificate)
    #expect(pair.client.facts.peer?.wantsClientCertificate == true)
    #expect(pair.client.facts.peer?.gotClientCertificate == true)
    let chain = unsafe X509Certificate.list(SSL_get_peer_cert_chain(pair.server.handle))
    #expect(chain.map(\.der).contains(issuer.certificate.der))
    let certificate = try unsafe #require(SSL_get0_peer_certificate(pair.server.handle))
    unsafe #expect(X509Certificate.der(of: certificate) == device.certificate.der)
    #expect(leftOverError == 0)
  }

  @Test("One that does not ask is told nothing; one that asks in vain may go on")
  func notForced() throws {
    let meeting = try self.meeting([self.identity("server.example")])
    let silent = try meeting.connect(to: self.leaf, resuming: nil)
    #expect(silent.isEstablished)
    #expect(!silent.client.wantsClientCertificate && !silent.client.gotClientCertificate)
    let stranger = try self.meeting([self.identity("other.example")])
    for version: UInt16 in [0x0303, 0x0304] {
      let vain = try stranger.connect(
        to: self.leaf,
        resuming: nil,
        version: version,
        asking: SSL_VERIFY_PEER
      )
      #expect(vain.isEstablished)
      #expect(vain.client.wantsClientCertificate && !vain.client.gotClientCertificate)
    }
  }

  @Test(
    "TLS-30: one that demands it without there being one says so in the failure",
    arguments: [0x0303, 0x0304]
  )
  func demanded(version: UInt16) throws {
    let pair = try self.meeting([]).connect(
      to: self.leaf,
      resuming: nil,
      version: version,
      asking: Self.insists
    )
    let failure = try #require(pair.clientFailure)
    #expect(failure.code == .alert)
    #expect(failure.alert == (version == 0x0303 ? 40 : 116))
    #expect(
      failure.detail.hasSuffix("it demands a client certificate, and none is configured for it")
    )
    #expect(leftOverError == 0)
  }

  @Test("A key that the upstream does not take is not called shown")
  func unfitKey() throws {
    let key = try PrivateKey.generate("ED25519", bits: 0)
    let device = try TestIdentity.server([], name: "d", key: key, extensions: [], issuer: self.root)
    let meeting = try self.meeting([self.identity("server.example", device)])
    unsafe #expect(
      tide_ssl_ctx_set_signature_algorithms(meeting.servers.handle, "ECDSA+SHA256") == 1
    )
    let pair = try meeting.connect(to: self.leaf, resuming: nil, asking: Self.insists)
    #expect(pair.client.wantsClientCertificate && !pair.client.gotClientCertificate)
    #expect(pair.clientFailure?.detail.contains("a key that it does not take") == true)
  }

  @Test(
    "An upstream that is not verified gets no certificate of ours, though the operator goes on",
    arguments: [0x0303, 0x0304]
  )
  func withheld(version: UInt16) throws {
    let impostor = try TestIdentity.server(
      [host("server.example")],
      issuer: .authority("stranger")
    ).leaf()
    let meeting = Meeting(
      clients: try TLSClientContext(
        roots: .pem(self.root.pem),
        mode: .record,
        identities: [self.identity("server.example")]
      ),
      servers: try TLSServerContext()
    )
    let pair = try meeting.connect(
      to: impostor,
      resuming: nil,
      version: version,
      asking: SSL_VERIFY_PEER
    )
    #expect(pair.isEstablished)
    unsafe #expect(SSL_get0_peer_certificate(pair.server.handle) == nil)
    #expect(pair.client.wantsClientCertificate && !pair.client.gotClientCertificate)
    #expect(pair.client.facts.peer?.gotClientCertificate == false)
    let demanded = try meeting.connect(
      to: impostor,
      resuming: nil,
      version: version,
      asking: Self.insists
    )
    #expect(demanded.clientFailure?.detail.contains("an upstream that is not verified") == true)
    #expect(leftOverError == 0)
  }

  @Test(
    "Nor does one whose staple says that it is revoked",
    arguments: [0x0303, 0x0304]
  )
  func withheldFromRevoked(version: UInt16) throws {
    let server = try TestIdentity.server([host("server.example")], issuer: self.root)
    for status in [V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED] {
      let pair = try SessionPair(
        clients: TLSClientContext(
          roots: .pem(self.root.pem),
          mode: .record,
          identities: [self.identity("server.example")]
        ),
        leaf: server.leaf(),
        staple: TestStatus(status: status).response(server, issuer: self.root),
        maximumVersion: version
      )
      unsafe SSL_set_verify(pair.server.handle, SSL_VERIFY_PEER) { _, _ in 1 }
      pair.run()
      #expect(pair.isEstablished && pair.client.wantsClientCertificate)
      let isShown = status == V_OCSP_CERTSTATUS_GOOD
      #expect(pair.client.gotClientCertificate == isShown)
      unsafe #expect((SSL_get0_peer_certificate(pair.server.handle) != nil) == isShown)
    }
  }

  @Test("A certificate that is too weak for TLS is refused when it is read")
  func weak() throws {
    let device = try TestIdentity.server(
      [],
      name: "d",
      key: .generate("RSA", bits: 1_024),
      extensions: [],
      issuer: self.root
    )
    let failure = #expect(throws: TLSFailure.self) { try self.identity("server.example", device) }
    #expect(failure?.code == .certificate)
    #expect(failure?.detail.contains("key too small") == true)
    #expect(leftOverError == 0)
  }

  @Test(
    "One that libssl does not take is not shown, and an upstream that only asks goes on",
    arguments: [0x0303, 0x0304]
  )
  func notTaken(version: UInt16) throws {
    let device = try TestIdentity.server(
      [],
      name: "d",
      key: .generate("RSA", bits: 2_048),
      extensions: [],
      issuer: self.root
    )
    let meeting = try self.meeting([self.identity("server.example", device)])
    unsafe SSL_CTX_set_security_level(meeting.clients.handle, 3)
    let pair = try meeting.connect(
      to: self.leaf,
      resuming: nil,
      version: version,
      asking: SSL_VERIFY_PEER
    )
    #expect(pair.isEstablished)
    #expect(pair.client.wantsClientCertificate && !pair.client.gotClientCertificate)
    unsafe #expect(SSL_get0_peer_certificate(pair.server.handle) == nil)
    #expect(leftOverError == 0)
  }

  @Test("A resumed session still says that a certificate was asked for and given")
  func resumed() throws {
    let sessions = UpstreamSessions(capacity: 4)
    let meeting = try self.meeting([self.identity("server.example")], sessions: sessions)
    let attempt = Resumption(device: "phone", address: .v4(0xC000_0207), port: 443, now: now)
    for isResumed in [false, true] {
      let pair = try meeting.connect(to: self.leaf, resuming: attempt, asking: Self.insists)
      #expect(pair.isEstablished && pair.client.isResumed == isResumed)
      #expect(pair.client.wantsClientCertificate && pair.client.gotClientCertificate)
    }
    let other = try TLSClientContext(roots: .pem(self.root.pem), sessions: sessions)
    #expect(other.settings != meeting.clients.settings, "who we are is part of a session")
  }

  @Test(
    "A host is a name, a name and all below it, or an address",
    arguments: [
      ("server.example", ["server.example"], ["a.server.example", "example"]),
      ("SERVER.example", ["server.example"], []),
      ("*.example", ["server.example", "a.b.example"], ["example", "example.org"]),
      ("192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]),
      ("2001:DB8::7", ["2001:db8:0::7"], ["2001:db8::8"]),
    ]
  )
  func hosts(pattern: String, good: [String], bad: [String]) throws {
    let identity = try self.identity(pattern)
    for name in good { #expect(identity.isFor(host(name)), "\(name)") }
    for name in bad { #expect(!identity.isFor(host(name)), "\(name)") }
  }

  @Test(
    "What is no host, or every host, is refused",
    arguments: ["", "*", "*.", "*.192.0.2.7", "a b"]
  )
  func badHosts(pattern: String) throws {
    let failure = #expect(throws: TLSFailure.self) { try self.identity(pattern) }
    #expect(failure?.code == .certificate)
  }

  @Test("A key of another certificate, and what cannot be read, are refused in clear words")
  func unusable() throws {
    let mismatch = #expect(throws: TLSFailure.self) {
      try self.identity("server.example", key: .generate(.p256))
    }
    #expect(mismatch?.code == .certificate)
    #expect(mismatch?.detail.hasPrefix("the private key is not the certificate's") == true)
    let pem = self.device.pem
    let key = try self.device.key.pem()
    for (certificate, key): ([UInt8], [UInt8]) in [(key, key), (pem, pem), ([], key), (pem, [])] {
      let failure = #expect(throws: TLSFailure.self) {
        try ClientIdentity(host: "server.example", certificatePEM: certificate, keyPEM: key)
      }
      #expect(failure?.code == .certificate)
    }
    #expect(leftOverError == 0)
  }
}
