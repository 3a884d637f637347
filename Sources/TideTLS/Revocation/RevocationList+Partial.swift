import COpenSSL

extension RevocationList {
  /// What a list that OpenSSL does not use still says of a certificate that it lists.
  ///
  /// A list for some certificates or reasons, a delta, one with critical parts that nobody knows or whose
  /// issuer is not marked as one of lists vouches for nobody. But what the issuer has put on it with its
  /// own key is revoked. Not so on an indirect list (RFC 5280 §5.2.5), whose entries may be another
  /// CA's.
  ///
  /// - Parameters:
  ///   - certificate: which certificate.
  ///   - issuer: its issuer, whose name the list has.
  ///   - reason: why OpenSSL does not use the list.
  /// - Returns: `.revoked` or `.unusable`.
  func partialVerdict(
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    unusedFor reason: String
  ) -> Verdict {
    // Looked up first: to verify a list is to hash all of it.
    guard self.lists(certificate) else { return .unusable(reason) }
    guard unsafe X509_CRL_verify(self.handle, X509_get0_pubkey(issuer.handle)) == 1 else {
      return .unusable("not signed by the key of its issuer \(issuer.shortSubject)")
    }
    if let defect = self.signatureDefect { return .unusable(defect) }
    guard !self.isIndirect else { return .unusable("it lists the number, but is indirect") }
    return .revoked(self.entry(of: certificate))
  }

  /// Whether it can be read which part of the issuer's list it is.
  ///
  /// OpenSSL takes an issuing distribution point that cannot be read for none.
  var hasReadableScope: Bool {
    var presence: Int32 = -1
    let kind = NID_issuing_distribution_point
    let raw = unsafe X509_CRL_get_ext_d2i(self.handle, kind, &presence, nil)
    guard let raw = unsafe raw else { return presence == -1 }
    unsafe ISSUING_DIST_POINT_free(raw.assumingMemoryBound(to: ISSUING_DIST_POINT.self))
    return true
  }

  /// Whether it only says what has changed since another list (RFC 5280 §5.2.4), or something like it that cannot be read.
  var isDelta: Bool {
    unsafe X509_CRL_get_ext_by_NID(self.handle, NID_delta_crl, -1) >= 0
  }

  /// Whether it has the certificate's number, not to take it off another list (removeFromCRL).
  private func lists(_ certificate: X509Certificate) -> Bool {
    unsafe X509_CRL_get0_by_cert(self.handle, nil, certificate.handle) == 1
  }

  /// Whether it may have entries of other issuers than its own.
  private var isIndirect: Bool {
    let raw = unsafe X509_CRL_get_ext_d2i(self.handle, NID_issuing_distribution_point, nil, nil)
    guard let raw = unsafe raw else { return false }
    let point = unsafe raw.assumingMemoryBound(to: ISSUING_DIST_POINT.self)
    defer { unsafe ISSUING_DIST_POINT_free(point) }
    return unsafe point.pointee.indirectCRL > 0
  }
}
