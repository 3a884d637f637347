import COpenSSL
import TideCore

/// An X.509 v3 certificate before it is signed (RFC 5280 §4.1).
struct CertificateDraft {
  /// An entry of a subject name.
  struct NameEntry {
    /// OpenSSL's number for the attribute, such as `NID_commonName`.
    let attribute: Int32
    let value: String
  }

  /// Whom a certificate is for.
  enum Subject {
    /// Entry by entry; none is legal if a critical subjectAltName stands in for the name.
    case entries([NameEntry])
    /// As in another certificate.
    case same(as: X509Certificate)
  }

  /// The subject's distinguished name.
  var subject: Subject
  /// The first second of validity.
  var notBefore: WallTime
  /// The last second of validity.
  var notAfter: WallTime
  /// The extensions, in order.
  var extensions: [CertificateExtension]

  /// Signs the draft with the key that it certifies.
  func selfSigned(with key: PrivateKey) throws(TLSFailure) -> X509Certificate {
    try unsafe self.signed(subjectKey: key.handle, issuer: nil, key: key)
  }

  /// Signs the draft for `subjectKey` in the name of `issuer`.
  func signed(
    for subjectKey: PrivateKey,
    by issuer: X509Certificate,
    with key: PrivateKey
  ) throws(TLSFailure) -> X509Certificate {
    try unsafe self.signed(subjectKey: subjectKey.handle, issuer: issuer.handle, key: key)
  }

  private func signed(
    subjectKey: OpaquePointer,
    issuer: OpaquePointer?,
    key: PrivateKey
  ) throws(TLSFailure) -> X509Certificate {
    ErrorQueue.clear()
    guard let handle = unsafe X509_new() else { throw .drained(.internal, "no certificate") }
    let certificate = unsafe X509Certificate(owning: handle)
    // Version 3 is written as 2.
    guard unsafe X509_set_version(handle, 2) == 1, unsafe Self.setSerial(of: handle),
      unsafe ASN1_TIME_set(X509_getm_notBefore(handle), Int(self.notBefore.seconds)) != nil,
      unsafe ASN1_TIME_set(X509_getm_notAfter(handle), Int(self.notAfter.seconds)) != nil,
      unsafe X509_set_pubkey(handle, subjectKey) == 1
    else { throw .drained(.internal, "a certificate cannot be filled in") }
    try unsafe self.setSubject(of: handle)
    let subject = unsafe X509_get_subject_name(handle)
    let issuerName = unsafe issuer.map { unsafe X509_get_subject_name($0) } ?? subject
    guard unsafe X509_set_issuer_name(handle, issuerName) == 1 else {
      throw .drained(.internal, "the issuer's name cannot be set")
    }
    for part in self.extensions { try unsafe part.add(to: handle) }
    guard unsafe key.sign(handle) else {
      throw .drained(.certificate, "a certificate cannot be signed")
    }
    return certificate
  }

  private func setSubject(of certificate: OpaquePointer) throws(TLSFailure) {
    switch self.subject {
    case .same(let other):
      let name = unsafe X509_get_subject_name(other.handle)
      guard unsafe X509_set_subject_name(certificate, name) == 1 else {
        throw .drained(.internal, "a subject cannot be copied")
      }
    case .entries(let entries):
      let name = unsafe X509_get_subject_name(certificate)
      for entry in entries {
        let value = Array(entry.value.utf8)
        let isAdded = unsafe X509_NAME_add_entry_by_NID(
          name,
          entry.attribute,
          MBSTRING_UTF8,
          value,
          Int32(value.count),
          -1,
          0
        )
        guard isAdded == 1 else { throw .drained(.certificate, "not a name for a certificate") }
      }
    }
  }

  /// Sets a serial number of 128 random bits: positive, at most 17 octets (RFC 5280 §4.1.2.2).
  private static func setSerial(of certificate: OpaquePointer) -> Bool {
    var random: (UInt64, UInt64) = (0, 0)
    return unsafe withUnsafeMutableBytes(of: &random) { bytes in
      let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
      guard unsafe RAND_bytes(start, 16) == 1, let number = unsafe BN_bin2bn(start, 16, nil)
      else { return false }
      defer { unsafe BN_free(number) }
      return unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }
  }
}
