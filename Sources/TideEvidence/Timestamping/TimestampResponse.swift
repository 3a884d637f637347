internal import COpenSSL
internal import TideCore

/// What an authority answered (RFC 3161 §2.4.2), with a token; owns one `TS_RESP`.
@safe struct TimestampResponse: ~Copyable {
  private let handle: OpaquePointer
  /// The token's time.
  let time: WallTime
  /// The name of who signed it, as in its certificate (RFC 2253); empty if there is no certificate.
  let authority: String
  /// The token's number, in hexadecimal.
  let serial: String

  /// Reads an answer.
  ///
  /// - Throws: `malformed` if it is none, or no token was granted.
  init(_ bytes: [UInt8], from source: String) throws(EvidenceFailure) {
    guard let handle = unsafe tide_ts_read(bytes, bytes.count) else {
      throw EvidenceFailure(
        .malformed,
        detail: OpenSSLText.errors("\(source): not a time-stamp answer")
      )
    }
    guard unsafe tide_ts_is_granted(handle) == 1 else {
      let status = unsafe OpenSSLText.printed { unsafe tide_ts_print_status(handle, $0) }
      unsafe TS_RESP_free(handle)
      throw EvidenceFailure(.malformed, detail: "\(source): no time-stamp was granted: \(status)")
    }
    guard let time = unsafe Self.time(of: handle) else {
      unsafe TS_RESP_free(handle)
      throw EvidenceFailure(.malformed, detail: "\(source): the time-stamp has no time")
    }
    self.time = time
    self.authority = unsafe OpenSSLText.printed { unsafe tide_ts_print_signer(handle, $0) }
    self.serial = unsafe OpenSSLText.printed { unsafe tide_ts_print_serial(handle, $0) }
    ERR_clear_error()
    unsafe self.handle = handle
  }

  deinit { unsafe TS_RESP_free(self.handle) }

  /// Checks that it answers a request: imprint, nonce if the request has one, signature, and the
  /// certificates at the token's time.
  ///
  /// - Parameters:
  ///   - request: what was, or would have been, asked.
  ///   - roots: those to trust; nil for the system's.
  ///   - anyRoot: whether the certificates may lead to a root that is not among them.
  /// - Returns: nil if it does, else why not.
  func problem(
    with request: borrowing TimestampRequest,
    roots: TimestampRoots?,
    anyRoot: Bool
  ) -> String? {
    let isGood = unsafe tide_ts_check(self.handle, request.handle, roots?.path, anyRoot ? 1 : 0)
    guard isGood != 1 else {
      ERR_clear_error()
      return nil
    }
    return OpenSSLText.errors("the time-stamp")
  }

  private static func time(of handle: OpaquePointer) -> WallTime? {
    var seconds: Int64 = 0
    var digits = [CChar](repeating: 0, count: 10)
    let room = digits.count
    guard unsafe tide_ts_time(handle, &seconds, &digits, room) == 1,
      // What nanoseconds in 64 bits can hold.
      abs(seconds) < Int64.max / 1_000_000_000
    else { return nil }
    var fraction: Int64 = 0
    for digit in digits.dropLast() {
      fraction = fraction * 10 + Int64(digit == 0 ? 0 : digit - 0x30)
    }
    return WallTime(nanoseconds: seconds * 1_000_000_000 + fraction)
  }
}
