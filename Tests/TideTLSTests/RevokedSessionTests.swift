import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// What one connection learns of a revocation counts for the sessions of all.
@Suite struct RevokedSessionTests {
  let root: TestIdentity
  let upper: TestIdentity
  let leaf: TestIdentity
  let servers: TLSServerContext
  let sessions = UpstreamSessions(capacity: 16)

  init() throws {
    self.root = try .authority("root")
    self.upper = try .authority(
      "upper",
      notAfter: now.advanced(bySeconds: 7 * day),
      issuer: self.root,
      extensions: [.responders("http://ocsp.example")]
    )
    self.leaf = try Self.server("server.example", issuer: self.upper)
    self.servers = try TLSServerContext(tickets: TicketKeys())
    unsafe tide_ssl_ctx_request_status(self.servers.handle, { _, _ in SSL_TLSEXT_ERR_OK })
  }

  private static func server(_ name: String, issuer: TestIdentity) throws -> TestIdentity {
    try .server(
      [host(name)],
      notAfter: now.advanced(bySeconds: 7 * day),
      extensions: [.serverAuthentication, .responders("http://ocsp.example")],
      issuer: issuer
    )
  }

  private static var revoked: TestStatus { TestStatus(status: V_OCSP_CERTSTATUS_REVOKED) }

  private func clients(
    _ mode: VerificationMode = .refuse,
    _ revocation: RevocationChecking = .staple
  ) throws -> TLSClientContext {
    try TLSClientContext(
      roots: .pem(self.root.pem),
      mode: mode,
      revocation: revocation,
      sessions: self.sessions
    )
  }

  /// Connects a device, lets `judge` see what there is to ask, and lets a request go.
  @discardableResult
  private func connect(
    _ clients: TLSClientContext,
    device: String = "phone",
    name: String = "server.example",
    leaf: TestIdentity? = nil,
    staple: TestStatus? = nil,
    version: UInt16 = 0x0304,
    judge: (TLSSession) -> Void = { _ in }
  ) throws -> SessionPair {
    let shown = leaf ?? self.leaf
    let pair = SessionPair(
      client: try .client(
        clients,
        host: host(name),
        applicationProtocols: [],
        resuming: Resumption(device: device, address: .v4(0xC000_0207), port: 443, now: now)
      ),
      server: try .server(
        self.servers,
        leaf: shown.leaf(chain: [self.upper]),
        applicationProtocol: nil,
        maximumVersion: version
      )
    )
    if let staple { pair.staple(staple.response(shown, issuer: self.upper)) }
    pair.run()
    guard pair.isEstablished else { return pair }
    judge(pair.client)
    try pair.client.send("a request")
    return pair.run()
  }

  /// Answers a session's question about a certificate of its path that it is revoked.
  private func revoke(_ session: TLSSession, depth: Int = 0) {
    let (identity, issuer) = depth == 0 ? (self.leaf, self.upper) : (self.upper, self.root)
    let answer = Bytes(Self.revoked.response(identity, issuer: issuer))
    guard let query = session.revocationQueries.first(where: { $0.depth == depth }),
      case .revoked = session.judge(answer, to: query, at: now)
    else {
      Issue.record("nothing was asked, or the answer not understood")
      return
    }
  }

  @Test(
    "What one device's upstream staples ends the sessions of every other",
    arguments: [VerificationMode.refuse, .record],
    [0x0303, 0x0304]
  )
  func stapled(mode: VerificationMode, version: UInt16) throws {
    let clients = try self.clients(mode)
    try self.connect(clients, staple: TestStatus(), version: version)
    #expect(self.sessions.count == 1)
    let tablet = try self.connect(
      clients,
      device: "tablet",
      staple: Self.revoked,
      version: version
    )
    #expect(tablet.client.facts.peer?.revocation?.status == .revoked)
    #expect(self.sessions.count == 0)
    let phone = try self.connect(clients, staple: Self.revoked, version: version)
    #expect(!phone.client.isResumed && phone.client.isEstablished == (mode == .record))
  }

  @Test("So does what a list says of a certificate, to whichever context")
  func listed() throws {
    try self.connect(self.clients())
    #expect(self.sessions.count == 1)
    let listing = try TLSClientContext(
      roots: .pem(self.root.pem),
      crls: [TestList().list(self.leaf, issuer: self.upper)],
      sessions: self.sessions
    )
    let pair = try self.connect(listing)
    #expect(pair.clientFailure?.verifyError == Int(X509_V_ERR_CERT_REVOKED))
    #expect(self.sessions.count == 0)
  }

  @Test(
    "So does an answer that was fetched, of the leaf or of a CA above it",
    arguments: [0, 1]
  )
  func fetched(depth: Int) throws {
    let clients = try self.clients(.refuse, .fetch)
    let sibling = try Self.server("sibling.example", issuer: self.upper)
    let stranger = try Self.server("other.example", issuer: self.root)
    try self.connect(clients)
    try self.connect(clients, name: "sibling.example", leaf: sibling)
    try self.connect(clients, name: "other.example", leaf: stranger)
    #expect(self.sessions.count == 3)
    try self.connect(clients, device: "tablet") { self.revoke($0, depth: depth) }
    #expect(self.sessions.count == (depth == 0 ? 2 : 1), "others' sessions stay")
    #expect(try !self.connect(clients).client.isResumed)
    #expect(try self.connect(clients, name: "other.example", leaf: stranger).client.isResumed)
  }

  @Test("Nor is a session with such a certificate kept again, whoever forgets to ask")
  func notKeptAgain() throws {
    let clients = try self.clients(.record, .fetch)
    try self.connect(clients) { self.revoke($0) }
    try self.connect(clients)
    #expect(self.sessions.count == 0)
  }

  @Test(
    "A session that went on and is found to be revoked is forgotten, and hands nothing on",
    arguments: [VerificationMode.refuse, .record],
    [0x0303, 0x0304]
  )
  func resumed(mode: VerificationMode, version: UInt16) throws {
    let clients = try self.clients(mode, .fetch)
    try self.connect(clients, version: version)
    let second = try self.connect(clients, version: version) { self.revoke($0) }
    #expect(second.client.isResumed)
    #expect(self.sessions.count == 0)
    #expect(try !self.connect(clients, version: version).client.isResumed)
  }

  @Test("Which certificates are revoked is remembered of the last thousand")
  func bounded() {
    var revoked = RevokedCertificates()
    let digests = (0...RevokedCertificates.capacity).map { Array("\($0)".utf8) }
    for digest in digests + digests.suffix(1) { revoked.insert(digest) }
    #expect(!revoked.contains(anyOf: [digests[0]]))
    #expect(digests.dropFirst().allSatisfy { revoked.contains(anyOf: [[], $0]) })
  }

  @Test("A stranger's word about a certificate ends nobody's session")
  func forged() throws {
    let clients = try self.clients(.record)
    try self.connect(clients, staple: TestStatus())
    let impostor = try TestIdentity.authority("upper", key: .generate(.p256))
    var forged = Self.revoked
    forged.signer = impostor
    let pair = try self.connect(clients, device: "tablet", staple: forged)
    #expect(pair.client.facts.peer?.isTrusted == false)
    #expect(self.sessions.count == 1)
  }
}

extension SessionPair {
  /// Has the server staple an answer.
  fileprivate func staple(_ answer: [UInt8]) {
    // The session frees it.
    let room = unsafe CRYPTO_malloc(max(1, answer.count), "", 0)
    unsafe room?.copyMemory(from: answer, byteCount: answer.count)
    unsafe SSL_ctrl(
      self.server.handle,
      SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP,
      answer.count,
      room
    )
  }
}
