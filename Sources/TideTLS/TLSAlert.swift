internal import COpenSSL

/// The TLS alerts that we send or name (RFC 8446 §6, RFC 7301 §3.2, RFC 7633).
public enum TLSAlert {
  /// No common parameters, or a peer that broke the handshake off.
  public static let handshakeFailure: UInt8 = 40
  /// A certificate that is corrupt or signed weakly.
  public static let badCertificate: UInt8 = 42
  /// A certificate that its issuer has revoked.
  public static let certificateRevoked: UInt8 = 44
  /// A certificate whose time is over or has not come.
  public static let certificateExpired: UInt8 = 45
  /// A certificate that is wrong in another way, such as its name.
  public static let certificateUnknown: UInt8 = 46
  /// A chain that leads to no known CA.
  public static let unknownCA: UInt8 = 48
  /// A message that breaks its grammar.
  public static let decodeError: UInt8 = 50
  /// Access control decided not to go on.
  public static let accessDenied: UInt8 = 49
  /// A version that the other side does not support.
  public static let protocolVersion: UInt8 = 70
  /// Parameters that are too weak.
  public static let insufficientSecurity: UInt8 = 71
  /// A mistake of ours.
  public static let internalError: UInt8 = 80
  /// A server name that is not served here.
  public static let unrecognizedName: UInt8 = 112
  /// A stapled answer that is missing though demanded, or is not what a responder makes.
  public static let badCertificateStatusResponse: UInt8 = 113
  /// No protocol in common.
  public static let noApplicationProtocol: UInt8 = 120
}

/// The name that the RFCs give an alert, such as `unknown_ca`; `alert_N` for a number without one.
public func alertName(_ alert: UInt8) -> String {
  switch alert {
  case 0: "close_notify"
  case 10: "unexpected_message"
  case 20: "bad_record_mac"
  case 22: "record_overflow"
  case 40: "handshake_failure"
  case 42: "bad_certificate"
  case 43: "unsupported_certificate"
  case 44: "certificate_revoked"
  case 45: "certificate_expired"
  case 46: "certificate_unknown"
  case 47: "illegal_parameter"
  case 48: "unknown_ca"
  case 49: "access_denied"
  case 50: "decode_error"
  case 51: "decrypt_error"
  case 70: "protocol_version"
  case 71: "insufficient_security"
  case 80: "internal_error"
  case 86: "inappropriate_fallback"
  case 90: "user_canceled"
  case 100: "no_renegotiation"
  case 109: "missing_extension"
  case 110: "unsupported_extension"
  case 112: "unrecognized_name"
  case 113: "bad_certificate_status_response"
  case 115: "unknown_psk_identity"
  case 116: "certificate_required"
  case 120: "no_application_protocol"
  default: "alert_\(alert)"
  }
}

/// The alert that ends the client's handshake when the upstream's failed: it names the cause.
///
/// The client never gets a valid padlock for an invalid upstream, and never a bare close: it is shown
/// the alert that it would have come to itself had it spoken with the upstream.
public func alertForClient(_ failure: TLSFailure) -> UInt8 {
  switch failure.code {
  case .untrusted:
    alertForVerifyError(failure.verifyError)
  case .alert, .handshake:
    // The client's own offer may be the cause of these; any other alert is about our messages.
    switch failure.alert {
    case TLSAlert.protocolVersion: TLSAlert.protocolVersion
    case TLSAlert.insufficientSecurity: TLSAlert.insufficientSecurity
    case TLSAlert.unrecognizedName: TLSAlert.unrecognizedName
    case TLSAlert.noApplicationProtocol: TLSAlert.noApplicationProtocol
    default: TLSAlert.handshakeFailure
    }
  case .protocol, .closed:
    TLSAlert.handshakeFailure
  case .certificate, .internal:
    TLSAlert.internalError
  }
}

/// The alert for one of OpenSSL's verification errors.
private func alertForVerifyError(_ error: Int?) -> UInt8 {
  switch Int32(truncatingIfNeeded: error ?? 0) {
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
    X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_INVALID_CA,
    X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_CERT_REJECTED:
    TLSAlert.unknownCA
  case X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED:
    TLSAlert.certificateExpired
  case X509_V_ERR_CERT_REVOKED:
    TLSAlert.certificateRevoked
  case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
    // There is no alert for a wrong name; this one stands for "some other issue" (RFC 8446 §6.2).
    TLSAlert.certificateUnknown
  case X509_V_ERR_OCSP_VERIFY_NEEDED, X509_V_ERR_OCSP_VERIFY_FAILED:
    TLSAlert.badCertificateStatusResponse
  default:
    TLSAlert.badCertificate
  }
}
