import COpenSSL
public import TideCore

/// The CA of this installation: its certificate and its key.
///
/// Two installs have different names and keys, so a device that trusted both can tell them apart.
/// Nothing changes after it is made. `@unchecked Sendable`: it owns an `X509` and an `EVP_PKEY`, of
/// which OpenSSL counts the references atomically and locks the caches, and is never written to.
public final class CertificateAuthority: @unchecked Sendable {
  private static let longestLifetime: Int64 = 3_653 * 86_400

  let certificate: X509Certificate
  let key: PrivateKey
  /// What is sent after a leaf: nothing below a root, else this CA's certificate and those above.
  let leafChain: [X509Certificate]
  /// The key identifier that leaves point to.
  let keyIdentifier: [UInt8]

  private init(
    certificate: X509Certificate,
    key: PrivateKey,
    issuers: [X509Certificate]
  ) {
    self.keyIdentifier = Self.keyIdentifier(of: certificate)
    let isRoot = unsafe X509_self_signed(certificate.handle, 0) == 1
    self.leafChain = isRoot ? [] : [certificate] + issuers
    self.certificate = certificate
    self.key = key
  }

  /// Makes a CA of its own for this install.
  ///
  /// It may issue leaves for servers only: CA:TRUE with pathlen 0, keyCertSign and cRLSign, EKU
  /// serverAuth, so that a stolen key signs neither code nor mail nor a further CA.
  ///
  /// - Parameters:
  ///   - kind: what kind of key.
  ///   - lifetimeSeconds: how long it is valid from `now`, at most ten years; it begins a day
  ///     earlier, for devices whose clock is slow.
  ///   - now: the time.
  ///   - label: a name of the operator's choice, at most 64 characters, kept as organizational unit.
  /// - Returns: the CA, with a fresh key.
  /// - Throws: `.certificate` if the label or the lifetime is too long; `.internal`.
  public static func generate(
    key kind: KeyKind,
    lifetimeSeconds: Int64,
    at now: WallTime,
    label: String? = nil
  ) throws(TLSFailure) -> CertificateAuthority {
    guard (1...Self.longestLifetime).contains(lifetimeSeconds) else {
      throw TLSFailure(.certificate, detail: "a CA lives for at most ten years")
    }
    let key = try PrivateKey.generate(kind)
    var random: UInt32 = 0
    let isRandom = unsafe withUnsafeMutableBytes(of: &random) { bytes in
      unsafe RAND_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), 4) == 1
    }
    guard isRandom else { throw .drained(.internal, "no random bytes") }
    let digits = String(random, radix: 16)
    let suffix = String(repeating: "0", count: 8 - digits.utf8.count) + digits
    var subject = [
      CertificateDraft.NameEntry(
        attribute: NID_organizationName,
        value: "Tidewaiter (interception CA of this installation)"
      )
    ]
    if let label, !label.isEmpty {
      subject.append(.init(attribute: NID_organizationalUnitName, value: label))
    }
    subject.append(.init(attribute: NID_commonName, value: "Tidewaiter CA " + suffix))
    let identifier = Self.keyIdentifier(of: key)
    let draft = CertificateDraft(
      subject: subject,
      notBefore: now.advanced(bySeconds: -86_400),
      notAfter: now.advanced(bySeconds: lifetimeSeconds),
      extensions: [
        .authority, .certificateSigning, .serverAuthentication,
        .subjectKey(identifier), .authorityKey(identifier),
      ]
    )
    let certificate = try draft.selfSigned(with: key)
    return CertificateAuthority(certificate: certificate, key: key, issuers: [])
  }

  /// Takes a pair that is there: the operator's own CA, or ours from an earlier run.
  ///
  /// Further certificates in the text are taken for those above the CA, nearest first, and are sent
  /// with each leaf if the CA is not a root.
  ///
  /// - Parameters:
  ///   - certificatePEM: the CA's certificate, first.
  ///   - keyPEM: its key, unencrypted.
  /// - Throws: `.certificate` if either cannot be read, the key is another's, or the certificate is
  ///   not a CA's.
  public convenience init(certificatePEM: [UInt8], keyPEM: [UInt8]) throws(TLSFailure) {
    let certificates = try X509Certificate.parse(pem: certificatePEM)
    guard let certificate = certificates.first else {
      throw TLSFailure(.certificate, detail: "the PEM text holds no certificate")
    }
    let key = try PrivateKey.parse(pem: keyPEM)
    guard unsafe X509_check_private_key(certificate.handle, key.handle) == 1 else {
      ErrorQueue.clear()
      throw TLSFailure(.certificate, detail: "the private key is not the CA certificate's")
    }
    // 1: basicConstraints says so; older ways to be a CA are not accepted by today's devices.
    guard unsafe X509_check_ca(certificate.handle) == 1,
      unsafe X509_get_key_usage(certificate.handle) & UInt32(KU_KEY_CERT_SIGN) != 0
    else {
      ErrorQueue.clear()
      throw TLSFailure(.certificate, detail: "the certificate is not one of a CA")
    }
    self.init(certificate: certificate, key: key, issuers: Array(certificates.dropFirst()))
  }

  /// The certificate in PEM, which devices install.
  public var certificatePEM: [UInt8] {
    guard let memory = MemoryBIO() else { return [] }
    unsafe PEM_write_bio_X509(memory.handle, self.certificate.handle)
    return memory.bytes
  }

  /// The certificate in DER.
  public var certificateDER: [UInt8] { self.certificate.der }

  /// The private key as unencrypted PKCS#8 in PEM, for the one file that keeps it.
  ///
  /// - Throws: `.internal`.
  public func keyPEM() throws(TLSFailure) -> [UInt8] { try self.key.pem() }

  /// The SHA-256 of the certificate's DER, as devices show it.
  public var fingerprintSHA256: [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { room, filled in
      var count: UInt32 = 0
      let handle = unsafe self.certificate.handle
      let isDone = unsafe X509_digest(handle, EVP_sha256(), room.baseAddress, &count) == 1
      filled = isDone ? Int(count) : 0
    }
  }

  /// The subject's distinguished name (RFC 2253).
  public var subject: String { self.certificate.subject }

  /// When it begins to be valid.
  public var notBefore: WallTime { self.certificate.notBefore }

  /// When it ends; no leaf outlives it.
  public var notAfter: WallTime { self.certificate.notAfter }

  /// The key's kind and size in bits, such as `EC 256`.
  public var keyDescription: String { self.key.summary }

  /// The certificate, without the key, as PKCS#12 for systems that import only that.
  ///
  /// - Parameter password: what the importing system will ask for; it protects integrity only, since
  ///   the certificate is no secret.
  /// - Returns: the PKCS#12, in DER.
  /// - Throws: `.internal`.
  public func pkcs12(password: String) throws(TLSFailure) -> [UInt8] {
    ErrorQueue.clear()
    let stack = unsafe OPENSSL_sk_new_null()
    defer { unsafe OPENSSL_sk_free(stack) }
    // The stack borrows: the certificate outlives it.
    let handle = unsafe self.certificate.handle
    guard unsafe OPENSSL_sk_push(stack, UnsafeRawPointer(handle)) > 0 else {
      throw .drained(.internal, "PKCS#12")
    }
    let unencrypted: Int32 = -1
    let store = unsafe PKCS12_create(
      password,
      nil,
      nil,
      nil,
      stack,
      unencrypted,
      unencrypted,
      0,
      0,
      0
    )
    defer { unsafe PKCS12_free(store) }
    let count = unsafe i2d_PKCS12(store, nil)
    guard count > 0 else { throw .drained(.internal, "PKCS#12") }
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { room, filled in
      var position = room.baseAddress
      filled = unsafe max(0, Int(i2d_PKCS12(store, &position)))
    }
  }
}

extension CertificateAuthority {
  /// The identifier that the certificate gives its key, else one of ours.
  private static func keyIdentifier(of certificate: X509Certificate) -> [UInt8] {
    if let own = unsafe X509_get0_subject_key_id(certificate.handle) {
      let count = unsafe Int(ASN1_STRING_length(own))
      // A longer identifier is legal but would be no use to us.
      if (1...64).contains(count), let start = unsafe ASN1_STRING_get0_data(own) {
        return unsafe Array(UnsafeBufferPointer(start: start, count: count))
      }
    }
    return unsafe Array(X509Certificate.keyDigest(of: certificate.handle).prefix(20))
  }

  /// An identifier for a key: the first 160 bits of its SHA-256 (RFC 7093 §2, method 1).
  static func keyIdentifier(of key: PrivateKey) -> [UInt8] {
    // X509_pubkey_digest hashes just the bits that the RFC asks for, but wants a certificate.
    guard let handle = unsafe X509_new() else { return [] }
    let carrier = unsafe X509Certificate(owning: handle)
    guard unsafe X509_set_pubkey(carrier.handle, key.handle) == 1 else { return [] }
    return unsafe Array(X509Certificate.keyDigest(of: carrier.handle).prefix(20))
  }
}
