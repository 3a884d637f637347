import COpenSSL

extension TLSSession {
  /// Waits for a device's hello, which the first `receive` brings.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - leaf: what to show.
  ///   - applicationProtocol: the one to select if the device offers it; a device that offers only
  ///     others gets `no_application_protocol`. With nil the offer is not answered.
  ///   - maximumVersion: the highest version to agree on, such as 0x0303, so that the device is not
  ///     shown a newer one than the upstream's; nil for no bound.
  ///   - scope: what its tickets are good for, besides the host and the CA; a ticket opens nothing in
  ///     another scope.
  /// - Returns: the session.
  /// - Throws: `.internal`.
  public static func server(
    _ context: TLSServerContext,
    leaf: Leaf,
    applicationProtocol: String?,
    maximumVersion: UInt16?,
    scope: String = ""
  ) throws(TLSFailure) -> TLSSession {
    let side = DeviceSide(
      applicationProtocol: applicationProtocol.map { Array($0.utf8) },
      leafEnd: leaf.notAfter,
      tickets: context.tickets
    )
    let session = try unsafe TLSSession(role: .server(side), context: context.handle)
    let handle = unsafe session.handle
    if unsafe X509_cmp_current_time(X509_get0_notAfter(leaf.certificate.handle)) <= 0 {
      // The leaf of a server that has expired, mirrored: no session has any life left under it.
      unsafe tide_ssl_forbid_tickets(handle)
    } else if context.tickets != nil {
      let ticketScope = leaf.ticketScope(scope)
      guard
        unsafe SSL_set_session_id_context(handle, ticketScope, UInt32(ticketScope.count)) == 1
      else { throw .drained(.internal, "a ticket's scope cannot be set") }
    }
    guard unsafe SSL_use_certificate(handle, leaf.certificate.handle) == 1,
      unsafe SSL_use_PrivateKey(handle, leaf.key.handle) == 1
    else { throw .drained(.internal, "a leaf cannot be used") }
    for issuer in leaf.chain {
      guard unsafe tide_ssl_add_chain_certificate(handle, issuer.handle) == 1 else {
        throw .drained(.internal, "a leaf's chain cannot be used")
      }
    }
    if let maximumVersion {
      guard unsafe tide_ssl_set_highest_protocol(handle, Int32(maximumVersion)) == 1 else {
        throw .drained(.internal, "not a version to be bounded by")
      }
    }
    unsafe SSL_set_accept_state(handle)
    return session
  }

  /// Answers a device's hello with a fatal alert: feed it the hello, take the output, close.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - alert: its number; `alertForClient` and `alertName` know some.
  /// - Returns: the session.
  /// - Throws: `.internal`.
  public static func refusal(
    _ context: TLSServerContext,
    alert: UInt8
  ) throws(TLSFailure) -> TLSSession {
    let session = try unsafe TLSSession(role: .refusal(alert), context: context.handle)
    unsafe SSL_set_accept_state(session.handle)
    return session
  }
}
