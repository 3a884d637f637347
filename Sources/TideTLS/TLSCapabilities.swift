import COpenSSL

/// What this machine's libssl can do: for `doctor`.
public struct TLSCapabilities: Hashable, Sendable {
  /// The library's own words, such as `OpenSSL 3.0.17 1 Jul 2025`: the one that runs, not the one that
  /// we were built with.
  public let libraryVersion: String
  /// Whether a post-quantum hybrid group is offered and taken (X25519MLKEM768, from OpenSSL 3.5).
  public let hasHybridGroups: Bool

  /// What this process has, found out once.
  public static let current = TLSCapabilities()

  private init() {
    self.libraryVersion = unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
    var hasHybrid = false
    // A context that cannot be made has no groups either; who needs one will say so.
    if let context = unsafe try? newContext(TLS_client_method(), hasHybrid: &hasHybrid) {
      unsafe SSL_CTX_free(context)
    }
    self.hasHybridGroups = hasHybrid
  }
}
