internal import COpenSSL

/// Bytes that nobody can predict, from OpenSSL's generator.
public enum RandomBytes {
  /// Makes `count` random bytes.
  ///
  /// - Throws: `noRandomness` if the system has none to give.
  public static func make(_ count: Int) throws(CryptoFailure) -> [UInt8] {
    precondition(count >= 0 && count <= Int(Int32.max), "a count of bytes that OpenSSL can give")
    var done: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { room, made in
      done = unsafe count == 0 ? 1 : RAND_bytes(room.baseAddress, Int32(count))
      made = done == 1 ? count : 0
    }
    guard done == 1 else { throw .fromErrorQueue(.noRandomness, doing: "random bytes") }
    return bytes
  }
}
