import COpenSSL
import TideCore
import TideCrypto

/// A session that an upstream may be asked to go on from, and why that is as good as verifying it.
struct KeptSession: Sendable {
  /// What a full handshake proved, for itself and for all that go on from it.
  struct Proof: Sendable {
    /// What the upstream showed and what was found about it.
    let peer: PeerRecord
    /// Whether it asked for a certificate of ours.
    let wantsClientCertificate: Bool
    /// Whether it got one.
    let gotClientCertificate: Bool
    /// When the full handshake began: later tickets do not make it younger.
    let verifiedAt: WallTime
    /// The digests of the certificates of the verified path.
    let certificates: [[UInt8]]

    init(
      peer: PeerRecord,
      wantsClientCertificate: Bool,
      gotClientCertificate: Bool,
      verifiedAt: WallTime
    ) {
      self.peer = peer
      self.wantsClientCertificate = wantsClientCertificate
      self.gotClientCertificate = gotClientCertificate
      self.verifiedAt = verifiedAt
      self.certificates = peer.path.map(Self.digest)
    }

    /// What a certificate is known by, of its DER.
    static func digest(of certificate: Bytes) -> [UInt8] { Digest.sha256.hash(certificate.array) }

    /// Whether it still holds: the chain's times and the revocation answer's are looked at anew.
    ///
    /// A clock that was set back makes it worthless: nobody knows how old it is.
    func holds(at now: WallTime) -> Bool {
      now >= self.verifiedAt && now < self.verifiedAt.advanced(bySeconds: KeptSession.longestAge)
        && self.peer.holds(at: now)
    }

    /// Whether it will never hold again.
    ///
    /// A clock that is behind, such as another loop's, ends nothing.
    func isOver(at now: WallTime) -> Bool { !self.holds(at: max(now, self.verifiedAt)) }
  }

  /// The longest that a verification stands for sessions after it, in seconds.
  static let longestAge: Int64 = 3_600

  let ticket: UpstreamTicket
  let proof: Proof

  /// How many bytes of it the upstream chose: its certificates, and the ticket.
  var sentSize: Int { self.proof.peer.chain.reduce(self.ticket.size) { $0 + $1.count } }

  /// About how much memory it takes, in bytes.
  ///
  /// libssl holds certificates taken apart, and the record holds them as they came and the path. What two
  /// sessions of a key share is counted for each.
  var memorySize: Int {
    let peer = self.proof.peer
    let path = peer.path.reduce(0) { $0 + $1.count }
    let remarks = peer.revocation?.detail.utf8.count ?? 0
    return 2_048 + 4_096 * peer.chain.count + 3 * self.sentSize + path
      + 128 * peer.timestamps.count + remarks
  }
}

/// Owns one reference to an `SSL_SESSION` that no connection uses.
///
/// What is kept and what is offered are copies, so that no two threads ever write to one.
@safe final class UpstreamTicket: @unchecked Sendable {
  // Sendable: nothing changes it; copying only reads it, and counts references atomically.
  private let handle: OpaquePointer

  /// Copies a connection's session; nil if memory is exhausted.
  init?(copying session: OpaquePointer) {
    guard let copy = unsafe SSL_SESSION_dup(session) else { return nil }
    unsafe self.handle = copy
  }

  deinit { unsafe SSL_SESSION_free(self.handle) }

  /// Whether it must not be offered twice: a TLS 1.3 ticket would let an observer link the two
  /// connections (RFC 8446 §C.4).
  var isSingleUse: Bool { unsafe SSL_SESSION_get_protocol_version(self.handle) >= TLS1_3_VERSION }

  /// How many bytes the ticket has that the server made.
  var size: Int {
    var start: UnsafePointer<UInt8>?
    var count = 0
    unsafe SSL_SESSION_get0_ticket(self.handle, &start, &count)
    return count
  }

  /// Offers it in a session's hello; false if libssl does not take it.
  func offer(in session: OpaquePointer) -> Bool {
    guard let copy = unsafe SSL_SESSION_dup(self.handle) else { return false }
    defer { unsafe SSL_SESSION_free(copy) }
    return unsafe SSL_set_session(session, copy) == 1
  }
}
