import COpenSSL
public import TideCore

/// The certificate of a CA, without its key: what devices install.
///
/// `@unchecked Sendable`: it holds an `X509`, of which OpenSSL counts the references atomically and locks
/// the caches, and which is never written to.
public struct CACertificate: @unchecked Sendable {
  let certificate: X509Certificate

  init(_ certificate: X509Certificate) { self.certificate = certificate }

  /// Reads the first certificate of a PEM text.
  ///
  /// - Throws: `.certificate` if there is none, or it is not a CA's.
  public init(pem: [UInt8]) throws(TLSFailure) {
    guard let certificate = try X509Certificate.parse(pem: pem).first else {
      throw TLSFailure(.certificate, detail: "the PEM text holds no certificate")
    }
    // 1: basicConstraints says so; older ways to be a CA are not accepted by today's devices.
    guard unsafe X509_check_ca(certificate.handle) == 1,
      unsafe X509_get_key_usage(certificate.handle) & UInt32(KU_KEY_CERT_SIGN) != 0
    else {
      ErrorQueue.clear()
      throw TLSFailure(.certificate, detail: "the certificate is not one of a CA")
    }
    self.init(certificate)
  }

  /// The certificate in PEM.
  public var pem: [UInt8] {
    guard let memory = MemoryBIO() else { return [] }
    unsafe PEM_write_bio_X509(memory.handle, self.certificate.handle)
    return memory.bytes
  }

  /// The certificate in DER.
  public var der: [UInt8] { self.certificate.der }

  /// The SHA-256 of the certificate's DER, as devices show it.
  public var fingerprintSHA256: [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { room, filled in
      var count: UInt32 = 0
      let handle = unsafe self.certificate.handle
      let isDone = unsafe X509_digest(handle, EVP_sha256(), room.baseAddress, &count) == 1
      filled = isDone ? Int(count) : 0
    }
  }

  /// The SHA-256 of the public key's bits, by which a key is known again in another certificate.
  public var keySHA256: [UInt8] { unsafe X509Certificate.keyDigest(of: self.certificate.handle) }

  /// The subject's distinguished name (RFC 2253).
  public var subject: String { self.certificate.subject }

  /// When it begins to be valid.
  public var notBefore: WallTime { self.certificate.notBefore }

  /// When it ends; no leaf outlives it.
  public var notAfter: WallTime { self.certificate.notAfter }

  /// The key's kind and size in bits, such as `EC 256`.
  public var keyDescription: String {
    unsafe PrivateKey.summary(of: X509_get0_pubkey(self.certificate.handle))
  }

  /// The file name, without the `.0`, under which Android's system store looks for the certificate.
  ///
  /// The first four bytes of the subject's MD5, as OpenSSL before 1.0 had it; empty where there is no MD5.
  public var androidName: String {
    var isKnown: Int32 = 0
    let hash = unsafe tide_x509_subject_hash_old(self.certificate.handle, &isKnown)
    guard isKnown == 1 else { return "" }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
  }

  /// The certificate as PKCS#12 for systems that import only that.
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
