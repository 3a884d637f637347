import COpenSSL
@testable import TLSSupport
import TideCore
@testable import TideTLS

/// Authorities, certificates and contexts, all of them fresh.
struct Laboratory {
  static let name = "server.example"

  let good: Leaf
  let expired: Leaf
  let elsewhere: Leaf
  /// Signed by an authority that nobody trusts.
  let foreign: Leaf
  let minter: LeafMinter

  /// Our own side towards upstreams.
  let upstream: TLSClientContext
  /// The same, where the operator has it go on whatever is wrong.
  let recording: TLSClientContext
  /// A device that trusts our CA.
  let device: TLSClientContext
  /// A device that prefers a group that we do not have, so that it is asked again.
  let otherGroups: TLSClientContext
  /// Our own side towards devices.
  let downstream: TLSServerContext
  /// The same, with tickets and a key log.
  let ticketing: TLSServerContext
  /// An upstream that asks for a client certificate.
  let asking: TLSServerContext
  /// Our own side, with a certificate for whoever asks, and sessions to go on from.
  let identified: TLSClientContext

  /// A server whose certificate says where to ask about it.
  let asked: Leaf
  /// Our own side, where revocation is to be fetched.
  let fetching: TLSClientContext
  /// Our own side, with a list that has `good` revoked.
  let listing: TLSClientContext
  /// An upstream that staples what its session has.
  let stapling: TLSServerContext
  /// Answers about `good` and `asked`, in DER.
  let vouching: [UInt8]
  let revoking: [UInt8]

  init() throws {
    let root = try TestIdentity.authority("root")
    let stranger = try TestIdentity.authority("stranger")
    let name = host(Self.name)
    let good = try TestIdentity.server([name], issuer: root)
    self.good = good.leaf()
    let asked = try TestIdentity.server(
      [name],
      extensions: [.serverAuthentication, Self.responder("http://ocsp.example/")],
      issuer: root
    )
    self.asked = asked.leaf()
    self.vouching = TestStatus().response(good, asked, issuer: root)
    self.revoking = TestStatus(status: V_OCSP_CERTSTATUS_REVOKED)
      .response(good, asked, issuer: root)
    self.expired = try TestIdentity.server(
      [name],
      notBefore: now.advanced(bySeconds: -2 * day),
      notAfter: now.advanced(bySeconds: -day),
      issuer: root
    ).leaf()
    self.elsewhere = try TestIdentity.server([host("elsewhere.example")], issuer: root).leaf()
    self.foreign = try TestIdentity.server([name], issuer: stranger).leaf()
    let authority = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 100 * day,
      at: now
    )
    self.minter = try LeafMinter(authority: authority, capacity: 4)
    self.upstream = try TLSClientContext(
      roots: .pem(root.pem),
      refusing: [authority.certificateDER]
    )
    self.recording = try TLSClientContext(roots: .pem(root.pem), mode: .record)
    self.device = try TLSClientContext(roots: .pem(authority.certificatePEM))
    self.otherGroups = try TLSClientContext(roots: .pem(authority.certificatePEM))
    unsafe try require(
      tide_ssl_ctx_set_groups(self.otherGroups.handle, "P-521:X25519") == 1,
      "no groups"
    )
    self.downstream = try TLSServerContext()
    self.ticketing = try TLSServerContext(tickets: TicketKeys(), keepsSecrets: true)
    let own = try TestIdentity.server([], name: "device", extensions: [], issuer: root)
    let identity = try ClientIdentity(
      host: "*.example",
      certificatePEM: own.pem,
      keyPEM: own.key.pem()
    )
    self.identified = try TLSClientContext(
      roots: .pem(root.pem),
      identities: [identity],
      sessions: UpstreamSessions(capacity: 8)
    )
    self.fetching = try TLSClientContext(roots: .pem(root.pem), revocation: .fetch)
    self.listing = try TLSClientContext(
      roots: .pem(root.pem),
      crls: [TestList().pem(good, issuer: root)]
    )
    self.stapling = try TLSServerContext()
    unsafe tide_ssl_ctx_request_status(self.stapling.handle, { _, _ in SSL_TLSEXT_ERR_OK })
    self.asking = try TLSServerContext(tickets: TicketKeys())
    unsafe SSL_CTX_set_verify(self.asking.handle, SSL_VERIFY_PEER, { _, _ in 1 })
  }

  /// Joins a client with a server that shows `leaf`.
  func line(
    _ client: TLSClientContext,
    _ leaf: Leaf,
    by server: TLSServerContext? = nil,
    host name: Host = host(Laboratory.name),
    offering offer: [String] = ["h2", "http/1.1"],
    selecting selected: String? = "h2",
    maximumVersion: UInt16? = nil,
    resuming: Resumption? = nil,
    staple: [UInt8]? = nil
  ) throws -> Line {
    let client = try TLSSession.client(
      client,
      host: name,
      applicationProtocols: offer,
      resuming: resuming
    )
    let server = try TLSSession.server(
      server ?? self.downstream,
      leaf: leaf,
      applicationProtocol: selected,
      maximumVersion: maximumVersion
    )
    if let staple {
      // The session frees it.
      let room = unsafe CRYPTO_malloc(staple.count, "", 0)
      unsafe room?.copyMemory(from: staple, byteCount: staple.count)
      unsafe SSL_ctrl(
        server.handle,
        SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP,
        staple.count,
        room
      )
    }
    return Line(client: client, server: server)
  }

  /// The authorityInfoAccess that names an OCSP responder (RFC 5280 §4.2.2.1).
  private static func responder(_ url: String) -> CertificateExtension {
    let method: [UInt8] = [6, 8, 0x2B, 6, 1, 5, 5, 7, 0x30, 1]
    let place = CertificateExtension.element(0x86, Array(url.utf8))
    let access = CertificateExtension.element(0x30, method + place)
    return CertificateExtension(
      kind: NID_info_access,
      isCritical: false,
      value: CertificateExtension.element(0x30, access)
    )
  }
}
