import COpenSSL
public import TideCore

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
    var facts = unsafe HandshakeFacts(
      leg: isUpstream ? "upstream" : "downstream",
      version: cipher == nil ? "" : String(cString: SSL_get_version(self.handle)),
      cipher: name.map { unsafe String(cString: $0) } ?? "",
      applicationProtocol: self.applicationProtocol
    )
    facts.group = self.group
    facts.isResumed = self.isResumed
    facts.fingerprint = self.fingerprint
    guard isUpstream else { return facts }
    var peer = self.peerRecord.facts
    peer.wantsClientCertificate = self.wantsClientCertificate
    peer.gotClientCertificate = self.gotClientCertificate
    facts.peer = peer
    return facts
  }

  /// The path of `peerRecord` as libssl holds it, as far as it could be built; empty if this handshake
  /// showed no chain.
  ///
  /// To read the record's DER again takes 0.1 ms a certificate.
  var verifiedPath: [X509Certificate] {
    unsafe X509Certificate.list(SSL_get0_verified_chain(self.handle))
  }

  /// The suite agreed on, also while TLS 1.2 has not switched to it; nil before the ServerHello.
  private var cipher: OpaquePointer? {
    unsafe SSL_get_current_cipher(self.handle) ?? SSL_get_pending_cipher(self.handle)
  }

  /// The group of the key exchange in libssl's spelling; nil if there was none.
  private var group: String? {
    // Before there is a suite nothing was agreed on; TLS 1.2 resumes without an exchange, but libssl
    // remembers the first one's.
    guard self.negotiatedVersion != 0,
      !self.isResumed || self.negotiatedVersion > UInt16(TLS1_2_VERSION)
    else { return nil }
    return unsafe tide_ssl_group_name(self.handle).map { unsafe String(cString: $0) }
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
