import COpenSSL
import TideCore

extension SessionCallbacks {
  /// Has an upstream's new sessions reported for keeping.
  static func reportSessions(of context: OpaquePointer) {
    unsafe tide_ssl_ctx_report_sessions(context)
    unsafe SSL_CTX_sess_set_new_cb(context) { ssl, session in
      if let session = unsafe session {
        unsafe SessionCallbacks.session(of: ssl)?.received(session)
      }
      return 0  // no reference is kept: what was received is a copy
    }
  }

  /// Gives devices tickets, and takes them.
  static func permitTickets(of context: OpaquePointer) {
    unsafe tide_ssl_ctx_permit_tickets(context, Int(Self.longestTicket))
    unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context) {
      ssl,
      name,
      vector,
      cipher,
      mac,
      isSealing in
      unsafe SessionCallbacks.ticketKey(ssl, name, vector, cipher, mac, isSealing)
    }
    unsafe SSL_CTX_set_session_ticket_cb(
      context,
      { ssl, _ in unsafe SessionCallbacks.boundTicket(ssl) },
      nil,
      nil
    )
  }

  /// The longest that a device may go on from a session, in seconds.
  static let longestTicket: Int64 = 3_600

  /// Sets up the key by which libssl seals or opens a ticket.
  ///
  /// - Returns: 1 to go on, 2 to go on with a new ticket, 0 for none: a full handshake.
  private static func ticketKey(
    _ ssl: OpaquePointer?,
    _ name: UnsafeMutablePointer<UInt8>?,
    _ vector: UnsafeMutablePointer<UInt8>?,
    _ cipher: OpaquePointer?,
    _ mac: OpaquePointer?,
    _ isSealing: Int32
  ) -> Int32 {
    guard let side = unsafe Self.session(of: ssl)?.deviceSide, let keys = side.tickets,
      let name = unsafe name, let vector = unsafe vector
    else { return 0 }
    if isSealing == 1 {
      guard let key = keys.sealer() else { return 0 }
      return unsafe key.seal(name, vector, cipher, mac) ? 1 : 0
    }
    let named = unsafe UnsafeRawBufferPointer(start: name, count: TicketKey.nameSize)
    guard let opener = unsafe keys.opener(named: named),
      unsafe opener.key.open(vector, cipher, mac)
    else { return 0 }
    // A device uses a ticket of TLS 1.3 once (RFC 8446 §C.4), so it needs the next.
    return unsafe opener.isCurrent && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2
  }

  /// Bounds a session's life, before it is sealed, by the leaf that its first handshake showed.
  ///
  /// The leaf's end travels in the ticket: a device that goes on from session to session has never
  /// seen a later leaf.
  private static func boundTicket(_ ssl: OpaquePointer?) -> Int32 {
    guard let side = unsafe Self.session(of: ssl)?.deviceSide,
      let session = unsafe SSL_get_session(ssl)
    else { return 0 }
    let start = unsafe Int64(SSL_SESSION_get_time(session))
    let end = unsafe Self.leafEnd(in: session) ?? side.leafEnd.seconds
    let left = max(0, min(Self.longestTicket, end - start))
    unsafe SSL_SESSION_set_timeout(session, Int(left))
    let text = Array(String(end).utf8)
    return unsafe SSL_SESSION_set1_ticket_appdata(session, text, text.count)
  }

  private static func leafEnd(in session: OpaquePointer) -> Int64? {
    var start: UnsafeMutableRawPointer?
    var count = 0
    guard unsafe SSL_SESSION_get0_ticket_appdata(session, &start, &count) == 1,
      let start = unsafe start, count > 0
    else { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
    return unsafe Int64(String(decoding: bytes, as: UTF8.self))
  }
}
