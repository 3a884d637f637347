import COpenSSL
public import TideCore

extension TLSSession {
  /// What the device's side of this session is answered with; nil if it is another's.
  var deviceSide: DeviceSide? {
    switch self.role {
    case .server(let side): side
    case .client, .refusal: nil
    }
  }

  /// Whether the upstream got a certificate of ours, in this handshake or in the one that it went on
  /// from.
  public var gotClientCertificate: Bool {
    if self.isResumed { return self.resuming?.offered?.proof.gotClientCertificate == true }
    // A key that cannot sign as the upstream wants is not used; only who signed showed a certificate.
    return unsafe self.identity != nil && self.wantsClientCertificate
      && tide_ssl_has_signed(self.handle) == 1
  }

  /// Whether the upstream has been verified as far as can be before it learns who we are.
  func mayShowIdentity(_ context: TLSClientContext) -> Bool {
    guard self.peerRecord.verification?.isTrusted == true else { return false }
    switch (context.mode, context.revocation) {
    case (.refuse, _), (.record, .off):
      // Whoever refuses has judged the staple before the certificate leaves.
      return true
    case (.record, .staple), (.record, .fetch):
      var start: UnsafePointer<UInt8>?
      let count = unsafe tide_ssl_status_response(self.handle, &start)
      let staple =
        unsafe count > 0 ? start.map { unsafe Bytes(copying: .init(start: $0, count: count)) } : nil
      var record = self.peerRecord
      return record.judge(self.verifiedPath, by: staple, at: .systemNow) == nil
    }
  }

  /// What an upstream's alert has to do with the client certificate that it asked for; may be empty.
  func certificateDemand(behind alert: UInt8) -> String {
    switch alert {
    case 116: break  // certificate_required, of TLS 1.3 only
    // TLS 1.2 has no alert for it: servers send one of these.
    case TLSAlert.handshakeFailure, TLSAlert.badCertificate, TLSAlert.accessDenied,
      TLSAlert.certificateUnknown:
      guard self.wantsClientCertificate else { return "" }
    default: return ""
    }
    if self.gotClientCertificate { return ": it does not accept the client certificate for it" }
    if self.withholdsIdentity {
      return ": it demands a client certificate, and an upstream that is not verified is shown none"
    }
    if self.identity != nil {
      return ": it demands a client certificate, and the one for it has a key that it does not take"
    }
    return ": it demands a client certificate, and none is configured for it"
  }

  /// Takes the lines of the key log (the NSS form, no line ends) that came since the last call.
  ///
  /// Only if the context keeps them.
  public func takeSecrets() -> [Bytes] {
    defer { self.secrets = [] }
    return self.secrets
  }
}
