/// Why a plan or a context could not be made.
public struct InspectionFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, CaseIterable, Sendable {
    /// An inspector's name that no inspector has.
    case unknownInspector = "unknown-inspector"
    /// The case secret is not 32 bytes.
    case badSecret = "bad-secret"
    /// A key of the profile's that no cipher takes.
    case badKey = "bad-key"
    /// The needles do not compile, or there is no memory for them.
    case needles
  }

  /// What went wrong.
  public let code: Code
  /// For people: one clause; names what the operator wrote, never a profile's value.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }
}
