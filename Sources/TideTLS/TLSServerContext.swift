import COpenSSL

/// What all sessions of one loop with devices share; the leaf is set for each session.
@safe public final class TLSServerContext {
  let handle: OpaquePointer
  /// What tickets are sealed with; nil gives none.
  let tickets: TicketKeys?

  /// Makes a context.
  ///
  /// No session is kept on this side, and no early data is ever taken (RFC 8446 §8: it can be
  /// replayed).
  ///
  /// - Parameters:
  ///   - tickets: what devices' tickets are sealed with; nil gives none, and takes none.
  ///   - keepsSecrets: whether sessions keep the lines of a key log for `takeSecrets`.
  /// - Throws: `.internal`.
  public init(tickets: TicketKeys? = nil, keepsSecrets: Bool = false) throws(TLSFailure) {
    self.tickets = tickets
    unsafe self.handle = try newContext(TLS_server_method())
    if tickets == nil {
      unsafe tide_ssl_ctx_forbid_tickets(self.handle)
      unsafe SSL_CTX_set_num_tickets(self.handle, 0)
    } else {
      unsafe SessionCallbacks.permitTickets(of: self.handle)
    }
    if keepsSecrets {
      unsafe SSL_CTX_set_keylog_callback(self.handle) { ssl, line in
        unsafe SessionCallbacks.secret(ssl, line)
      }
    }
    unsafe SSL_CTX_set_client_hello_cb(
      self.handle,
      { ssl, alert, _ in
        unsafe SessionCallbacks.clientHello(ssl, alert)
      },
      nil
    )
    unsafe SSL_CTX_set_alpn_select_cb(
      self.handle,
      { ssl, selected, count, offered, offeredCount, _ in
        unsafe SessionCallbacks.selectProtocol(
          ssl,
          selected,
          count,
          UnsafeBufferPointer(start: offered, count: Int(offeredCount))
        )
      },
      nil
    )
  }

  deinit { unsafe SSL_CTX_free(self.handle) }
}
