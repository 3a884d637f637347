import TideCore

/// The error types of `Proxy-Status` that we use (RFC 9209 §2.3).
enum ProxyError: String, CaseIterable {
  case connectionReadTimeout = "connection_read_timeout"
  case connectionRefused = "connection_refused"
  case connectionTerminated = "connection_terminated"
  case connectionTimeout = "connection_timeout"
  case destinationIPProhibited = "destination_ip_prohibited"
  case dnsError = "dns_error"
  case httpProtocolError = "http_protocol_error"
  case httpRequestDenied = "http_request_denied"
  case httpRequestError = "http_request_error"
  case httpResponseHeadSize = "http_response_header_section_size"
  case httpResponseIncomplete = "http_response_incomplete"
  case httpResponseTimeout = "http_response_timeout"
  case proxyInternalError = "proxy_internal_error"
  case proxyLoopDetected = "proxy_loop_detected"
  case tlsCertificateError = "tls_certificate_error"
  case tlsProtocolError = "tls_protocol_error"
}

extension FlowFailure {
  /// The type of RFC 9209 that comes nearest: the one table from our codes to it.
  var proxyError: ProxyError {
    let isUpstream = self.origin == .upstream
    return switch self.code {
    case .malformedMessage, .ambiguousFraming:
      isUpstream ? .httpProtocolError : .httpRequestError
    case .headTooLarge: isUpstream ? .httpResponseHeadSize : .httpRequestError
    case .malformedTarget, .clientHandshake, .badHello: .httpRequestError
    case .nameNotFound, .resolverFailed: .dnsError
    case .connectionRefused: .connectionRefused
    case .connectTimeout: .connectionTimeout
    case .wrongPeer, .specialUse: .destinationIPProhibited
    case .untrustedUpstream: .tlsCertificateError
    case .upstreamHandshake: .tlsProtocolError
    case .truncated: isUpstream ? .httpResponseIncomplete : .connectionTerminated
    case .idleTimeout: isUpstream ? .connectionReadTimeout : .httpRequestError
    case .responseTimeout: .httpResponseTimeout
    case .loop: .proxyLoopDetected
    case .blockedByRule, .refusedByRule, .misdirected, .fronting, .notRedactable, .opaque,
      .authenticationRequired:
      .httpRequestDenied
    case .overLimit, .shutdown, .internalError: .proxyInternalError
    }
  }

  /// The value of `Proxy-Status` on an answer of ours (RFC 9209 §2): who answers, the error's type, and
  /// in `details` our own name for it, the rule if one decided, and what else there is to say.
  ///
  /// Rule and code stand in `details` and not in parameters of their own: parameters are registered
  /// (§2.2), and readers are to ignore all others.
  func proxyStatus(rule: RuleID?) -> String {
    var details = self.code.rawValue
    if let rule { details += "; rule \(rule)" }
    if !self.detail.isEmpty { details += "; \(self.detail)" }
    return "tidewaiter; error=\(self.proxyError.rawValue); details=\(Self.quoted(details))"
  }

  /// The most characters of `details`: RFC 8941 §3.3.3 has parsers take 1,024.
  private static let detailsLimit = 512

  /// `text` as a String of structured fields (RFC 8941 §3.3.3), which is printable ASCII: a `?` for
  /// whatever is not.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars.prefix(Self.detailsLimit) {
      switch scalar {
      case "\"", "\\":
        quoted += "\\"
        quoted.unicodeScalars.append(scalar)
      case " "..."~": quoted.unicodeScalars.append(scalar)
      default: quoted += "?"
      }
    }
    return quoted + "\""
  }
}

extension LoopContext {
  /// The page that answers in a server's place: the site's, with `Proxy-Status` and never to be kept.
  func page(for notice: Notice) -> LocalResponse {
    let page = self.site.page(for: notice)
    var fields = page.fields.filter { name, _ in
      !ASCII.equalsIgnoringCase(name.utf8, "proxy-status".utf8)
    }
    if !fields.contains(where: { ASCII.equalsIgnoringCase($0.0.utf8, "cache-control".utf8) }) {
      fields.append(("Cache-Control", "no-store"))
    }
    fields.append(("Proxy-Status", notice.failure.proxyStatus(rule: notice.rule)))
    return LocalResponse(status: page.status, fields: fields, body: page.body)
  }
}
