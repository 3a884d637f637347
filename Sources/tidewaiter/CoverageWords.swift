import TideCore

extension Coverage {
  /// What it means, in a clause for people.
  var words: String {
    switch self {
    case .alternativeService: "HTTP/3 was advertised; left out, so that nothing escapes to QUIC"
    case .upgradeDropped: "an upgrade to something other than WebSocket was not passed on"
    case .byteStream: "decrypted bytes that are not HTTP were relayed and recorded as a stream"
    case .undecrypted: "encrypted bytes were relayed without being seen"
    case .unknownExtension: "a WebSocket extension made its messages unreadable"
    case .untrustedAuthority: "the device accepts none of our leaves: install the CA on it"
    case .pinned: "the app accepts no leaf of ours for this host: it pins its certificate"
    case .clientClock: "the device found our leaf outside its time: set its clock"
    case .clientCipher: "the device has no TLS version or cipher suite in common with us"
    case .clientClosed: "the device ended the handshake without saying why"
    case .learnedPassthrough:
      "relayed undecrypted, because the device refuses interception of the host"
    case .outsidePermit: "the host is outside ca.permit: no leaf of ours could be for it"
    case .privateRoot:
      "the server's chain ends in a root that is not public: another interceptor, or a private CA"
    case .clientCertificate: "the server asked for a client certificate (tls.client_certs)"
    case .unverified:
      "the server does not verify; let through or mirrored because of tls.upstream_verify"
    case .acceptsUntrusted: "the device sent data under a certificate that it should not trust"
    }
  }
}
