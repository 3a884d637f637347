public import TideCore

/// A certificate for one host, with its key: what a server session shows to a device.
///
/// It holds live OpenSSL objects, not DER: a session takes it over in 3 µs instead of 100.
public final class Leaf {
  /// The host that it is for, and no other.
  public let host: Host
  /// The start of its validity.
  public let notBefore: WallTime
  /// The end of its validity.
  public let notAfter: WallTime

  let certificate: X509Certificate
  let key: PrivateKey
  /// What is sent after it.
  let chain: [X509Certificate]

  init(
    host: Host,
    certificate: X509Certificate,
    key: PrivateKey,
    chain: [X509Certificate]
  ) {
    self.host = host
    self.notBefore = certificate.notBefore
    self.notAfter = certificate.notAfter
    self.certificate = certificate
    self.key = key
    self.chain = chain
  }

  /// The certificate in DER.
  public var certificateDER: [UInt8] { self.certificate.der }
}
