internal import COpenSSL
public import TideCore

/// A SHA-256 over bytes that arrive piece by piece; it allocates nothing but its results.
///
/// One hasher serves for any number of digests: `finish` leaves it as new.
@safe public struct SHA256Hasher: ~Copyable {
  private var state = SHA256_CTX()

  /// Makes a hasher that has seen nothing.
  public init() { unsafe tide_sha256_begin(&self.state) }

  /// Takes the next bytes.
  public mutating func update(_ bytes: Bytes) { bytes.withSpan { self.update($0) } }

  /// Takes the next bytes.
  public mutating func update(_ bytes: [UInt8]) { self.update(bytes.span) }

  /// Takes the next bytes.
  public mutating func update(_ bytes: borrowing Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { input in
      unsafe tide_sha256_add(&self.state, input.baseAddress, input.count)
    }
  }

  /// The digest of what was taken until now; more may follow.
  public borrowing func digestSoFar() -> [UInt8] {
    var copy = self.state
    return unsafe [UInt8](unsafeUninitializedCapacity: 32) { room, count in
      unsafe tide_sha256_end(&copy, room.baseAddress)
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
        unsafe tide_sha256_end(&self.state, room.baseAddress)
        count = 32
      }
    }
    unsafe tide_sha256_begin(&self.state)
  }
}
