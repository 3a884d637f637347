internal import COpenSSL

/// Why an operation of OpenSSL's did not come about.
public struct CryptoFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, Sendable {
    /// The system gave no random bytes.
    case noRandomness = "no-randomness"
    /// The text is not a key of the kind that was asked for.
    case malformedKey = "malformed-key"
    /// OpenSSL refused for a reason of its own, such as memory.
    case library
  }

  /// What went wrong.
  public let code: Code
  /// For people: OpenSSL's own words, where it has any.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, detail: String) {
    self.code = code
    self.detail = detail
  }

  /// Empties OpenSSL's error queue into a failure, so that the next call does not inherit it.
  static func fromErrorQueue(_ code: Code, doing action: String) -> CryptoFailure {
    var detail = action
    while true {
      let number = ERR_get_error()
      guard number != 0 else { break }
      guard let reason = unsafe ERR_reason_error_string(number) else { continue }
      unsafe detail += ": " + String(cString: reason)
    }
    return CryptoFailure(code, detail: detail)
  }
}
