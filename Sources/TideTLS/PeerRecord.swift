import TideCore

/// What a full handshake showed of an upstream, and what was found about it.
///
/// A session that is resumed shows no certificate: it goes on with the record of its full handshake,
/// whole. Everything in it is plain data, so that it may be kept beside the session on any loop.
struct PeerRecord: Sendable {
  /// The certificates as sent, DER, leaf first.
  var chain: [Bytes] = []
  /// The path that was built of them and the roots, DER, leaf first and the anchor last.
  ///
  /// As far as it could be built, if verification failed.
  var path: [Bytes] = []
  /// While every certificate of the path is in its time.
  var validity = WallTime(seconds: 0)..<WallTime(seconds: 0)
  /// What became of the chain; nil until it was there.
  var verification: Verification?
  /// What is known of its revocation; nil until the chain was there.
  var revocation: HandshakeFacts.Revocation?
  /// Until when a certificate of the path is vouched for, by its position.
  var vouched: [Int: WallTime] = [:]
  /// Until when the staple is good that a certificate of the path demands; nil if none does.
  ///
  /// Apart from `vouched`, because nobody else's word takes its place (RFC 7633 §4.3.3).
  var demandedStaple: WallTime?
  /// The timestamps that were shown, in the certificate, by TLS and in the staple.
  var timestamps: [HandshakeFacts.CertificateTimestamp] = []
  /// The subject of the root that the chain was verified to; nil if it was not.
  var anchor: String?
  /// Whether that root is a public one; nil if that is not known.
  var isPublicAnchor: Bool?

  /// What of it goes into a session's facts; whether a client certificate was asked for does not stand
  /// here.
  var facts: HandshakeFacts.Peer {
    var peer = HandshakeFacts.Peer()
    peer.chain = self.chain
    peer.verification = self.verification?.description
    peer.revocation = self.revocation
    peer.timestamps = self.timestamps
    peer.anchor = self.anchor
    peer.isPublicAnchor = self.isPublicAnchor
    return peer
  }

  /// Whether a session may go on from what was found.
  ///
  /// Only from a chain that was trusted, still is in its time and is not known to be revoked. Where it
  /// was vouched for, the voucher must hold too: else the answer is due again.
  func holds(at now: WallTime) -> Bool {
    guard let verification, verification.isTrusted, self.revocation?.status != .revoked else {
      return false
    }
    if let demandedStaple, now >= demandedStaple { return false }
    return self.validity.contains(now) && self.vouched.values.allSatisfy { now < $0 }
  }

  /// Adds to what is known of the revocation.
  ///
  /// - Parameters:
  ///   - status: the new status; nil leaves it as it is. Nothing follows a revocation.
  ///   - source: who was heard: `staple`, `crl` or `ocsp`.
  ///   - remark: for people.
  mutating func note(
    _ status: HandshakeFacts.Revocation.Status?,
    source: String?,
    _ remark: String
  ) {
    var revocation = self.revocation ?? HandshakeFacts.Revocation(status: .unknown)
    if let status, revocation.status != .revoked { revocation.status = status }
    if let source, !revocation.sources.contains(source) { revocation.sources.append(source) }
    // A session that is resumed may find again what its first handshake has found.
    if !remark.isEmpty, !revocation.detail.contains(remark) {
      revocation.detail += (revocation.detail.isEmpty ? "" : "; ") + remark
    }
    self.revocation = revocation
  }
}
