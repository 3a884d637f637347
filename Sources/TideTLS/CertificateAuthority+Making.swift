import COpenSSL
public import TideCore

extension CertificateAuthority {
  private static let longestLifetime: Int64 = 3_653 * 86_400

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
  ///   - permitted: the names that it is limited to, by critical name constraints; empty for no limit.
  /// - Returns: the CA, with a fresh key.
  /// - Throws: `.certificate` if the label or the lifetime is too long; `.internal`.
  public static func generate(
    key kind: KeyKind,
    lifetimeSeconds: Int64,
    at now: WallTime,
    label: String? = nil,
    permitting permitted: [PermittedName] = []
  ) throws(TLSFailure) -> CertificateAuthority {
    let key = try PrivateKey.generate(kind)
    return try Self.selfSigned(key, lifetimeSeconds, now, label, permitted)
  }

  /// Makes a CA whose key is one that a PKCS#11 token has already.
  ///
  /// - Parameters:
  ///   - token: where the key is: RSA of at least 2048 bits, or on a curve of at least 256.
  ///   - pin: what the token asks for before it signs.
  ///   - lifetimeSeconds: how long it is valid from `now`, at most ten years.
  ///   - now: the time.
  ///   - permitted: the names that it is limited to; empty for no limit.
  /// - Returns: the CA, with a certificate that is new.
  /// - Throws: `.certificate` if the token has no such key, or the key is too weak; `.internal`.
  public static func generate(
    token: TokenURI,
    pin: [UInt8]?,
    lifetimeSeconds: Int64,
    at now: WallTime,
    permitting permitted: [PermittedName] = []
  ) throws(TLSFailure) -> CertificateAuthority {
    let key = try PrivateKey.inToken(token, pin: pin)
    guard key.isStrong else {
      throw TLSFailure(
        .certificate,
        detail: "\(key.summary) is too weak: devices want RSA of 2048 bits, or P-256"
      )
    }
    return try Self.selfSigned(key, lifetimeSeconds, now, nil, permitted)
  }

  private static func selfSigned(
    _ key: PrivateKey,
    _ lifetimeSeconds: Int64,
    _ now: WallTime,
    _ label: String?,
    _ permitted: [PermittedName]
  ) throws(TLSFailure) -> CertificateAuthority {
    guard (1...Self.longestLifetime).contains(lifetimeSeconds) else {
      throw TLSFailure(.certificate, detail: "a CA lives for at most ten years")
    }
    var subject = [
      CertificateDraft.NameEntry(
        attribute: NID_organizationName,
        value: "Tidewaiter (interception CA of this installation)"
      )
    ]
    if let label, !label.isEmpty {
      subject.append(.init(attribute: NID_organizationalUnitName, value: label))
    }
    let suffix = try Self.randomDigits()
    subject.append(.init(attribute: NID_commonName, value: "Tidewaiter CA " + suffix))
    let identifier = Self.keyIdentifier(of: key)
    var extensions: [CertificateExtension] = [
      .authority, .certificateSigning, .serverAuthentication,
      .subjectKey(identifier), .authorityKey(identifier),
    ]
    if !permitted.isEmpty { extensions.append(try .nameConstraints(permitting: permitted)) }
    let draft = CertificateDraft(
      subject: .entries(subject),
      notBefore: now.advanced(bySeconds: -86_400),
      notAfter: now.advanced(bySeconds: lifetimeSeconds),
      extensions: extensions
    )
    let certificate = try draft.selfSigned(with: key)
    return try CertificateAuthority(certificate: certificate, key: key, issuers: [])
  }

  /// Makes a CA that no device trusts, for leaves that are to be as untrusted as what they stand for.
  static func throwAway(at now: WallTime) throws(TLSFailure) -> CertificateAuthority {
    let key = try PrivateKey.generate(.p256)
    let suffix = try Self.randomDigits()
    let identifier = Self.keyIdentifier(of: key)
    let draft = CertificateDraft(
      subject: .entries([
        .init(attribute: NID_organizationName, value: "Tidewaiter (trusted by nobody)"),
        .init(
          attribute: NID_commonName,
          value: "The server's own certificate is not trusted " + suffix
        ),
      ]),
      notBefore: now.advanced(bySeconds: -86_400),
      notAfter: now.advanced(bySeconds: Self.longestLifetime),
      extensions: [
        .authority, .certificateSigning, .serverAuthentication,
        .subjectKey(identifier), .authorityKey(identifier),
      ]
    )
    let certificate = try draft.selfSigned(with: key)
    return try CertificateAuthority(certificate: certificate, key: key, issuers: [])
  }

  /// Eight digits by which people tell two CAs apart.
  private static func randomDigits() throws(TLSFailure) -> String {
    var random: UInt32 = 0
    let isRandom = unsafe withUnsafeMutableBytes(of: &random) { bytes in
      unsafe RAND_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), 4) == 1
    }
    guard isRandom else { throw .drained(.internal, "no random bytes") }
    let digits = String(random, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}

extension CertificateAuthority {
  /// The identifier that the certificate gives its key, else one of ours.
  static func keyIdentifier(of certificate: X509Certificate) -> [UInt8] {
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
