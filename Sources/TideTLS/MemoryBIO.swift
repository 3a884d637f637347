import COpenSSL

/// Owns one in-memory `BIO`, for the text forms of certificates and keys.
@safe struct MemoryBIO: ~Copyable {
  let handle: OpaquePointer

  /// Makes an empty one; nil if memory is exhausted.
  init?() {
    guard let handle = unsafe BIO_new(BIO_s_mem()) else { return nil }
    unsafe self.handle = handle
  }

  /// Makes one to read `bytes` from; nil also if they are too many for a BIO.
  init?(copying bytes: [UInt8]) {
    guard let count = Int32(exactly: bytes.count), let handle = unsafe BIO_new(BIO_s_mem()) else {
      return nil
    }
    unsafe self.handle = handle
    // A write that fails leaves less to read, which whoever parses it will say.
    unsafe bytes.withUnsafeBytes { _ = unsafe BIO_write(handle, $0.baseAddress, count) }
  }

  deinit { unsafe BIO_free(self.handle) }

  /// What has been written and not read.
  var bytes: [UInt8] {
    var start: UnsafeMutablePointer<CChar>?
    let count = unsafe tide_bio_memory(self.handle, &start)
    guard count > 0, let start = unsafe start else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
  }
}
