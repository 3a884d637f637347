import COpenSSL
import TideCore
import TideCrypto

extension Leaf {
  /// What tickets are good for: the session id context of RFC 5077 §3.4, 32 bytes.
  ///
  /// It names host, issuer and scope, so that a ticket opens nothing at another host, after the CA was
  /// replaced, or under a certificate that is signed by nobody. A leaf that names no issuer's key
  /// stands for itself alone.
  func ticketScope(_ scope: String) -> [UInt8] {
    let keyIdentifier = unsafe X509_get0_authority_key_id(self.certificate.handle).map {
      identifier in
      unsafe UnsafeBufferPointer(
        start: ASN1_STRING_get0_data(identifier),
        count: Int(ASN1_STRING_length(identifier))
      )
    }
    let issuer = unsafe keyIdentifier.map { unsafe Array($0) } ?? self.certificate.der
    return SettingsDigest.of([
      Array(self.host.description.utf8), issuer, Array(scope.utf8),
    ])
  }
}
