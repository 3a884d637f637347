internal import COpenSSL

/// Comparisons whose time tells nothing of what was compared.
public enum ConstantTime {
  /// Whether two secrets are equal, in a time that depends on their length alone.
  public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    return unsafe a.withUnsafeBytes { a in
      unsafe b.withUnsafeBytes { b in
        unsafe a.isEmpty || CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0
      }
    }
  }
}
