import COpenSSL

/// Which roots upstreams are verified against.
public enum TrustRoots: Sendable {
  /// The system's, where OpenSSL looks for them.
  case system
  /// The certificates of a PEM text.
  case pem([UInt8])
}

/// What a chain that does not verify leads to.
public enum VerificationMode: Sendable {
  /// The handshake fails before a byte of the client's request could leave.
  case refuse
  /// The handshake goes on; the facts say what was wrong. Only where the operator asked for it.
  case record
}

/// What all sessions of one loop with upstreams share.
///
/// The suites, groups and versions are those of a modern browser: TLS 1.2 and 1.3, AEAD with forward
/// secrecy (RFC 9325), no SHA-1, RSA from 2048 bits, in the chain too (security level 2).
@safe public final class TLSClientContext {
  /// The most bytes of certificates that an upstream may send; libssl itself stops at 100 KiB.
  private static let largestChain = 1 << 20
  /// The most certificates between leaf and root; the longest path that anybody needs has five.
  private static let mostIntermediates: Int32 = 40

  let handle: OpaquePointer
  let mode: VerificationMode
  let revocation: RevocationChecking
  /// The configured revocation lists.
  let lists: [RevocationList]
  /// What lists have been found to say, the configured ones and those that were fetched.
  var knownLists = KnownLists()
  let publicRoots: PublicRoots?
  /// The key digests of CAs that are refused as anchors, however trusted they are.
  let refusedKeys: [[UInt8]]
  let identities: [ClientIdentity]
  let sessions: UpstreamSessions?
  /// Stands for all that a verdict depends on: a session is not resumed where another could be come to.
  let settings: [UInt8]

  /// Makes a context.
  ///
  /// Chains are verified strictly by RFC 5280 (`X509_V_FLAG_X509_STRICT`), the root too: a private root
  /// without a key identifier or with a basicConstraints that is not critical is refused, and the
  /// failure says that it is about the root.
  ///
  /// - Parameters:
  ///   - roots: what to trust.
  ///   - authorities: DER certificates of our own CAs. A device's store may hold them, and so may this
  ///     machine's; an upstream that is signed by one is refused.
  ///   - mode: what a chain that does not verify leads to.
  ///   - revocation: whether revocation is heeded.
  ///   - crls: each file's bytes: one or more CRLs in PEM, or one in DER. A list that is out of date
  ///     still revokes what it lists, but vouches for nothing. None may be signed with SHA-1 or weaker.
  ///   - publicRoots: by which a private root is told; nil if nobody knows.
  ///   - identities: who we are to upstreams that ask; the first one for a host is shown.
  ///   - sessions: where sessions are kept to be resumed; nil to resume none.
  /// - Throws: `.certificate` if the roots, a refused certificate or a list cannot be read, which it
  ///   names; `.internal`.
  public init(
    roots: TrustRoots,
    refusing authorities: [[UInt8]] = [],
    mode: VerificationMode = .refuse,
    revocation: RevocationChecking = .staple,
    crls: [[UInt8]] = [],
    publicRoots: PublicRoots? = nil,
    identities: [ClientIdentity] = [],
    sessions: UpstreamSessions? = nil
  ) throws(TLSFailure) {
    self.mode = mode
    self.revocation = revocation
    self.publicRoots = publicRoots
    self.refusedKeys = try authorities.map { (der) throws(TLSFailure) in
      let certificate = try X509Certificate.parse(der: der)
      return unsafe X509Certificate.keyDigest(of: certificate.handle)
    }
    self.lists = try RevocationList.parse(files: crls)
    self.identities = identities
    self.sessions = sessions
    self.settings = Self.digest(roots, authorities, "\(mode) \(revocation)", crls, identities)
    unsafe self.handle = try newContext(TLS_client_method())
    unsafe SSL_CTX_set_verify(self.handle, SSL_VERIFY_PEER, nil)
    unsafe SSL_CTX_set_purpose(self.handle, X509_PURPOSE_SSL_SERVER)
    let parameters = unsafe SSL_CTX_get0_param(self.handle)
    unsafe X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_X509_STRICT))
    unsafe X509_VERIFY_PARAM_set_depth(parameters, Self.mostIntermediates)
    unsafe tide_ssl_ctx_set_largest_chain(self.handle, Self.largestChain)
    self.setCallbacks()
    try self.trust(roots)
  }

  deinit { unsafe SSL_CTX_free(self.handle) }

  private func setCallbacks() {
    unsafe SSL_CTX_set_cert_verify_callback(
      self.handle,
      { store, _ in unsafe SessionCallbacks.verify(store) },
      nil
    )
    // Asks for a staple, and is called also if none comes.
    unsafe tide_ssl_ctx_request_status(
      self.handle,
      { ssl, _ in unsafe SessionCallbacks.status(ssl) }
    )
    // Asks for timestamps; permissive, because they are recorded and not enforced.
    unsafe SSL_CTX_enable_ct(self.handle, Int32(SSL_CT_VALIDATION_PERMISSIVE))
    unsafe SSL_CTX_set_cert_cb(
      self.handle,
      { ssl, _ in unsafe SessionCallbacks.certificate(ssl) },
      nil
    )
  }

  private func trust(_ roots: TrustRoots) throws(TLSFailure) {
    switch roots {
    case .system:
      guard unsafe SSL_CTX_set_default_verify_paths(self.handle) == 1 else {
        throw .drained(.certificate, "the system's roots cannot be used")
      }
      ErrorQueue.clear()  // files that are not there leave entries
    case .pem(let text):
      let store = unsafe SSL_CTX_get_cert_store(self.handle)
      for root in try X509Certificate.parse(pem: text) {
        guard unsafe X509_STORE_add_cert(store, root.handle) == 1 else {
          throw .drained(.certificate, "a root cannot be added")
        }
      }
    }
  }

  /// The digest of all that a verdict depends on, but for what lies in the system's store.
  private static func digest(
    _ roots: TrustRoots,
    _ authorities: [[UInt8]],
    _ modes: String,
    _ crls: [[UInt8]],
    _ identities: [ClientIdentity]
  ) -> [UInt8] {
    let trusted =
      switch roots {
      case .system: Array("system".utf8)
      case .pem(let text): text
      }
    return SettingsDigest.of([
      trusted, Array(modes.utf8), SettingsDigest.of(authorities), SettingsDigest.of(crls),
      SettingsDigest.of(identities.map(\.digest)),
    ])
  }
}
