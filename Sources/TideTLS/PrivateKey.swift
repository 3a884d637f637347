import COpenSSL
import Synchronization

/// The kinds of key that a CA of ours may have.
public enum KeyKind: String, CaseIterable, Sendable {
  /// ECDSA with P-256.
  case p256
  /// RSA with 2048 bits, for devices that know nothing newer.
  case rsa2048
}

/// Owns one reference to an `EVP_PKEY`, which nobody changes any more.
///
/// A class, because a minter's leaves share theirs; as for certificates, OpenSSL locks its caches.
@safe final class PrivateKey {
  /// The key; valid as long as this owner is.
  let handle: OpaquePointer
  /// Whether the key's secret part lies in a PKCS#11 token, which does what is asked with it.
  let isInToken: Bool

  /// Taken while a token signs: neither the engine nor a token's module is sure to bear two at once.
  private static let tokens = Mutex(())

  /// Takes over a reference.
  init(owning handle: OpaquePointer, isInToken: Bool = false) {
    unsafe self.handle = handle
    self.isInToken = isInToken
  }

  deinit { unsafe EVP_PKEY_free(self.handle) }

  /// Makes a fresh key.
  static func generate(_ kind: KeyKind) throws(TLSFailure) -> PrivateKey {
    ErrorQueue.clear()
    let handle =
      switch kind {
      case .p256: unsafe tide_generate_p256()
      case .rsa2048: unsafe tide_generate_rsa2048()
      }
    guard let handle = unsafe handle else { throw .drained(.internal, "no key could be made") }
    return unsafe PrivateKey(owning: handle)
  }

  /// Signs a certificate that is complete but for its signature.
  func sign(_ certificate: OpaquePointer) -> Bool {
    guard self.isInToken else {
      return unsafe X509_sign(certificate, self.handle, self.signatureDigest) > 0
    }
    return Self.tokens.withLock { _ in
      unsafe X509_sign(certificate, self.handle, self.signatureDigest) > 0
    }
  }

  /// Such as `EC 256` or `RSA 2048`.
  var summary: String { unsafe Self.summary(of: self.handle) }

  /// The kind and the size in bits of any key.
  static func summary(of key: OpaquePointer?) -> String {
    guard let key = unsafe key else { return "?" }
    let bits = unsafe EVP_PKEY_get_bits(key)
    // A token's key may have no name of its own, and an engine's has the old number only.
    let name =
      switch unsafe EVP_PKEY_get_base_id(key) {
      case EVP_PKEY_EC: "EC"
      case EVP_PKEY_RSA: "RSA"
      default: unsafe EVP_PKEY_get0_type_name(key).map { unsafe String(cString: $0) } ?? "?"
      }
    return "\(name) \(bits)"
  }

  /// Whether today's clients accept what the key signs: RSA of 2048 bits, or a curve of 256.
  var isStrong: Bool {
    unsafe EVP_PKEY_get_bits(self.handle)
      >= (unsafe EVP_PKEY_get_base_id(self.handle) == EVP_PKEY_RSA ? 2_048 : 250)
  }

  /// The digest to sign with; nil for the Edwards curves, which bring their own (RFC 8410).
  var signatureDigest: OpaquePointer? {
    switch unsafe EVP_PKEY_get_base_id(self.handle) {
    case EVP_PKEY_ED25519, EVP_PKEY_ED448: nil
    default: unsafe EVP_sha256()
    }
  }
}
