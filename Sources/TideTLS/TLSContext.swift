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
  let handle: OpaquePointer
  let mode: VerificationMode
  /// The key digests of CAs that are refused as anchors, however trusted they are.
  let refusedKeys: [[UInt8]]

  /// Makes a context.
  ///
  /// `X509_V_FLAG_X509_STRICT` stays off: it refuses roots without a key identifier or with a
  /// basicConstraints that is not critical, which real private roots have, and no browser asks for
  /// it. What matters of it (basicConstraints and keyCertSign of every issuer below the anchor, path
  /// length, name constraints, unknown critical extensions) OpenSSL checks anyway.
  ///
  /// - Parameters:
  ///   - roots: what to trust.
  ///   - authorities: DER certificates of our own CAs. A device's store may hold them, and so may this
  ///     machine's; an upstream that is signed by one is refused.
  ///   - mode: what a chain that does not verify leads to.
  /// - Throws: `.certificate` if the roots or a refused certificate cannot be read; `.internal`.
  public init(
    roots: TrustRoots,
    refusing authorities: [[UInt8]] = [],
    mode: VerificationMode = .refuse
  ) throws(TLSFailure) {
    self.mode = mode
    self.refusedKeys = try authorities.map { (der) throws(TLSFailure) in
      let certificate = try X509Certificate.parse(der: der)
      return unsafe X509Certificate.keyDigest(of: certificate.handle)
    }
    unsafe self.handle = try newContext(TLS_client_method())
    unsafe SSL_CTX_set_verify(self.handle, SSL_VERIFY_PEER, nil)
    unsafe SSL_CTX_set_purpose(self.handle, X509_PURPOSE_SSL_SERVER)
    unsafe SSL_CTX_set_cert_verify_callback(
      self.handle,
      { store, _ in unsafe SessionCallbacks.verify(store) },
      nil
    )
    unsafe SSL_CTX_set_client_cert_cb(
      self.handle,
      { ssl, _, _ in
        unsafe SessionCallbacks.clientCertificate(ssl)
      }
    )
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

  deinit { unsafe SSL_CTX_free(self.handle) }
}

/// What all sessions of one loop with devices share; the leaf is set for each session.
@safe public final class TLSServerContext {
  let handle: OpaquePointer

  /// Makes a context.
  ///
  /// No tickets are issued: they would save the device work, not us.
  ///
  /// - Throws: `.internal`.
  public init() throws(TLSFailure) {
    unsafe self.handle = try newContext(TLS_server_method())
    unsafe tide_ssl_ctx_forbid_tickets(self.handle)
    unsafe SSL_CTX_set_num_tickets(self.handle, 0)
    unsafe SSL_CTX_set_client_hello_cb(
      self.handle,
      { ssl, alert, _ in
        unsafe SessionCallbacks.clientHello(ssl, alert)
      },
      nil
    )
    unsafe SSL_CTX_set_alpn_select_cb(
      self.handle,
      { ssl, selected, count, offered, offeredCount, _ in
        unsafe SessionCallbacks.selectProtocol(
          ssl,
          selected,
          count,
          UnsafeBufferPointer(start: offered, count: Int(offeredCount))
        )
      },
      nil
    )
  }

  deinit { unsafe SSL_CTX_free(self.handle) }
}

/// Ephemeral ECDH and AEAD, nothing else (RFC 9325 §4.2).
///
/// TLS 1.3's own suites are all of that kind.
private let suites = """
  ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
  ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
  ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
  """

/// No SHA-1 and no PKCS#1 v1.5 before PSS (RFC 9155).
private let signatureAlgorithms = """
  ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:\
  RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:\
  rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:\
  RSA+SHA256:RSA+SHA384:RSA+SHA512
  """

/// The groups, in the spelling of OpenSSL 3.5 and later: a key share for the hybrid and for X25519.
///
/// `*` asks for a share, `/` separates steps of preference, so that a server picks what the client
/// has sent a share for rather than cost a round trip.
private let hybridGroups = "*X25519MLKEM768 / *X25519:P-256 / P-384"

/// The groups where libssl does not know the hybrid or the spelling.
private let classicGroups = "X25519:P-256:P-384"

/// An `SSL_CTX` with what both directions have in common.
private func newContext(_ method: OpaquePointer?) throws(TLSFailure) -> OpaquePointer {
  ErrorQueue.clear()
  guard let handle = unsafe SSL_CTX_new(method) else { throw .drained(.internal, "no context") }
  unsafe SSL_CTX_set_security_level(handle, 2)
  unsafe tide_ssl_ctx_set_common_options(handle)
  unsafe tide_ssl_ctx_set_common_modes(handle)
  unsafe tide_ssl_ctx_disable_session_cache(handle)
  unsafe SSL_CTX_set_info_callback(handle, { unsafe SessionCallbacks.information($0, $1, $2) })
  let hasGroups =
    unsafe tide_ssl_ctx_set_groups(handle, hybridGroups) == 1
    || tide_ssl_ctx_set_groups(handle, classicGroups) == 1
  guard hasGroups,
    unsafe tide_ssl_ctx_set_protocol_range(handle, TLS1_2_VERSION, TLS1_3_VERSION) == 1,
    unsafe SSL_CTX_set_cipher_list(handle, suites) == 1,
    unsafe tide_ssl_ctx_set_signature_algorithms(handle, signatureAlgorithms) == 1
  else {
    unsafe SSL_CTX_free(handle)
    throw .drained(.internal, "a context cannot be set up")
  }
  ErrorQueue.clear()  // what an older libssl had to say of the hybrid group
  return unsafe handle
}
