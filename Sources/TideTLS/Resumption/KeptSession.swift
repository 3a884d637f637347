import COpenSSL
import TideCore

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

    /// Whether it still holds: the chain's times and the revocation answer's are looked at anew.
    ///
    /// A clock that was set back makes it worthless: nobody knows how old it is.
    func holds(at now: WallTime) -> Bool {
      now >= self.verifiedAt && now < self.verifiedAt.advanced(bySeconds: KeptSession.longestAge)
        && self.peer.holds(at: now)
    }
  }

  /// The longest that a verification stands for sessions after it, in seconds.
  static let longestAge: Int64 = 3_600

  let ticket: UpstreamTicket
  let proof: Proof
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

  /// Offers it in a session's hello; false if libssl does not take it.
  func offer(in session: OpaquePointer) -> Bool {
    guard let copy = unsafe SSL_SESSION_dup(self.handle) else { return false }
    defer { unsafe SSL_SESSION_free(copy) }
    return unsafe SSL_set_session(session, copy) == 1
  }
}
