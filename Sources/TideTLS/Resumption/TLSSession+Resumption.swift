import COpenSSL
import TideCore

/// What a session with an upstream needs to go on from an earlier one, and for a later one to.
struct Resuming {
  let sessions: UpstreamSessions
  let key: UpstreamSessions.Key
  let startedAt: WallTime
  /// What the hello offered.
  var offered: KeptSession?
  /// The newest tickets that the upstream gave and that nobody may use yet.
  var tickets: [UpstreamTicket] = []
  /// Whether a byte of the client's has left: by then whoever fetches revocation is content.
  var isInUse = false
}

extension TLSSession {
  /// Whether the handshake went on from an earlier session.
  public var isResumed: Bool { unsafe SSL_session_reused(self.handle) == 1 }

  /// Readies a client's session, before its hello, to be resumed and to go on from what is kept.
  ///
  /// - Parameters:
  ///   - attempt: for whom and from where.
  ///   - sessions: where sessions are kept.
  ///   - host: who the upstream must prove to be.
  ///   - offer: what is offered by ALPN, as in the extension.
  ///   - settings: stands for what the context's verdicts depend on.
  func resume(
    _ attempt: Resumption,
    from sessions: UpstreamSessions,
    host: Host,
    offer: [UInt8],
    settings: [UInt8]
  ) {
    let key = UpstreamSessions.Key(
      device: attempt.device,
      address: attempt.address,
      port: attempt.port,
      host: host,
      offer: offer,
      settings: settings
    )
    var resuming = Resuming(sessions: sessions, key: key, startedAt: attempt.now)
    if let kept = sessions.session(for: key, at: attempt.now),
      unsafe kept.ticket.offer(in: self.handle)
    {
      resuming.offered = kept
    }
    self.resuming = resuming
  }

  /// Takes over, once the handshake is done, what an earlier one proved.
  func adoptOffered() {
    guard let offered = self.resuming?.offered else { return }
    guard self.isResumed else {
      self.forgetKept()
      return
    }
    self.peerRecord = offered.proof.peer
    self.wantsClientCertificate = offered.proof.wantsClientCertificate
  }

  /// Forgets what is kept for this upstream, which did not go on from it or failed.
  func forgetKept() {
    guard let resuming = self.resuming, resuming.offered != nil else { return }
    resuming.sessions.forget(resuming.key)
  }

  /// Ends what goes on from a certificate that the handshake has shown to be revoked.
  ///
  /// Only if nothing else was wrong: anybody can say anything of a chain that is not verified.
  func heedRevocation() {
    guard let verification = self.peerRecord.verification,
      verification.error == Int(X509_V_ERR_CERT_REVOKED)
    else { return }
    self.endSessions(withRevoked: verification.depth)
  }

  /// Has no session of any device go on from a certificate of this one's path, which is revoked.
  func endSessions(withRevoked depth: Int) {
    guard case .client(let context) = self.role, let sessions = context.sessions,
      self.peerRecord.path.indices.contains(depth)
    else { return }
    sessions.revoke(self.peerRecord.path[depth])
  }

  /// Takes a copy of a session that the upstream can go on from.
  func received(_ session: OpaquePointer) {
    guard self.resuming != nil, let ticket = unsafe UpstreamTicket(copying: session) else { return }
    if self.resuming?.tickets.count == UpstreamSessions.mostTickets {
      self.resuming?.tickets.removeFirst()
    }
    self.resuming?.tickets.append(ticket)
    if self.resuming?.isInUse == true { self.keepTickets() }
  }

  /// Keeps the tickets so far and those to come, once the client's request leaves.
  func beginKeeping() {
    guard self.resuming?.isInUse == false else { return }
    self.resuming?.isInUse = true
    self.keepTickets()
  }

  private func keepTickets() {
    guard let resuming = self.resuming, !resuming.tickets.isEmpty else { return }
    self.resuming?.tickets = []
    guard let proof = self.proof(resuming) else { return }
    for ticket in resuming.tickets {
      let session = KeptSession(ticket: ticket, proof: proof)
      resuming.sessions.keep(session, for: resuming.key, at: resuming.startedAt)
    }
  }

  /// What this session may hand down; nil if the upstream is not to be trusted.
  private func proof(_ resuming: Resuming) -> KeptSession.Proof? {
    // Of a resumed session too: somebody may have been asked anew.
    guard self.peerRecord.holds(at: resuming.startedAt) else { return nil }
    if self.isResumed { return resuming.offered?.proof }
    return KeptSession.Proof(
      peer: self.peerRecord,
      wantsClientCertificate: self.wantsClientCertificate,
      gotClientCertificate: self.gotClientCertificate,
      verifiedAt: resuming.startedAt
    )
  }
}
