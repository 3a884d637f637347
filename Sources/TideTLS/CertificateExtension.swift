import COpenSSL
import TideCore

/// One extension of a certificate, as the DER of its value.
///
/// The few values that we need are short enough to write down; OpenSSL's own way to make them parses
/// a configuration text for each, which would cost more than the signature.
struct CertificateExtension {
  /// OpenSSL's number for the extension, such as `NID_subject_alt_name`.
  let kind: Int32
  /// Whether whoever does not know the extension must refuse the certificate.
  let isCritical: Bool
  /// The DER of the value.
  let value: [UInt8]

  /// `basicConstraints` of a CA that may issue leaves only (RFC 5280 §4.2.1.9).
  static let authority = CertificateExtension(
    kind: NID_basic_constraints,
    isCritical: true,
    value: [0x30, 0x06, 0x01, 0x01, 0xFF, 0x02, 0x01, 0x00]
  )  // cA TRUE, pathLenConstraint 0

  /// `basicConstraints` of a leaf.
  static let endEntity = CertificateExtension(
    kind: NID_basic_constraints,
    isCritical: true,
    value: [0x30, 0x00]
  )

  /// `keyUsage` of a CA: keyCertSign and cRLSign (RFC 5280 §4.2.1.3).
  static let certificateSigning = CertificateExtension(
    kind: NID_key_usage,
    isCritical: true,
    value: [0x03, 0x02, 0x01, 0x06]
  )

  /// `keyUsage` of a leaf: digitalSignature, which is all that ECDHE and TLS 1.3 ask for.
  static let digitalSignature = CertificateExtension(
    kind: NID_key_usage,
    isCritical: true,
    value: [0x03, 0x02, 0x07, 0x80]
  )

  /// `extKeyUsage` serverAuth, alone: neither the CA nor a leaf is good for code or mail.
  static let serverAuthentication = CertificateExtension(
    kind: NID_ext_key_usage,
    isCritical: false,
    value: [0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]
  )

  /// `subjectKeyIdentifier` (RFC 5280 §4.2.1.2) of at most 64 bytes.
  static func subjectKey(_ identifier: [UInt8]) -> CertificateExtension {
    CertificateExtension(
      kind: NID_subject_key_identifier,
      isCritical: false,
      value: Self.element(0x04, identifier)
    )
  }

  /// `authorityKeyIdentifier` (RFC 5280 §4.2.1.1): the issuer's key identifier.
  static func authorityKey(_ identifier: [UInt8]) -> CertificateExtension {
    CertificateExtension(
      kind: NID_authority_key_identifier,
      isCritical: false,
      value: Self.element(0x30, Self.element(0x80, identifier))
    )
  }

  /// `subjectAltName` (RFC 5280 §4.2.1.6) with one host and nothing beyond it.
  static func host(_ host: Host, isCritical: Bool) -> CertificateExtension {
    let name =
      switch host {
      case .name(let name): Self.element(0x82, Array(name.text.utf8))  // dNSName
      case .address(let address): Self.element(0x87, address.octets)  // iPAddress
      }
    return CertificateExtension(
      kind: NID_subject_alt_name,
      isCritical: isCritical,
      value: Self.element(0x30, name)
    )
  }

  /// A DER element with a content of at most 65,535 bytes.
  static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    precondition(content.count <= 0xFFFF, "our own extensions are short")
    let low = UInt8(truncatingIfNeeded: content.count)
    let header: [UInt8] =
      switch content.count {
      case ..<0x80: [tag, low]
      case ..<0x100: [tag, 0x81, low]
      default: [tag, 0x82, UInt8(content.count >> 8), low]
      }
    return header + content
  }

  /// Adds the extension to a certificate that is being made.
  func add(to certificate: OpaquePointer) throws(TLSFailure) {
    let value = unsafe ASN1_OCTET_STRING_new()
    defer { unsafe ASN1_OCTET_STRING_free(value) }
    guard unsafe ASN1_OCTET_STRING_set(value, self.value, Int32(self.value.count)) == 1,
      let part = unsafe X509_EXTENSION_create_by_NID(nil, self.kind, self.isCritical ? 1 : 0, value)
    else { throw .drained(.internal, "an extension cannot be made") }
    defer { unsafe X509_EXTENSION_free(part) }
    guard unsafe X509_add_ext(certificate, part, -1) == 1 else {
      throw .drained(.internal, "an extension cannot be added")
    }
  }
}
