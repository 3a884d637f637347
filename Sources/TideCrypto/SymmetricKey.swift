/// 32 secret bytes that only a generator, a derivation or their owner's file can have made.
public struct SymmetricKey: Sendable {
  /// How many bytes a key has.
  public static let byteCount = 32

  /// The bytes.
  public let bytes: [UInt8]

  /// Takes a key; nil if it has not 32 bytes.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  /// A digest of 32 bytes as a key.
  init(digest: [UInt8]) {
    precondition(digest.count == Self.byteCount, "SHA-256 has as many bytes as a key")
    self.bytes = digest
  }
}
