internal import COpenSSL
public import TideCore

/// The block ciphers that apps encrypt payloads with inside TLS, whole blocks at a time.
///
/// They are here to read and rewrite what devices send, never to protect anything. Padding is the
/// caller's business.
public enum BlockCipher: String, CaseIterable, Sendable {
  /// AES (FIPS 197) with a key of 16 bytes.
  case aes128 = "aes-128"
  /// AES with a key of 24 bytes.
  case aes192 = "aes-192"
  /// AES with a key of 32 bytes.
  case aes256 = "aes-256"
  /// DES (FIPS 46-3): a key of 8 bytes, whose parity bits are ignored.
  case des
  /// Triple DES, encrypt-decrypt-encrypt: a key of 24 bytes, or of 16 with the first third used again.
  case tripleDES = "3des"
  /// TEA (Wheeler and Needham, 1994) with 32 cycles, words and key in big-endian order.
  case tea
  /// TEA with words and key in little-endian order, as C code on a phone reads them from memory.
  case littleEndianTEA = "tea-le"
  /// XTEA (1997) with 32 cycles, words and key in big-endian order.
  case xtea
  /// XTEA with words and key in little-endian order.
  case littleEndianXTEA = "xtea-le"

  /// How blocks depend on those before them (NIST SP 800-38A).
  public enum Chaining: Hashable, Sendable {
    /// Each block by itself.
    case ecb
    /// Each block combined with the ciphertext before it, the first with this vector of one block.
    case cbc(iv: [UInt8])
  }

  /// Bytes of a block.
  public var blockByteCount: Int {
    switch self {
    case .aes128, .aes192, .aes256: 16
    case .des, .tripleDES, .tea, .littleEndianTEA, .xtea, .littleEndianXTEA: 8
    }
  }

  /// How many bytes a key may have.
  public var keyByteCounts: [Int] {
    switch self {
    case .aes128, .tea, .littleEndianTEA, .xtea, .littleEndianXTEA: [16]
    case .aes192: [24]
    case .aes256: [32]
    case .des: [8]
    case .tripleDES: [24, 16]
    }
  }

  /// Encrypts whole blocks.
  ///
  /// - Throws: `malformedKey` if the key or the vector is of the wrong length, `library` if `bytes` are
  ///   no whole number of blocks.
  public func encrypt(
    _ bytes: Bytes,
    key: [UInt8],
    chaining: Chaining
  ) throws(CryptoFailure) -> Bytes {
    try self.run(bytes, key, chaining, isEncrypting: true)
  }

  /// Decrypts whole blocks.
  ///
  /// - Throws: as `encrypt` does.
  public func decrypt(
    _ bytes: Bytes,
    key: [UInt8],
    chaining: Chaining
  ) throws(CryptoFailure) -> Bytes {
    try self.run(bytes, key, chaining, isEncrypting: false)
  }

  private func run(
    _ bytes: Bytes,
    _ key: [UInt8],
    _ chaining: Chaining,
    isEncrypting: Bool
  ) throws(CryptoFailure) -> Bytes {
    guard self.keyByteCounts.contains(key.count) else {
      let counts = self.keyByteCounts.map { "\($0)" }.joined(separator: " or ")
      throw CryptoFailure(.malformedKey, detail: "a key of \(self.rawValue) has \(counts) bytes")
    }
    if case .cbc(let iv) = chaining, iv.count != self.blockByteCount {
      throw CryptoFailure(
        .malformedKey,
        detail: "an initialisation vector of \(self.rawValue) has \(self.blockByteCount) bytes"
      )
    }
    guard bytes.count % self.blockByteCount == 0, bytes.count <= Int32.max else {
      throw CryptoFailure(.library, detail: "no whole number of \(self.rawValue) blocks")
    }
    if bytes.isEmpty { return bytes }
    let transform = isEncrypting ? CipherAlgorithm.encrypt : CipherAlgorithm.decrypt
    switch self {
    case .aes128, .aes192, .aes256: return try transform(self, key, chaining, bytes)
    // Encrypting, decrypting and encrypting under one key is encrypting: single DES, which OpenSSL
    // keeps in a provider that need not be installed, comes from triple DES, which it always has.
    case .des: return try transform(self, key + key + key, chaining, bytes)
    case .tripleDES:
      return try transform(self, key.count == 24 ? key : key + key.prefix(8), chaining, bytes)
    case .tea, .littleEndianTEA, .xtea, .littleEndianXTEA:
      let cipher = TinyCipher(
        isExtended: self == .xtea || self == .littleEndianXTEA,
        isLittleEndian: self == .littleEndianTEA || self == .littleEndianXTEA,
        key: key
      )
      return isEncrypting
        ? cipher.encrypt(bytes, chaining) : cipher.decrypt(bytes, chaining)
    }
  }
}

/// One fetched `EVP_CIPHER`, kept for the life of the process.
@safe
private struct CipherAlgorithm: @unchecked Sendable {
  // Sendable: a fetched EVP_CIPHER is immutable, and this one is never freed.
  private let handle: OpaquePointer

  private init(_ name: String) {
    guard let handle = unsafe EVP_CIPHER_fetch(Self.library.handle, name, nil) else {
      preconditionFailure("OpenSSL's default provider has \(name)")
    }
    unsafe self.handle = handle
  }

  private static let library = LibraryContext()
  private static let aes128ECB = CipherAlgorithm("AES-128-ECB")
  private static let aes128CBC = CipherAlgorithm("AES-128-CBC")
  private static let aes192ECB = CipherAlgorithm("AES-192-ECB")
  private static let aes192CBC = CipherAlgorithm("AES-192-CBC")
  private static let aes256ECB = CipherAlgorithm("AES-256-ECB")
  private static let aes256CBC = CipherAlgorithm("AES-256-CBC")
  private static let tripleDESECB = CipherAlgorithm("DES-EDE3-ECB")
  private static let tripleDESCBC = CipherAlgorithm("DES-EDE3-CBC")

  static func encrypt(
    _ cipher: BlockCipher,
    _ key: [UInt8],
    _ chaining: BlockCipher.Chaining,
    _ bytes: Bytes
  ) throws(CryptoFailure) -> Bytes {
    try self.of(cipher, chaining).run(key, chaining, bytes, isEncrypting: true)
  }

  static func decrypt(
    _ cipher: BlockCipher,
    _ key: [UInt8],
    _ chaining: BlockCipher.Chaining,
    _ bytes: Bytes
  ) throws(CryptoFailure) -> Bytes {
    try self.of(cipher, chaining).run(key, chaining, bytes, isEncrypting: false)
  }

  private static func of(
    _ cipher: BlockCipher,
    _ chaining: BlockCipher.Chaining
  ) -> CipherAlgorithm {
    switch (cipher, chaining) {
    case (.aes128, .ecb): self.aes128ECB
    case (.aes128, .cbc): self.aes128CBC
    case (.aes192, .ecb): self.aes192ECB
    case (.aes192, .cbc): self.aes192CBC
    case (.aes256, .ecb): self.aes256ECB
    case (.aes256, .cbc): self.aes256CBC
    case (.des, .ecb), (.tripleDES, .ecb): self.tripleDESECB
    case (.des, .cbc), (.tripleDES, .cbc): self.tripleDESCBC
    case (.tea, _), (.littleEndianTEA, _), (.xtea, _), (.littleEndianXTEA, _):
      preconditionFailure("TEA is ours, not OpenSSL's")
    }
  }

  private func run(
    _ key: [UInt8],
    _ chaining: BlockCipher.Chaining,
    _ bytes: Bytes,
    isEncrypting: Bool
  ) throws(CryptoFailure) -> Bytes {
    let iv: [UInt8]
    switch chaining {
    case .ecb: iv = []
    case .cbc(let vector): iv = vector
    }
    guard let context = unsafe EVP_CIPHER_CTX_new() else {
      throw CryptoFailure.fromErrorQueue(.library, doing: "making a cipher context")
    }
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    let isReady = unsafe EVP_CipherInit_ex2(
      context,
      self.handle,
      key,
      iv.isEmpty ? nil : iv,
      isEncrypting ? 1 : 0,
      nil
    )
    guard isReady == 1, unsafe EVP_CIPHER_CTX_set_padding(context, 0) == 1 else {
      throw CryptoFailure.fromErrorQueue(.library, doing: "setting up a cipher")
    }
    // Without padding the result is as long as the input; the room is one block more than promised.
    return try unsafe Bytes(capacity: bytes.count + 16) { room throws(CryptoFailure) in
      var count: Int32 = 0
      let output = unsafe room.bindMemory(to: UInt8.self).baseAddress
      let done = unsafe bytes.withUnsafeBytes { input in
        unsafe EVP_CipherUpdate(
          context,
          output,
          &count,
          input.bindMemory(to: UInt8.self).baseAddress,
          Int32(input.count)
        )
      }
      guard done == 1, count == bytes.count else {
        throw CryptoFailure.fromErrorQueue(.library, doing: "running a cipher")
      }
      return Int(count)
    }
  }
}
