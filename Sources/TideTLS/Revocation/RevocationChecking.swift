/// How hard it is asked whether an upstream's certificate was revoked.
public enum RevocationChecking: Sendable {
  /// What the upstream staples and the configured lists say is heeded; nobody is contacted.
  ///
  /// A stapled answer that says `revoked` ends the handshake. So does one that is malformed, badly
  /// signed or for another certificate, as in Firefox: no responder makes such answers, so somebody
  /// between has. One that is merely out of date, or in which a responder declines, tells nothing and
  /// is noted, unless the certificate demands a staple (RFC 7633): then nothing but a good answer will
  /// do.
  case staple
  /// As `staple`; what is left open is asked of whom the certificates name.
  ///
  /// The TLS layer does no I/O: `revocationQueries` says what to ask, `judge` reads the answer. An
  /// answer that does not come, or cannot be used, is no reason to refuse.
  case fetch
  /// Nothing is heeded, not even a certificate's demand for a staple.
  ///
  /// The staple is still asked for, because our hello should look the same, and noted.
  case off
}
