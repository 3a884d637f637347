public import TideCore

/// The next bytes of a unit.
///
/// The bytes of all pieces in order are the content as it came.
public struct UnitPiece: Hashable, Sendable {
  /// What the bytes are.
  public enum Kind: Hashable, Sendable {
    /// The whole prefix of a gRPC message.
    case prefix(GRPCPrefix)
    /// The unit itself; of an event or a line, its line ends too.
    case content
  }

  /// The bytes; empty where a unit turns out to have ended with the piece before.
  public let bytes: Bytes
  /// What they are.
  public let kind: Kind
  /// Whether the unit is a gRPC message that is compressed.
  public let isCompressed: Bool
  /// Whether the unit ends here; an empty gRPC message ends with its prefix.
  public let endsUnit: Bool

  /// Joins a piece.
  public init(bytes: Bytes, kind: Kind = .content, isCompressed: Bool = false, endsUnit: Bool) {
    self.bytes = bytes
    self.kind = kind
    self.isCompressed = isCompressed
    self.endsUnit = endsUnit
  }
}
