internal import Glibc

/// Why the running proxy could not be steered.
public struct ControlFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: Hashable, Sendable {
    /// A proxy is listening on the socket already; its process.
    case alreadyRunning(Int32)
    /// Nobody is listening on the socket.
    case notRunning
    /// The proxy understood and said no.
    case refused
    /// What came is not a request, or not a reply.
    case malformed
    /// The other side took too long.
    case timeOut
    /// The system refused; its error number.
    case system(Int32)
  }

  /// What went wrong.
  public let code: Code
  /// One clause for people.
  public let detail: String

  /// Joins a failure.
  init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// Makes what a `ControlPort` throws when it will not or cannot; `reason` is shown to who asked.
  public init(refusing reason: String) { self.init(.refused, reason) }

  /// Joins what was tried and why the system refused.
  static func system(_ number: Int32, _ what: String) -> ControlFailure {
    ControlFailure(.system(number), "\(what): \(unsafe String(cString: strerror(number)))")
  }
}

extension ControlFailure: CustomStringConvertible {
  /// The clause.
  public var description: String { self.detail }
}
