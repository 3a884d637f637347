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
  private static func session(of ssl: OpaquePointer?) -> TLSSession? {
    guard let pointer = unsafe SSL_get_ex_data(ssl, Self.slot) else { return nil }
    return unsafe Unmanaged<TLSSession>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Notes the fatal alert that libssl sends: nothing else tells it.
  static func information(_ ssl: OpaquePointer?, _ event: Int32, _ value: Int32) {
    // The level is in the upper byte, the alert in the lower.
    guard event == SSL_CB_WRITE_ALERT, value >> 8 == SSL3_AL_FATAL else { return }
    unsafe Self.session(of: ssl)?.sentAlert = UInt8(truncatingIfNeeded: value)
  }

  /// Verifies the upstream's chain, by OpenSSL and then against our own CAs.
  static func verify(_ store: OpaquePointer?) -> Int32 {
    let slot = SSL_get_ex_data_X509_STORE_CTX_idx()
    let ssl = unsafe X509_STORE_CTX_get_ex_data(store, slot).map { OpaquePointer($0) }
    guard let session = unsafe Self.session(of: ssl), case .client(let context) = session.role
    else {
      return 0
    }
    // Taken here, because libssl forgets the chain when its verification fails.
    let sent = unsafe X509_STORE_CTX_get0_untrusted(store)
    session.chain = unsafe Self.certificates(sent).map { unsafe Bytes(X509Certificate.der(of: $0)) }
    let isValid = unsafe X509_verify_cert(store) == 1
    let isOwnAuthority = unsafe isValid && Self.contains(context.refusedKeys, in: store)
    if isOwnAuthority { unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED) }
    let isTrusted = isValid && !isOwnAuthority
    let verification = unsafe Verification(
      error: Int(X509_STORE_CTX_get_error(store)),
      depth: Int(X509_STORE_CTX_get_error_depth(store)),
      isOwnAuthority: isOwnAuthority,
      isRefused: !isTrusted && context.mode == .refuse
    )
    session.verification = verification
    return verification.isRefused ? 0 : 1
  }

  /// Notes that the upstream asked for a client certificate; we have none.
  static func clientCertificate(_ ssl: OpaquePointer?) -> Int32 {
    unsafe Self.session(of: ssl)?.wantsClientCertificate = true
    return 0
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
    guard let session = unsafe Self.session(of: ssl), case .server(let wanted?) = session.role
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

  /// Whether a verified chain holds one of our own keys.
  private static func contains(_ refusedKeys: [[UInt8]], in store: OpaquePointer?) -> Bool {
    guard !refusedKeys.isEmpty else { return false }
    return unsafe Self.certificates(X509_STORE_CTX_get0_chain(store)).contains {
      unsafe refusedKeys.contains(X509Certificate.keyDigest(of: $0))
    }
  }

  /// The certificates of a stack, which keeps them.
  private static func certificates(_ stack: OpaquePointer?) -> [OpaquePointer] {
    unsafe (0..<max(0, OPENSSL_sk_num(stack))).compactMap { index in
      unsafe OPENSSL_sk_value(stack, index).map { OpaquePointer($0) }
    }
  }
}
