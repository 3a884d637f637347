import COpenSSL

/// OpenSSL's error queue: one per thread, shared by every session on it.
///
/// Whatever is left in it is taken for the failure of the next call, which may be another
/// connection's; so it is emptied before each call that reports through it and after each failure.
enum ErrorQueue {
  /// Forgets all errors; where there are none, as nearly always, without going through the queue.
  static func clear() { if ERR_peek_error() != 0 { ERR_clear_error() } }

  /// The packed code of the error that came first, if there is one; it stays queued.
  static var first: UInt? {
    let code = ERR_peek_error()
    return code == 0 ? nil : code
  }

  /// OpenSSL's words for a packed error code.
  static func text(of code: UInt) -> String {
    guard let reason = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
    return unsafe String(cString: reason)
  }
}

extension TLSFailure {
  /// Makes a failure of `action` with OpenSSL's reason, and empties the error queue.
  static func drained(_ code: Code, _ action: String) -> TLSFailure {
    let reason = ErrorQueue.first.map { ": " + ErrorQueue.text(of: $0) } ?? ""
    ErrorQueue.clear()
    return TLSFailure(code, detail: action + reason)
  }
}
