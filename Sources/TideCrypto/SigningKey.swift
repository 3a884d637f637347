internal import COpenSSL
public import TideCore

/// A private Ed25519 key (RFC 8032).
public struct SigningKey: Sendable {
  private let key: KeyHandle

  /// Makes a new key.
  ///
  /// - Throws: `library` if OpenSSL has no memory or randomness.
  public static func generate() throws(CryptoFailure) -> SigningKey {
    guard let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else {
      throw .fromErrorQueue(.library, doing: "making a signing key")
    }
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var handle: OpaquePointer?
    guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_keygen(context, &handle) == 1,
      let handle = unsafe handle
    else { throw .fromErrorQueue(.library, doing: "making a signing key") }
    return unsafe SigningKey(key: KeyHandle(handle))
  }

  private init(key: KeyHandle) { self.key = key }

  /// Reads a key from PKCS #8 PEM, not encrypted.
  ///
  /// - Throws: `malformedKey` if the text is not an Ed25519 private key.
  public init(pem: Bytes) throws(CryptoFailure) {
    self.key = try KeyHandle.read(pem, as: .private)
  }

  /// The private key as PKCS #8 PEM, not encrypted.
  public var privateKeyPEM: [UInt8] {
    get throws(CryptoFailure) { try self.key.pem(.private) }
  }

  /// The public key as SubjectPublicKeyInfo PEM.
  public var publicKeyPEM: [UInt8] {
    get throws(CryptoFailure) { try self.key.pem(.public) }
  }

  /// Signs `message`: 64 bytes, always the same for the same message (RFC 8032 §5.1.6).
  ///
  /// - Throws: `library` if OpenSSL has no memory.
  public func sign(_ message: [UInt8]) throws(CryptoFailure) -> [UInt8] {
    guard let context = unsafe EVP_MD_CTX_new() else {
      throw .fromErrorQueue(.library, doing: "signing")
    }
    defer { unsafe EVP_MD_CTX_free(context) }
    guard unsafe EVP_DigestSignInit(context, nil, nil, nil, self.key.handle) == 1 else {
      throw .fromErrorQueue(.library, doing: "signing")
    }
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    let done = unsafe message.withUnsafeBufferPointer { input in
      unsafe EVP_DigestSign(context, &signature, &count, input.baseAddress, input.count)
    }
    guard done == 1, count == signature.count else {
      throw .fromErrorQueue(.library, doing: "signing")
    }
    return signature
  }
}

/// A public Ed25519 key (RFC 8032).
public struct VerifyingKey: Sendable {
  private let key: KeyHandle

  /// Reads a key from SubjectPublicKeyInfo PEM.
  ///
  /// - Throws: `malformedKey` if the text is not an Ed25519 public key.
  public init(pem: Bytes) throws(CryptoFailure) {
    self.key = try KeyHandle.read(pem, as: .public)
  }

  /// Whether `signature` is this key's over `message`.
  ///
  /// - Throws: `library` if OpenSSL has no memory.
  public func isValid(_ signature: [UInt8], for message: [UInt8]) throws(CryptoFailure) -> Bool {
    guard let context = unsafe EVP_MD_CTX_new() else {
      throw .fromErrorQueue(.library, doing: "verifying")
    }
    defer { unsafe EVP_MD_CTX_free(context) }
    guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, self.key.handle) == 1 else {
      throw .fromErrorQueue(.library, doing: "verifying")
    }
    let done = unsafe message.withUnsafeBufferPointer { input in
      unsafe EVP_DigestVerify(
        context,
        signature,
        signature.count,
        input.baseAddress,
        input.count
      )
    }
    if done != 1 { ERR_clear_error() }
    return done == 1
  }
}

/// Owns one reference to an Ed25519 `EVP_PKEY`.
@safe final class KeyHandle: @unchecked Sendable {
  // Sendable: OpenSSL counts references atomically, and a key does not change once it is made.
  let handle: OpaquePointer

  enum Half {
    case `private`
    case `public`
  }

  init(_ handle: OpaquePointer) { unsafe self.handle = handle }

  deinit { unsafe EVP_PKEY_free(self.handle) }

  static func read(_ pem: Bytes, as half: Half) throws(CryptoFailure) -> KeyHandle {
    let made: OpaquePointer? = unsafe pem.withUnsafeBytes { input in
      guard let count = Int32(exactly: input.count),
        let bio = unsafe BIO_new_mem_buf(input.baseAddress, count)
      else { return nil }
      defer { unsafe BIO_free(bio) }
      // The empty passphrase keeps OpenSSL from asking for one on the terminal.
      let passphrase: StaticString = ""
      let given = unsafe UnsafeMutableRawPointer(mutating: passphrase.utf8Start)
      switch half {
      case .private: return unsafe PEM_read_bio_PrivateKey(bio, nil, nil, given)
      case .public: return unsafe PEM_read_bio_PUBKEY(bio, nil, nil, given)
      }
    }
    guard let made = unsafe made else {
      throw .fromErrorQueue(.malformedKey, doing: "reading a key")
    }
    let key = unsafe KeyHandle(made)
    guard unsafe EVP_PKEY_get_id(made) == EVP_PKEY_ED25519 else {
      throw CryptoFailure(.malformedKey, detail: "the key is not an Ed25519 key")
    }
    return key
  }

  func pem(_ half: Half) throws(CryptoFailure) -> [UInt8] {
    guard let bio = unsafe BIO_new(BIO_s_mem()) else {
      throw .fromErrorQueue(.library, doing: "writing a key")
    }
    defer { unsafe BIO_free(bio) }
    let done =
      switch half {
      case .private: unsafe PEM_write_bio_PrivateKey(bio, self.handle, nil, nil, 0, nil, nil)
      case .public: unsafe PEM_write_bio_PUBKEY(bio, self.handle)
      }
    let room = unsafe BIO_ctrl_pending(bio)
    guard done == 1, room > 0, room < 1 << 16 else {
      throw .fromErrorQueue(.library, doing: "writing a key")
    }
    return unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      count = Int(max(0, unsafe BIO_read(bio, buffer.baseAddress, Int32(room))))
    }
  }
}
