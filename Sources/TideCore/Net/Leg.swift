/// The generation of a connection's upstream leg: late events of an older leg are ignored.
public struct UpstreamID: Hashable, Sendable {
  /// Counts from 1 for each connection.
  public let number: UInt32

  /// Makes an identifier.
  public init(_ number: UInt32) { self.number = number }
}

/// One side of one connection.
public enum Leg: Hashable, Sendable {
  /// The device's side.
  case downstream
  /// The server's side.
  case upstream(UpstreamID)
}
