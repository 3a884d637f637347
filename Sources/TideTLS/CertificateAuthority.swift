import COpenSSL
public import TideCore

/// The CA of this installation: its certificate and its key.
///
/// Two installs have different names and keys, so a device that trusted both can tell them apart.
/// Nothing changes after it is made. `@unchecked Sendable`: it owns an `X509` and an `EVP_PKEY`, of
/// which OpenSSL counts the references atomically and locks the caches, and is never written to.
public final class CertificateAuthority: @unchecked Sendable {
  /// What is thrown where a key and a certificate are not a pair.
  public static let keyMismatch = TLSFailure(
    .certificate,
    detail: "the private key is not the CA certificate's"
  )

  /// The certificate, which devices install.
  public let publicPart: CACertificate

  let certificate: X509Certificate
  let key: PrivateKey
  /// What is sent after a leaf: nothing below a root, else this CA's certificate and those above.
  let leafChain: [X509Certificate]
  /// The key identifier that leaves point to.
  let keyIdentifier: [UInt8]
  /// What this CA's certificate, and those above it, limit its leaves' names to.
  private let constraints: [NameConstraints]

  init(
    certificate: X509Certificate,
    key: PrivateKey,
    issuers: [X509Certificate]
  ) throws(TLSFailure) {
    self.keyIdentifier = Self.keyIdentifier(of: certificate)
    let isRoot = unsafe X509_self_signed(certificate.handle, 0) == 1
    self.leafChain = isRoot ? [] : [certificate] + issuers
    var constraints: [NameConstraints] = []
    for issuer in [certificate] + issuers {
      if let limits = try NameConstraints(of: issuer) { constraints.append(limits) }
    }
    self.constraints = constraints
    self.certificate = certificate
    self.publicPart = CACertificate(certificate)
    self.key = key
  }

  /// Takes a pair that is there: the operator's own CA, or ours from an earlier run.
  ///
  /// Further certificates in the text are taken for those above the CA, nearest first, and are sent
  /// with each leaf if the CA is not a root.
  ///
  /// - Parameters:
  ///   - certificatePEM: the CA's certificate, first.
  ///   - keyPEM: its key.
  ///   - passphrase: what opens the key; not needed, and not looked at, if it is not encrypted.
  /// - Throws: `.certificate` if either cannot be read, the key is another's, or the certificate is
  ///   not a CA's.
  public convenience init(
    certificatePEM: [UInt8],
    keyPEM: [UInt8],
    passphrase: [UInt8]? = nil
  ) throws(TLSFailure) {
    let certificates = try Self.certificates(certificatePEM)
    let key = try PrivateKey.parse(pem: keyPEM, passphrase: passphrase)
    try self.init(certificates, key)
  }

  /// Takes a certificate whose key lies in a PKCS#11 token.
  ///
  /// - Parameters:
  ///   - certificatePEM: the CA's certificate, first, then those above it.
  ///   - token: where the key is.
  ///   - pin: what the token asks for before it signs; nil if it asks for nothing.
  /// - Throws: `.certificate` if the certificate cannot be read or is not a CA's, or the token has no
  ///   such key.
  public convenience init(
    certificatePEM: [UInt8],
    token: TokenURI,
    pin: [UInt8]?
  ) throws(TLSFailure) {
    let certificates = try Self.certificates(certificatePEM)
    try self.init(certificates, PrivateKey.inToken(token, pin: pin))
  }

  private convenience init(
    _ certificates: [X509Certificate],
    _ key: PrivateKey
  ) throws(TLSFailure) {
    guard let certificate = certificates.first,
      unsafe X509_check_private_key(certificate.handle, key.handle) == 1
    else {
      ErrorQueue.clear()
      throw Self.keyMismatch
    }
    try self.init(certificate: certificate, key: key, issuers: Array(certificates.dropFirst()))
  }

  /// The certificates of a PEM text, of which the first is a CA's.
  private static func certificates(_ pem: [UInt8]) throws(TLSFailure) -> [X509Certificate] {
    _ = try CACertificate(pem: pem)
    return try X509Certificate.parse(pem: pem)
  }

  /// Whether a text holds a key that only a passphrase opens.
  public static func isEncrypted(keyPEM: [UInt8]) -> Bool { PrivateKey.isEncrypted(pem: keyPEM) }

  /// Whether a leaf for `host` would be accepted, going by the name constraints in the CA's
  /// certificates (RFC 5280 §4.2.1.10): always, unless `ca.permit` or the operator's own CA limits it.
  ///
  /// It costs some 10 µs for a CA with constraints and nothing for one without.
  public func permits(_ host: Host) -> Bool {
    self.constraints.allSatisfy { $0.permit(host) }
  }

  /// The names that the certificate is limited to; nil if it has no limits.
  public var permittedNames: [PermittedName]? { self.publicPart.permittedNames }

  /// Whether the key stays in a PKCS#11 token.
  public var isInToken: Bool { self.key.isInToken }

  /// The certificate in PEM, which devices install.
  public var certificatePEM: [UInt8] { self.publicPart.pem }

  /// The certificate in DER.
  public var certificateDER: [UInt8] { self.publicPart.der }

  /// The private key as PKCS#8 in PEM, for the one file that keeps it.
  ///
  /// - Parameter passphrase: what is to open it, 1 to 1024 bytes: AES-256 under a key that is derived
  ///   from it in 600,000 rounds; nil leaves the key unencrypted.
  /// - Returns: the text.
  /// - Throws: `.certificate` if the key is in a token, or the passphrase is empty or too long;
  ///   `.internal`.
  public func keyPEM(passphrase: [UInt8]? = nil) throws(TLSFailure) -> [UInt8] {
    try self.key.pem(passphrase: passphrase)
  }

  /// The SHA-256 of the certificate's DER, as devices show it.
  public var fingerprintSHA256: [UInt8] { self.publicPart.fingerprintSHA256 }

  /// The subject's distinguished name (RFC 2253).
  public var subject: String { self.publicPart.subject }

  /// When it begins to be valid.
  public var notBefore: WallTime { self.publicPart.notBefore }

  /// When it ends; no leaf outlives it.
  public var notAfter: WallTime { self.publicPart.notAfter }

  /// The key's kind and size in bits, such as `EC 256`.
  public var keyDescription: String { self.publicPart.keyDescription }
}
