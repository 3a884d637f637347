/// What was kept from happening, or could not be seen, on a connection: counted in the case.
public enum Coverage: String, CaseIterable, Sendable {
  /// A server advertised HTTP/3 (RFC 7838); the advertisement was left out.
  case alternativeService = "alternative-service"
  /// An upgrade to something other than WebSocket was not passed on.
  case upgradeDropped = "upgrade-dropped"
  /// A protocol that is not HTTP was relayed as a stream of bytes.
  case byteStream = "byte-stream"
  /// Encrypted bytes were relayed without being seen.
  case undecrypted
  /// An unknown WebSocket extension made its messages unreadable.
  case unknownExtension = "unknown-extension"
  /// A device that accepts none of our leaves: our CA is not trusted on it.
  case untrustedAuthority = "untrusted-ca"
  /// A device that accepts our leaves elsewhere refused the one for this host: the app pins.
  case pinned
  /// A device found our leaf outside its time: its clock is wrong.
  case clientClock = "client-clock"
  /// A device found no version or cipher suite in common with us.
  case clientCipher = "client-cipher"
  /// A device ended the handshake without saying why.
  case clientClosed = "client-closed"
  /// A host that a device refuses to have intercepted was relayed undecrypted.
  case learnedPassthrough = "learned-passthrough"
  /// A host outside the name constraints of our CA, which no leaf of ours could be for.
  case outsidePermit = "outside-permit"
  /// An upstream's chain ended in a root that is not a public one: another interceptor, or a private CA.
  case privateRoot = "private-root"
  /// An upstream asked for a client certificate.
  case clientCertificate = "client-certificate"
  /// An upstream that does not verify was let through, or mirrored, because the operator asked for it.
  case unverified
  /// A device sent data under a certificate that it should not have trusted.
  case acceptsUntrusted = "accepts-untrusted"
}
