import COpenSSL

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

  /// Takes over a reference.
  init(owning handle: OpaquePointer) { unsafe self.handle = handle }

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

  /// Reads an unencrypted key: PKCS#8, or the older forms of EC and RSA.
  static func parse(pem: [UInt8]) throws(TLSFailure) -> PrivateKey {
    guard let memory = MemoryBIO(copying: pem) else { throw .drained(.internal, "memory") }
    ErrorQueue.clear()
    let handle = unsafe PEM_read_bio_PrivateKey(memory.handle, nil, refusePassphrase, nil)
    guard let handle = unsafe handle else {
      throw .drained(.certificate, "the private key cannot be read")
    }
    return unsafe PrivateKey(owning: handle)
  }

  /// The key as unencrypted PKCS#8 in PEM.
  func pem() throws(TLSFailure) -> [UInt8] {
    guard let memory = MemoryBIO() else { throw .drained(.internal, "memory") }
    ErrorQueue.clear()
    guard
      unsafe PEM_write_bio_PKCS8PrivateKey(memory.handle, self.handle, nil, nil, 0, nil, nil) == 1
    else { throw .drained(.internal, "the key cannot be written") }
    return memory.bytes
  }

  /// Such as `EC prime256v1` or `RSA 2048`.
  var summary: String {
    let bits = unsafe EVP_PKEY_get_bits(self.handle)
    let name = unsafe EVP_PKEY_get0_type_name(self.handle).map { unsafe String(cString: $0) } ?? "?"
    return "\(name) \(bits)"
  }

  /// The digest to sign with; nil for the Edwards curves, which bring their own (RFC 8410).
  var signatureDigest: OpaquePointer? {
    switch unsafe EVP_PKEY_get_base_id(self.handle) {
    case EVP_PKEY_ED25519, EVP_PKEY_ED448: nil
    default: unsafe EVP_sha256()
    }
  }
}
