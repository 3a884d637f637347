internal import TideCore
internal import TideCrypto

/// What opens encrypted cases: a key from a file, or a passphrase.
public struct CaseKey: Sendable {
  /// The two kinds; a case is opened by the kind that it was made with.
  public enum Kind: Sendable {
    /// 32 random bytes.
    case key
    /// What a person knows.
    case passphrase
  }

  /// The least bytes of a passphrase that a case is made with.
  public static let leastPassphrase = 12
  private static let mostPassphrase = 1_024

  /// Which it is.
  public let kind: Kind
  let bytes: [UInt8]

  private init(kind: Kind, bytes: [UInt8]) {
    self.kind = kind
    self.bytes = bytes
  }

  /// Reads a file of 32 bytes, or of 64 hexadecimal digits and perhaps a line feed.
  ///
  /// - Throws: `badKey` if it is something else, or if others than its owner may read it.
  public static func key(file path: String) throws(EvidenceFailure) -> CaseKey {
    let bytes = try self.read(path)
    if bytes.count == SymmetricKey.byteCount { return CaseKey(kind: .key, bytes: bytes) }
    let digits = self.withoutLineEnd(bytes)
    guard let key = Hex.decode(digits), key.count == SymmetricKey.byteCount else {
      throw EvidenceFailure(
        .badKey,
        detail: "\(path): neither 32 bytes nor 64 hexadecimal digits; "
          + "make a key: openssl rand -hex 32 > \(path)"
      )
    }
    return CaseKey(kind: .key, bytes: key)
  }

  /// Reads a file of a passphrase; a line feed at its end is no part of it.
  ///
  /// - Throws: `badKey` if it has less than 12 bytes or more than 1024, or if others than its owner may read it.
  public static func passphrase(file path: String) throws(EvidenceFailure) -> CaseKey {
    try self.passphrase(self.withoutLineEnd(try self.read(path)), from: path)
  }

  /// Takes a passphrase as it was typed.
  ///
  /// - Throws: `badKey` if it has less than 12 bytes in UTF-8, or more than 1024.
  public static func passphrase(typed bytes: [UInt8]) throws(EvidenceFailure) -> CaseKey {
    try self.passphrase(bytes, from: "the passphrase")
  }

  private static func passphrase(
    _ bytes: [UInt8],
    from place: String
  ) throws(EvidenceFailure) -> CaseKey {
    guard bytes.count >= self.leastPassphrase else {
      throw EvidenceFailure(
        .badKey,
        detail: "\(place): a passphrase has at least \(self.leastPassphrase) bytes"
      )
    }
    guard bytes.count <= self.mostPassphrase else {
      throw EvidenceFailure(
        .badKey,
        detail: "\(place): a passphrase has at most \(self.mostPassphrase) bytes"
      )
    }
    return CaseKey(kind: .passphrase, bytes: bytes)
  }

  private static func read(_ path: String) throws(EvidenceFailure) -> [UInt8] {
    do throws(EvidenceFailure) {
      try Folder.requirePrivate(path)
      return try Folder.read(path, limit: 4_096).array
    } catch {
      // Whatever it is, it is the operator's to put right.
      throw EvidenceFailure(.badKey, detail: error.detail)
    }
  }

  private static func withoutLineEnd(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    if bytes.last == 0x0A { bytes.removeLast() }
    if bytes.last == 0x0D { bytes.removeLast() }
    return bytes
  }
}
