/// Why the engine could not start: what, where, and what to do about it.
public struct EngineFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for the operator.
  public let description: String

  /// Makes a failure.
  public init(_ description: String) { self.description = description }
}
