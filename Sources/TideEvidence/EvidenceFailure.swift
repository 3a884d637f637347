internal import Glibc
internal import TideCrypto

/// Why evidence could not be written, read or believed.
public struct EvidenceFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, Sendable {
    /// The disk, or the case's `max_size`, is full.
    case full
    /// The file system refused otherwise.
    case io
    /// Another process writes to the case.
    case inUse = "in-use"
    /// The case is sealed and takes nothing more.
    case sealed
    /// There is no case at this path.
    case notACase = "not-a-case"
    /// A name that cannot be a case's.
    case badName = "bad-name"
    /// A file of the case does not read as what it should be.
    case malformed
    /// There is no such flow or body in the case.
    case notFound = "not-found"
    /// The case is encrypted, and no key was given.
    case locked
    /// The case was encrypted with another key.
    case wrongKey = "wrong-key"
    /// What should be a key or a passphrase is none.
    case badKey = "bad-key"
    /// A word of a filter that has no meaning.
    case badFilter = "bad-filter"
    /// A key or a digest could not be made.
    case crypto
    /// The index could not be built or asked.
    case index
  }

  /// What went wrong.
  public let code: Code
  /// For people: which file, what happened, what to do.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, detail: String) {
    self.code = code
    self.detail = detail
  }

  /// What the system call that just failed says; call it before any other.
  static func system(_ action: String, _ path: String) -> EvidenceFailure {
    self.system(errno, action, path)
  }

  static func system(_ number: Int32, _ action: String, _ path: String) -> EvidenceFailure {
    let reason = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
    let detail = "\(path): cannot \(action): \(reason)"
    switch number {
    case ENOSPC, EDQUOT, EFBIG:
      return EvidenceFailure(.full, detail: "\(detail); free space on that disk")
    default:
      return EvidenceFailure(.io, detail: detail)
    }
  }

  init(_ failure: CryptoFailure) { self.init(.crypto, detail: failure.detail) }
}

extension EvidenceFailure: CustomStringConvertible {
  /// The detail.
  public var description: String { self.detail }
}
