import TideCore

/// The error types of `Proxy-Status` that we use (RFC 9209 §2.3).
enum ProxyError: String {
  case connectionReadTimeout = "connection_read_timeout"
  case connectionRefused = "connection_refused"
  case connectionTimeout = "connection_timeout"
  case destinationIPProhibited = "destination_ip_prohibited"
  case dnsError = "dns_error"
  case httpProtocolError = "http_protocol_error"
  case httpRequestDenied = "http_request_denied"
  case httpRequestError = "http_request_error"
  case httpResponseIncomplete = "http_response_incomplete"
  case httpResponseTimeout = "http_response_timeout"
  case proxyInternalError = "proxy_internal_error"
  case proxyLoopDetected = "proxy_loop_detected"
  case tlsCertificateError = "tls_certificate_error"
  case tlsProtocolError = "tls_protocol_error"

  /// The type that comes nearest to `failure`.
  init(_ failure: FlowFailure) {
    let isUpstream = failure.origin == .upstream
    switch failure.code {
    case .malformedMessage, .ambiguousFraming, .headTooLarge:
      self = isUpstream ? .httpProtocolError : .httpRequestError
    case .malformedTarget, .clientHandshake, .badHello: self = .httpRequestError
    case .nameNotFound, .resolverFailed: self = .dnsError
    case .connectionRefused: self = .connectionRefused
    case .connectTimeout: self = .connectionTimeout
    case .wrongPeer, .specialUse: self = .destinationIPProhibited
    case .untrustedUpstream: self = .tlsCertificateError
    case .upstreamHandshake: self = .tlsProtocolError
    case .truncated: self = isUpstream ? .httpResponseIncomplete : .httpRequestError
    case .idleTimeout: self = isUpstream ? .connectionReadTimeout : .httpRequestError
    case .responseTimeout: self = .httpResponseTimeout
    case .loop: self = .proxyLoopDetected
    case .blockedByRule, .refusedByRule, .misdirected, .fronting, .notRedactable,
      .opaque:
      self = .httpRequestDenied
    case .overLimit, .shutdown, .internalError: self = .proxyInternalError
    }
  }
}
