public import TideCore

/// What comes before each gRPC message: a byte of flags and four of length, in network order.
public struct GRPCPrefix: Hashable, Sendable {
  /// The size of a prefix.
  public static let byteCount = 5

  /// Whether the message is compressed, by what grpc-encoding names.
  public let isCompressed: Bool
  /// Whether it is no message but the trailers of gRPC-Web.
  public let isTrailers: Bool
  /// The size of the message.
  public let length: UInt32

  /// Joins a prefix.
  public init(isCompressed: Bool, isTrailers: Bool = false, length: UInt32) {
    self.isCompressed = isCompressed
    self.isTrailers = isTrailers
    self.length = length
  }

  /// Reads a prefix; nil unless it is five bytes of which the first has no unknown flag.
  public init?(_ bytes: Bytes) {
    guard bytes.count == Self.byteCount, bytes[0] & 0x7E == 0 else { return nil }
    self.isCompressed = bytes[0] & 0x01 != 0
    self.isTrailers = bytes[0] & 0x80 != 0
    self.length = (1..<5).reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
  }

  /// The prefix as it is sent.
  public var bytes: Bytes {
    let flags: UInt8 = (self.isCompressed ? 0x01 : 0) | (self.isTrailers ? 0x80 : 0)
    return Bytes(
      [flags] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.length >> UInt32($0)) }
    )
  }
}
