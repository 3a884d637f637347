internal import COpenSSL
public import TideCore

/// A SHA-256 over bytes that arrive piece by piece; owns one `EVP_MD_CTX`.
///
/// One hasher serves for any number of digests: `finish` leaves it as new.
@safe public struct SHA256Hasher: ~Copyable {
  private let context: OpaquePointer

  /// Makes a hasher that has seen nothing.
  public init() {
    guard let context = unsafe EVP_MD_CTX_new(),
      unsafe EVP_DigestInit_ex2(context, DigestAlgorithm.sha256.handle, nil) == 1
    else { preconditionFailure("a digest context needs only memory") }
    unsafe self.context = context
  }

  deinit { unsafe EVP_MD_CTX_free(self.context) }

  /// Takes the next bytes.
  public mutating func update(_ bytes: Bytes) { bytes.withSpan { self.update($0) } }

  /// Takes the next bytes.
  public mutating func update(_ bytes: [UInt8]) { self.update(bytes.span) }

  /// Takes the next bytes.
  public mutating func update(_ bytes: borrowing Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { input in
      let done = unsafe EVP_DigestUpdate(self.context, input.baseAddress, input.count)
      precondition(done == 1, "hashing bytes in memory does not fail")
    }
  }

  /// The digest of what was taken until now; more may follow.
  public borrowing func digestSoFar() -> [UInt8] {
    guard let copy = unsafe EVP_MD_CTX_new(), unsafe EVP_MD_CTX_copy_ex(copy, self.context) == 1
    else { preconditionFailure("a digest context needs only memory") }
    defer { unsafe EVP_MD_CTX_free(copy) }
    return unsafe [UInt8](unsafeUninitializedCapacity: 32) { room, count in
      let done = unsafe EVP_DigestFinal_ex(copy, room.baseAddress, nil)
      precondition(done == 1, "hashing bytes in memory does not fail")
      count = 32
    }
  }

  /// Returns the digest of what was taken, and starts again.
  public mutating func finish() -> [UInt8] {
    var digest: [UInt8] = []
    self.finish(into: &digest)
    return digest
  }

  /// Replaces `digest` by that of what was taken, and starts again; for who uses its memory many times.
  public mutating func finish(into digest: inout [UInt8]) {
    digest.removeAll(keepingCapacity: true)
    digest.append(addingCapacity: 32) { output in
      unsafe output.withUnsafeMutableBufferPointer { room, count in
        let done = unsafe EVP_DigestFinal_ex(self.context, room.baseAddress, nil)
        precondition(done == 1, "hashing bytes in memory does not fail")
        count = 32
      }
    }
    let again = unsafe EVP_DigestInit_ex2(self.context, nil, nil)
    precondition(again == 1, "a digest context can be used again")
  }
}
