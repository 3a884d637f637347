import COpenSSL

/// The BIO through which libssl reads and writes the bytes of a session: no socket, no copy kept.
///
/// Reading takes from what `receive` was given; writing appends to the session's output and never
/// fails, so libssl never has to retry a write.
enum SessionBIO {
  /// The method table, made once and never freed or changed: safe to share between threads.
  private nonisolated(unsafe) static let method: OpaquePointer? = {
    let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
    guard let method = unsafe BIO_meth_new(kind, "tidewaiter session") else { return nil }
    unsafe BIO_meth_set_read_ex(method) { unsafe SessionBIO.read($0, $1, $2, $3) }
    unsafe BIO_meth_set_write_ex(method) { unsafe SessionBIO.write($0, $1, $2, $3) }
    unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
      // Only flushing succeeds, having nothing to do; libssl asks whether much else is there.
      command == BIO_CTRL_FLUSH ? 1 : 0
    }
    return unsafe method
  }()

  /// Makes a BIO for a session, which it does not retain; nil if memory is exhausted.
  static func make(for session: TLSSession) -> OpaquePointer? {
    guard let method = unsafe Self.method, let bio = unsafe BIO_new(method) else { return nil }
    unsafe BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
    unsafe BIO_set_init(bio, 1)
    return unsafe bio
  }

  private static func read(
    _ bio: OpaquePointer?,
    _ target: UnsafeMutablePointer<CChar>?,
    _ wanted: Int,
    _ count: UnsafeMutablePointer<Int>?
  ) -> Int32 {
    guard let data = unsafe BIO_get_data(bio), let target = unsafe target else { return 0 }
    let taken = unsafe Unmanaged<TLSSession>.fromOpaque(data)._withUnsafeGuaranteedRef {
      unsafe $0.takeInput(UnsafeMutableRawBufferPointer(start: target, count: wanted))
    }
    guard taken > 0 else {
      unsafe tide_bio_set_retry_read(bio)
      return 0
    }
    unsafe tide_bio_clear_retry(bio)
    unsafe count?.pointee = taken
    return 1
  }

  private static func write(
    _ bio: OpaquePointer?,
    _ source: UnsafePointer<CChar>?,
    _ offered: Int,
    _ count: UnsafeMutablePointer<Int>?
  ) -> Int32 {
    guard let data = unsafe BIO_get_data(bio) else { return 0 }
    unsafe Unmanaged<TLSSession>.fromOpaque(data)._withUnsafeGuaranteedRef {
      unsafe $0.output.append(contentsOf: UnsafeRawBufferPointer(start: source, count: offered))
    }
    unsafe count?.pointee = offered
    return 1
  }
}
