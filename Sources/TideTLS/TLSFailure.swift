/// Why TLS, or what it needs, failed.
public struct TLSFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, CaseIterable, Sendable {
    /// The server's certificate does not verify; `verifyError` says why.
    case untrusted
    /// The handshake could not be agreed on; `alert` is what we told the peer, if we did.
    case handshake
    /// The peer ended the session with a fatal alert: `alert`.
    case alert
    /// The peer broke the protocol after the handshake; `alert` is what we told it, if we did.
    case `protocol`
    /// The session has been closed by us; nothing more can be sent.
    case closed
    /// Roots, a CA or a key that cannot be used.
    case certificate
    /// A mistake of ours, or memory is exhausted.
    case `internal`
  }

  /// What went wrong.
  public let code: Code
  /// For people: one clause.
  public let detail: String
  /// The alert that the peer sent (`.alert`) or that our side sent.
  public let alert: UInt8?
  /// OpenSSL's `X509_V_ERR_…` number, if the failure is about a certificate chain.
  public let verifyError: Int?

  /// Joins a failure.
  public init(_ code: Code, detail: String, alert: UInt8? = nil, verifyError: Int? = nil) {
    self.code = code
    self.detail = detail
    self.alert = alert
    self.verifyError = verifyError
  }
}
