internal import COpenSSL
public import TideCore

/// Keyed digests (RFC 2104).
public enum HMAC {
  /// The HMAC-SHA-256 of `message` under `key`: 32 bytes.
  public static func sha256(key: [UInt8], _ message: Bytes) -> [UInt8] {
    message.withSpan { self.sha256(key: key, $0) }
  }

  /// The HMAC-SHA-256 of `message` under `key`: 32 bytes.
  public static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    self.sha256(key: key, message.span)
  }

  /// The HMAC-SHA-256 of `message` under `key`: 32 bytes.
  public static func sha256(key: [UInt8], _ message: borrowing Span<UInt8>) -> [UInt8] {
    // RFC 2104 §2, written out: OpenSSL's one-shot function fetches its MAC anew at each call.
    var padded = key.count > 64 ? Digest.sha256.hash(key) : key
    padded.append(contentsOf: repeatElement(0, count: 64 - padded.count))
    var hasher = SHA256Hasher()
    hasher.update(padded.map { $0 ^ 0x36 })
    hasher.update(message)
    let inner = hasher.finish()
    hasher.update(padded.map { $0 ^ 0x5C })
    hasher.update(inner)
    return hasher.finish()
  }
}
