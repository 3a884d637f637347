import COpenSSL
import TideCore

/// What libssl calls back, each time on the thread that called it and for one session.
///
/// The session is found through a pointer that it set itself, unretained: a session frees its `SSL`
/// before it goes, and nothing calls back but calls that the session makes.
enum SessionCallbacks {
  /// The slot of `SSL_set_ex_data` that is reserved for applications (`SSL_set_app_data`).
  static let slot: Int32 = 0

  /// Finds the session behind an `SSL`.
  static func session(of ssl: OpaquePointer?) -> TLSSession? {
    guard let pointer = unsafe SSL_get_ex_data(ssl, Self.slot) else { return nil }
    return unsafe Unmanaged<TLSSession>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Notes the fatal alert that libssl sends: nothing else tells it.
  static func information(_ ssl: OpaquePointer?, _ event: Int32, _ value: Int32) {
    // The level is in the upper byte, the alert in the lower.
    guard event == SSL_CB_WRITE_ALERT, value >> 8 == SSL3_AL_FATAL else { return }
    unsafe Self.session(of: ssl)?.sentAlert = UInt8(truncatingIfNeeded: value)
  }

  /// Shows the upstream, which asks for it, a client certificate, if there is one for it.
  ///
  /// One that is not verified, though the operator goes on with it, is shown none: it names its owner,
  /// and its signature is worth something. In TLS 1.3 too libssl calls when the server's certificate
  /// has been verified, but before it hands over the staple. It calls on the server's side as well,
  /// where the leaf is set already.
  ///
  /// - Returns: 1; without one, libssl says that there is none and lets the upstream decide.
  static func certificate(_ ssl: OpaquePointer?) -> Int32 {
    guard let session = unsafe Self.session(of: ssl), case .client(let context) = session.role
    else { return 1 }
    session.wantsClientCertificate = true
    guard let identity = session.identity else { return 1 }
    guard session.mayShowIdentity(context) else {
      session.withholdsIdentity = true
      return 1
    }
    if unsafe !identity.use(in: session.handle) {
      // Half of it may be set.
      unsafe SSL_certs_clear(session.handle)
      ErrorQueue.clear()
    }
    return 1
  }

  /// Takes a line of the key log.
  static func secret(_ ssl: OpaquePointer?, _ line: UnsafePointer<CChar>?) {
    guard let line = unsafe line else { return }
    unsafe Self.session(of: ssl)?.secrets.append(Bytes(String(cString: line)))
  }

  /// Ends a refusal with its alert; lets every other handshake go on.
  static func clientHello(
    _ ssl: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    guard let session = unsafe Self.session(of: ssl) else { return SSL_CLIENT_HELLO_ERROR }
    switch session.role {
    case .refusal(let number):
      unsafe alert?.pointee = Int32(number)
      return SSL_CLIENT_HELLO_ERROR
    case .client, .server:
      return SSL_CLIENT_HELLO_SUCCESS
    }
  }

  /// Selects exactly the protocol that the upstream chose (RFC 7301 §3.2).
  static func selectProtocol(
    _ ssl: OpaquePointer?,
    _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafeBufferPointer<UInt8>
  ) -> Int32 {
    guard let session = unsafe Self.session(of: ssl),
      let wanted = session.deviceSide?.applicationProtocol
    else {
      return SSL_TLSEXT_ERR_NOACK
    }
    var position = 0
    while position < offered.count {
      let start = position + 1
      let end = unsafe start + Int(offered[position])
      guard end <= offered.count else { break }
      if unsafe offered[start..<end].elementsEqual(wanted) {
        // The answer must outlive this call: it points into the client's own list.
        unsafe selected?.pointee = offered.baseAddress.map { unsafe $0 + start }
        unsafe selectedCount?.pointee = UInt8(truncatingIfNeeded: end - start)
        return SSL_TLSEXT_ERR_OK
      }
      position = end
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
}
