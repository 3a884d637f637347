internal import COpenSSL

/// Makes keys of other keys, and of what people can remember.
public enum KeyDerivation {
  /// What scrypt costs: `cost` times `blockSize` times 128 bytes of memory, `parallelism` times.
  public struct Scrypt: Hashable, Sendable {
    /// N: a power of two.
    public let cost: UInt64
    /// r.
    public let blockSize: UInt64
    /// p.
    public let parallelism: UInt64

    /// Joins parameters.
    public init(cost: UInt64, blockSize: UInt64, parallelism: UInt64) {
      self.cost = cost
      self.blockSize = blockSize
      self.parallelism = parallelism
    }
  }

  /// HKDF with SHA-256 (RFC 5869): the first 32 bytes.
  ///
  /// - Parameters:
  ///   - key: what has the entropy.
  ///   - salt: not secret; another one makes other keys.
  ///   - info: what the key is for, so that no two uses share one.
  /// - Returns: the key.
  public static func hkdf(_ key: [UInt8], salt: [UInt8], info: String) -> SymmetricKey {
    // Section 2.2, then 2.3 for one block. An empty salt is 32 zeros, which HMAC pads to the same.
    let extracted = HMAC.sha256(key: salt, key)
    return SymmetricKey(digest: HMAC.sha256(key: extracted, Array(info.utf8) + [1]))
  }

  /// The key of 32 bytes that a passphrase makes (scrypt, RFC 7914).
  ///
  /// - Throws: `library` if the parameters are none, or there is not that much memory.
  public static func scrypt(
    _ passphrase: [UInt8],
    salt: [UInt8],
    _ parameters: Scrypt
  ) throws(CryptoFailure) -> SymmetricKey {
    var key = [UInt8](repeating: 0, count: 32)
    let (memory, isTooMuch) = parameters.cost.multipliedReportingOverflow(
      by: parameters.blockSize &* 256
    )
    guard !isTooMuch, parameters.blockSize < 1 << 16 else {
      throw CryptoFailure(.library, detail: "scrypt: no such parameters")
    }
    let done = unsafe passphrase.withUnsafeBytes { passphrase in
      unsafe salt.withUnsafeBytes { salt in
        unsafe EVP_PBE_scrypt(
          passphrase.baseAddress?.assumingMemoryBound(to: CChar.self),
          passphrase.count,
          salt.baseAddress?.assumingMemoryBound(to: UInt8.self),
          salt.count,
          parameters.cost,
          parameters.blockSize,
          parameters.parallelism,
          memory + 1 << 20,
          &key,
          key.count
        )
      }
    }
    guard done == 1 else { throw .fromErrorQueue(.library, doing: "scrypt") }
    return SymmetricKey(digest: key)
  }
}
