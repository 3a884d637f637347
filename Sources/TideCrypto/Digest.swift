internal import COpenSSL
public import TideCore

/// A digest algorithm: the four that identifiers travel in and evidence is held together by.
///
/// MD5 and SHA-1 are here to recognise what devices send, never to protect anything.
public enum Digest: String, CaseIterable, Sendable {
  /// MD5 (RFC 1321): 16 bytes.
  case md5
  /// SHA-1 (FIPS 180-4): 20 bytes.
  case sha1
  /// SHA-256 (FIPS 180-4): 32 bytes.
  case sha256
  /// SHA-512 (FIPS 180-4): 64 bytes.
  case sha512

  /// The number of bytes of a result.
  public var byteCount: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256: 32
    case .sha512: 64
    }
  }

  /// The digest of `bytes`.
  public func hash(_ bytes: Bytes) -> [UInt8] { bytes.withSpan { self.hash($0) } }

  /// The digest of `bytes`.
  public func hash(_ bytes: [UInt8]) -> [UInt8] { self.hash(bytes.span) }

  /// The digest of `bytes`.
  public func hash(_ bytes: borrowing Span<UInt8>) -> [UInt8] {
    let algorithm = DigestAlgorithm.of(self)
    return unsafe [UInt8](unsafeUninitializedCapacity: self.byteCount) { room, count in
      let done = unsafe bytes.withUnsafeBufferPointer { input in
        unsafe EVP_Digest(
          input.baseAddress,
          input.count,
          room.baseAddress,
          nil,
          algorithm.handle,
          nil
        )
      }
      precondition(done == 1, "a digest of bytes in memory fails only when there is no memory")
      count = self.byteCount
    }
  }
}

/// One fetched `EVP_MD`, kept for the life of the process.
///
/// Fetched once because `EVP_sha256()` looks its implementation up again at every use, and from a
/// library context of our own so that no system-wide configuration (a FIPS provider without MD5, say)
/// takes away an algorithm that devices use.
@safe struct DigestAlgorithm: @unchecked Sendable {
  // Sendable: a fetched EVP_MD is immutable, and this one is never freed.
  let handle: OpaquePointer

  private init(_ name: String) {
    guard let handle = unsafe EVP_MD_fetch(Self.library.handle, name, nil) else {
      preconditionFailure("OpenSSL's default provider has \(name)")
    }
    unsafe self.handle = handle
  }

  private static let library = LibraryContext()
  private static let md5 = DigestAlgorithm("MD5")
  private static let sha1 = DigestAlgorithm("SHA1")
  private static let sha512 = DigestAlgorithm("SHA512")
  static let sha256 = DigestAlgorithm("SHA256")

  static func of(_ digest: Digest) -> DigestAlgorithm {
    switch digest {
    case .md5: self.md5
    case .sha1: self.sha1
    case .sha256: self.sha256
    case .sha512: self.sha512
    }
  }
}

/// An OpenSSL library context that reads no configuration, kept for the life of the process.
///
/// A context into which no provider is loaded has the default provider (provider(7), "fallback").
@safe struct LibraryContext: @unchecked Sendable {
  // Sendable: OpenSSL locks a library context itself, and this one is never freed.
  let handle: OpaquePointer

  init() {
    guard let handle = unsafe OSSL_LIB_CTX_new() else {
      preconditionFailure("a library context needs only memory")
    }
    unsafe self.handle = handle
  }
}
