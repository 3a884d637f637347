import COpenSSL

/// What became of an upstream's chain.
struct Verification: Sendable, CustomStringConvertible {
  /// OpenSSL's `X509_V_ERR_…` number; `X509_V_OK` is 0.
  let error: Int
  /// Which certificate of the path it is about; 0 is the leaf.
  let depth: Int
  /// What OpenSSL's words do not say; empty if they say it all.
  let remark: String
  /// Whether the handshake was ended for it.
  let isRefused: Bool

  /// Whether nothing is wrong.
  var isTrusted: Bool { self.error == Int(X509_V_OK) }

  /// `ok`, or OpenSSL's words, its number and our remark.
  var description: String {
    guard !self.isTrusted else { return "ok" }
    let words = unsafe String(cString: X509_verify_cert_error_string(self.error))
    return "\(words) (\(self.error))" + (self.remark.isEmpty ? "" : ": \(self.remark)")
  }
}
