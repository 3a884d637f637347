import TideCrypto

/// A digest that stands for several values: equal values in equal order, equal digest.
enum SettingsDigest {
  /// The SHA-256 of `parts`, each after its length, so that no two lists look the same joined.
  static func of(_ parts: [[UInt8]]) -> [UInt8] {
    var hasher = SHA256Hasher()
    for part in parts {
      hasher.update((0..<8).map { UInt8(truncatingIfNeeded: part.count >> (8 * $0)) })
      hasher.update(part)
    }
    return hasher.finish()
  }
}
