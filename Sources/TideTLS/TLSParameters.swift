import COpenSSL

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
func newContext(_ method: OpaquePointer?) throws(TLSFailure) -> OpaquePointer {
  var hasHybrid = false
  return try unsafe newContext(method, hasHybrid: &hasHybrid)
}

/// An `SSL_CTX` with what both directions have in common.
///
/// - Parameters:
///   - method: for which side.
///   - hasHybrid: tells whether libssl knows the hybrid groups.
/// - Returns: the context, which the caller frees.
/// - Throws: `.internal`.
func newContext(
  _ method: OpaquePointer?,
  hasHybrid: inout Bool
) throws(TLSFailure) -> OpaquePointer {
  ErrorQueue.clear()
  guard let handle = unsafe SSL_CTX_new(method) else { throw .drained(.internal, "no context") }
  unsafe SSL_CTX_set_security_level(handle, 2)
  unsafe tide_ssl_ctx_set_common_options(handle)
  unsafe tide_ssl_ctx_set_common_modes(handle)
  unsafe SessionCallbacks.reportSessions(of: handle)
  unsafe SSL_CTX_set_info_callback(handle, { unsafe SessionCallbacks.information($0, $1, $2) })
  hasHybrid = unsafe tide_ssl_ctx_set_groups(handle, hybridGroups) == 1
  guard unsafe hasHybrid || tide_ssl_ctx_set_groups(handle, classicGroups) == 1,
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
