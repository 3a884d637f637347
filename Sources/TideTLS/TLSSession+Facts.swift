import COpenSSL
public import TideCore

/// What became of an upstream's chain.
struct Verification: CustomStringConvertible {
  /// OpenSSL's `X509_V_ERR_…` number; `X509_V_OK` is 0.
  let error: Int
  /// Which certificate of the chain it is about; 0 is the leaf.
  let depth: Int
  /// Whether the chain is valid but for one of our own CAs in it.
  let isOwnAuthority: Bool
  /// Whether the handshake was ended for it.
  let isRefused: Bool

  /// `ok`, or OpenSSL's words and its number.
  var description: String {
    guard self.error != Int(X509_V_OK) else { return "ok" }
    let text = unsafe String(cString: X509_verify_cert_error_string(self.error))
    return "\(text) (\(self.error))" + (self.isOwnAuthority ? ": this proxy's own CA" : "")
  }
}

extension TLSSession {
  /// What is to be recorded of the handshake, also of one that failed.
  ///
  /// Version and cipher are empty if it did not get so far.
  public var facts: HandshakeFacts {
    let cipher = unsafe self.cipher
    let name = unsafe cipher.flatMap { unsafe SSL_CIPHER_standard_name($0) }
    let isUpstream =
      switch self.role {
      case .client: true
      case .server, .refusal: false
      }
    return unsafe HandshakeFacts(
      leg: isUpstream ? "upstream" : "downstream",
      version: cipher == nil ? "" : String(cString: SSL_get_version(self.handle)),
      cipher: name.map { unsafe String(cString: $0) } ?? "",
      applicationProtocol: self.applicationProtocol,
      chain: self.chain,
      verification: isUpstream ? self.verification?.description : nil
    )
  }

  /// The suite agreed on, also while TLS 1.2 has not switched to it; nil before the ServerHello.
  private var cipher: OpaquePointer? {
    unsafe SSL_get_current_cipher(self.handle) ?? SSL_get_pending_cipher(self.handle)
  }

  /// The protocol agreed on by ALPN; nil if none.
  public var applicationProtocol: String? {
    var start: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    unsafe SSL_get0_alpn_selected(self.handle, &start, &count)
    guard count > 0, let start = unsafe start else { return nil }
    let name = unsafe UnsafeBufferPointer(start: start, count: Int(count))
    return unsafe String(decoding: name, as: UTF8.self)
  }

  /// The version agreed on, such as 0x0304; 0 if the handshake did not get so far.
  public var negotiatedVersion: UInt16 {
    guard unsafe self.cipher != nil else { return 0 }
    return unsafe UInt16(truncatingIfNeeded: SSL_version(self.handle))
  }
}
