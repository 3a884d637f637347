import COpenSSL
public import TideCore

/// What leaves for untrusted servers are made with, all of it fresh: a CA that no device knows, and a
/// key that is not that of the good leaves, so that an exception for the one opens no other.
struct UntrustedIssuer {
  /// The longest subject and subjectAltName that are taken over, in bytes of DER.
  private static let longestCopy = 16 << 10

  private let authority: CertificateAuthority
  private let key: PrivateKey
  private let keyIdentifier: [UInt8]

  init(at now: WallTime) throws(TLSFailure) {
    self.authority = try .throwAway(at: now)
    self.key = try .generate(.p256)
    self.keyIdentifier = CertificateAuthority.keyIdentifier(of: self.key)
  }

  /// A leaf with the names and the validity of `original`, and nothing else of it: no must-staple,
  /// no address to ask at, no SCT.
  func leaf(for host: Host, like original: X509Certificate) throws(TLSFailure) -> Leaf {
    var extensions: [CertificateExtension] = [
      .endEntity, .digitalSignature, .serverAuthentication, .subjectKey(self.keyIdentifier),
      .authorityKey(self.authority.keyIdentifier),
    ]
    if let names = Self.alternativeNames(of: original, for: host) { extensions.append(names) }
    let subject = unsafe X509_get_subject_name(original.handle)
    let isShort = unsafe i2d_X509_NAME(subject, nil) <= Self.longestCopy
    let draft = CertificateDraft(
      subject: isShort ? .same(as: original) : .entries([]),
      notBefore: original.notBefore,
      notAfter: original.notAfter,
      extensions: extensions
    )
    return try self.signed(draft, for: host)
  }

  /// A leaf for `host` where the server's certificate cannot even be read.
  func leaf(for host: Host, at now: WallTime) throws(TLSFailure) -> Leaf {
    let draft = CertificateDraft(
      subject: .entries([]),
      notBefore: now.advanced(bySeconds: -3_600),
      notAfter: now.advanced(bySeconds: 86_400),
      extensions: [
        .endEntity, .digitalSignature, .serverAuthentication, .host(host, isCritical: true),
        .subjectKey(self.keyIdentifier), .authorityKey(self.authority.keyIdentifier),
      ]
    )
    return try self.signed(draft, for: host)
  }

  private func signed(_ draft: CertificateDraft, for host: Host) throws(TLSFailure) -> Leaf {
    let certificate = try draft.signed(
      for: self.key,
      by: self.authority.certificate,
      with: self.authority.key
    )
    // The throw-away CA goes along: whoever looks at the chain sees what it says of itself.
    return Leaf(
      host: host,
      certificate: certificate,
      key: self.key,
      chain: [self.authority.certificate]
    )
  }

  /// The subjectAltName as it is; of one that is too long only `host`, if it is in there.
  private static func alternativeNames(
    of original: X509Certificate,
    for host: Host
  ) -> CertificateExtension? {
    let index = unsafe X509_get_ext_by_NID(original.handle, NID_subject_alt_name, -1)
    guard let part = unsafe X509_get_ext(original.handle, index) else { return nil }
    let isCritical = unsafe X509_EXTENSION_get_critical(part) == 1
    guard let value = unsafe X509_EXTENSION_get_data(part) else { return nil }
    let count = unsafe Int(ASN1_STRING_length(value))
    guard count > Self.longestCopy else {
      let bytes = unsafe Array(
        UnsafeBufferPointer(start: ASN1_STRING_get0_data(value), count: count)
      )
      return CertificateExtension(kind: NID_subject_alt_name, isCritical: isCritical, value: bytes)
    }
    let isNamed =
      switch host {
      case .name(let name):
        unsafe X509_check_host(
          original.handle,
          name.text,
          name.text.utf8.count,
          UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS),
          nil
        ) == 1
      case .address(let address):
        unsafe X509_check_ip(original.handle, address.octets, address.octets.count, 0) == 1
      }
    ErrorQueue.clear()
    return isNamed ? .host(host, isCritical: isCritical) : nil
  }
}

extension LeafMinter {
  /// A leaf that a device is to refuse as it would refuse the server's own certificate
  /// (`tls.upstream_verify: mirror`): signed by a CA that is made for this minter alone and that nobody
  /// trusts, with the names and the validity of the original, so that an expired one is seen as expired
  /// and a wrong name as wrong.
  ///
  /// It is made anew each time and never kept with the good ones.
  ///
  /// - Parameters:
  ///   - host: whom the device asked for.
  ///   - chain: the server's certificates in DER, its own first; of one that cannot be read only the
  ///     host is known.
  ///   - now: the time.
  /// - Returns: the leaf.
  /// - Throws: `.internal`, or `.certificate` if its names cannot be written again.
  public func untrustedLeaf(
    for host: Host,
    mirroring chain: [Bytes],
    at now: WallTime
  ) throws(TLSFailure) -> Leaf {
    let issuer: UntrustedIssuer
    if let made = self.untrusted {
      issuer = made
    } else {
      issuer = try UntrustedIssuer(at: now)
      self.untrusted = issuer
    }
    self.mintedCount += 1
    guard let first = chain.first, let original = try? X509Certificate.parse(der: first.array)
    else {
      return try issuer.leaf(for: host, at: now)
    }
    return try issuer.leaf(for: host, like: original)
  }
}
