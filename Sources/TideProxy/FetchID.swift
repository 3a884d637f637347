/// The number of a fetch of the proxy's own, so that its answer finds the question.
public struct FetchID: Hashable, Sendable {
  /// Counts from 1 for each connection.
  public let number: UInt32

  /// Makes an identifier.
  public init(_ number: UInt32) { self.number = number }
}
