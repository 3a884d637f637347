import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Certificates that demand a staple (RFC 7633), at the edges.
@Suite struct MustStapleTests {
  let root: TestIdentity

  init() throws { self.root = try .authority("root") }

  /// A server's certificate with this TLS feature extension.
  private func server(_ features: [UInt8], isCritical: Bool = false) throws -> TestIdentity {
    let demand = CertificateExtension(
      kind: NID_tlsfeature,
      isCritical: isCritical,
      value: features
    )
    return try .server(
      [host("server.example")],
      notAfter: now.advanced(bySeconds: 7 * day),
      extensions: [.serverAuthentication, demand],
      issuer: self.root
    )
  }

  /// Joins a client, which may go on from an earlier session, with a server that staples `staple`.
  private func connect(
    _ clients: TLSClientContext,
    _ tickets: TicketKeys,
    _ identity: TestIdentity,
    staple: [UInt8],
    after seconds: Int64,
    version: UInt16
  ) throws -> SessionPair {
    let servers = try TLSServerContext(tickets: tickets)
    unsafe tide_ssl_ctx_request_status(servers.handle, { _, _ in SSL_TLSEXT_ERR_OK })
    let server = try TLSSession.server(
      servers,
      leaf: identity.leaf(),
      applicationProtocol: nil,
      maximumVersion: version
    )
    // The session frees it.
    let room = unsafe CRYPTO_malloc(staple.count, "", 0)
    unsafe room?.copyMemory(from: staple, byteCount: staple.count)
    unsafe SSL_ctrl(server.handle, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, staple.count, room)
    let attempt = Resumption(
      device: "phone",
      address: try #require(IPAddress("192.0.2.7")),
      port: 443,
      now: now.advanced(bySeconds: seconds)
    )
    let pair = SessionPair(
      client: try .client(
        clients,
        host: host("server.example"),
        applicationProtocols: [],
        resuming: attempt
      ),
      server: server
    ).run()
    try #require(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    try pair.client.send("a request")
    return pair.run()
  }

  @Test(
    "TLS-13: a session ends with the staple that its certificate demands, whoever else vouches",
    arguments: [0x0303, 0x0304]
  )
  func resumed(version: UInt16) throws {
    let demanding = try self.server([0x30, 0x03, 0x02, 0x01, 0x05])
    let other = try self.server([0x30, 0x03, 0x02, 0x01, 0x11])
    for (identity, goesOn) in [(demanding, false), (other, true)] {
      let clients = try TLSClientContext(
        roots: .pem(self.root.pem),
        crls: [TestList().list(issuer: self.root)],
        sessions: UpstreamSessions(capacity: 4)
      )
      let tickets = try TicketKeys()
      let staple = TestStatus(nextUpdate: 600).response(identity, issuer: self.root)
      func connect(after seconds: Int64) throws -> SessionPair {
        try self.connect(
          clients,
          tickets,
          identity,
          staple: staple,
          after: seconds,
          version: version
        )
      }
      let first = try connect(after: 0)
      #expect(first.revocation?.sources == ["crl", "staple"])
      #expect(try connect(after: 300).client.isResumed)
      #expect(try connect(after: 2_400).client.isResumed == goesOn)
    }
  }

  @Test(
    "TLS-13: a TLS feature extension that cannot be read counts as a demand",
    arguments: [0x0303, 0x0304]
  )
  func unreadable(version: UInt16) throws {
    for value: [UInt8] in [[0x05, 0x00], [0x30, 0x02, 0x05, 0x00], [0x30, 0x05, 0x02, 0x01], []] {
      let identity = try self.server(value)
      func pair(_ staple: [UInt8]?) throws -> SessionPair {
        try SessionPair(
          clients: TLSClientContext(roots: .pem(self.root.pem)),
          leaf: identity.leaf(),
          staple: staple,
          maximumVersion: version
        ).run()
      }
      let refused = try pair(nil)
      #expect(!refused.client.isEstablished, "\(value)")
      #expect(
        refused.clientFailure?.verifyError == Int(X509_V_ERR_OCSP_VERIFY_NEEDED),
        "\(value): \(refused.clientFailure?.detail ?? "")"
      )
      #expect(refused.serverFailure?.alert == 113, "\(value)")
      #expect(leftOverError == 0, "\(value)")
      let good = try pair(TestStatus().response(identity, issuer: self.root))
      #expect(good.isEstablished, "\(value): \(good.clientFailure?.detail ?? "")")
      #expect(leftOverError == 0, "\(value)")
    }
  }

  @Test("TLS-13: a certificate with two TLS feature extensions counts as one that demands a staple")
  func twice() throws {
    let other = CertificateExtension(
      kind: NID_tlsfeature,
      isCritical: false,
      value: [0x30, 0x03, 0x02, 0x01, 0x11]
    )
    let identity = try TestIdentity.server(
      [host("server.example")],
      extensions: [.serverAuthentication, other, other],
      issuer: self.root
    )
    #expect(identity.certificate.demandsStaple)
    #expect(leftOverError == 0)
    #expect(try !TestIdentity.server([], issuer: self.root).certificate.demandsStaple)
    #expect(leftOverError == 0)
  }
}
