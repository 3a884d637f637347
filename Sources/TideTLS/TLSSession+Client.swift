import COpenSSL
public import TideCore

extension TLSSession {
  /// Begins a handshake with an upstream: `takeOutput` has the hello.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - host: who it must prove to be; its name is the SNI, an address has none (RFC 6066 §3).
  ///   - applicationProtocols: what to offer by ALPN, in this order; nothing if empty.
  ///   - attempt: for whom and from where a session that the context keeps may go on; nil for none.
  /// - Returns: the session.
  /// - Throws: `.internal`, also for a protocol of no or over 255 bytes.
  public static func client(
    _ context: TLSClientContext,
    host: Host,
    applicationProtocols: [String],
    resuming attempt: Resumption? = nil
  ) throws(TLSFailure) -> TLSSession {
    let session = try unsafe TLSSession(role: .client(context), context: context.handle)
    let handle = unsafe session.handle
    try session.require(host)
    var offer: [UInt8] = []
    for name in applicationProtocols {
      guard let count = UInt8(exactly: name.utf8.count), count > 0 else {
        throw TLSFailure(.internal, detail: "not a protocol name for ALPN")
      }
      offer.append(count)
      offer.append(contentsOf: name.utf8)
    }
    // Contrary to all else, 0 is success here.
    guard unsafe offer.isEmpty || SSL_set_alpn_protos(handle, offer, UInt32(offer.count)) == 0
    else {
      throw .drained(.internal, "ALPN cannot be set")
    }
    session.identity = context.identities.first { $0.isFor(host) }
    unsafe SSL_set_connect_state(handle)
    if let attempt, let sessions = context.sessions {
      session.resume(attempt, from: sessions, host: host, offer: offer, settings: context.settings)
    }
    if let failure = session.shakeHands() { throw failure }
    session.fingerprint = ja4(ofHello: Bytes(session.output))
    return session
  }

  /// Sets who the upstream must prove to be.
  private func require(_ host: Host) throws(TLSFailure) {
    let parameters = unsafe SSL_get0_param(self.handle)
    // The name stands in the subjectAltName or nowhere; a wildcard is one whole left-most label
    // (RFC 9525 §6.3).
    unsafe X509_VERIFY_PARAM_set_hostflags(
      parameters,
      UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
    )
    let isSet =
      switch host {
      case .name(let name):
        unsafe tide_ssl_set_server_name(self.handle, name.text) == 1
          && X509_VERIFY_PARAM_set1_host(parameters, name.text, name.text.utf8.count) == 1
      case .address(let address):
        unsafe X509_VERIFY_PARAM_set1_ip(parameters, address.octets, address.octets.count) == 1
      }
    guard isSet else { throw .drained(.internal, "the host to verify cannot be set") }
  }
}
