import TideCore
import Testing

@testable import TideProxy

@Suite struct ProxyStatusTests {
  private func failure(
    _ code: FlowFailure.Code,
    _ origin: FlowFailure.Origin = .internal,
    _ detail: String = ""
  ) -> FlowFailure {
    FlowFailure(code, origin: origin, detail: detail)
  }

  @Test("The error's type tells the server's fault from the device's")
  func origins() {
    #expect(self.failure(.malformedMessage, .upstream).proxyError == .httpProtocolError)
    #expect(self.failure(.malformedMessage, .downstream).proxyError == .httpRequestError)
    #expect(self.failure(.headTooLarge, .upstream).proxyError == .httpResponseHeadSize)
    #expect(self.failure(.headTooLarge, .downstream).proxyError == .httpRequestError)
    #expect(self.failure(.truncated, .upstream).proxyError == .httpResponseIncomplete)
    #expect(self.failure(.untrustedUpstream, .upstream).proxyError == .tlsCertificateError)
    #expect(self.failure(.specialUse, .downstream).proxyError == .destinationIPProhibited)
    #expect(self.failure(.authenticationRequired, .downstream).proxyError == .httpRequestDenied)
  }

  @Test("Every failure has a type of RFC 9209's registry, and every type we know is used")
  func registry() {
    let registered: Set<String> = [
      "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable",
      "destination_ip_prohibited", "destination_ip_unroutable", "connection_refused",
      "connection_terminated", "connection_timeout", "connection_read_timeout",
      "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
      "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
      "http_response_incomplete", "http_response_header_section_size",
      "http_response_header_size", "http_response_body_size",
      "http_response_trailer_section_size", "http_response_trailer_size",
      "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout",
      "http_upgrade_failed", "http_protocol_error", "proxy_internal_response",
      "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected",
    ]
    var used: Set<ProxyError> = []
    for code in FlowFailure.Code.allCases {
      for origin in [FlowFailure.Origin.downstream, .upstream, .internal] {
        used.insert(self.failure(code, origin).proxyError)
      }
    }
    #expect(used.allSatisfy { registered.contains($0.rawValue) })
    #expect(used.count == ProxyError.allCases.count)
  }

  @Test("The field names us, the type, our code, the rule and the cause")
  func field() {
    let blocked = self.failure(.blockedByRule, .internal, "imei in the body")
    #expect(
      blocked.proxyStatus(rule: RuleID("uploads"))
        == "tidewaiter; error=http_request_denied; "
        + "details=\"blocked-by-rule; rule uploads; imei in the body\""
    )
    #expect(
      self.failure(.connectTimeout, .upstream).proxyStatus(rule: nil)
        == "tidewaiter; error=connection_timeout; details=\"connect-timeout\""
    )
  }

  @Test(
    "Whatever a peer wrote, details stays a String of structured fields: printable, escaped, bounded"
  )
  func quoting() {
    let odd = self.failure(.malformedMessage, .downstream, "a\"b\\c\r\nSet-Cookie: x\u{7F}手")
    #expect(
      odd.proxyStatus(rule: nil)
        == "tidewaiter; error=http_request_error; "
        + "details=\"malformed-message; a\\\"b\\\\c??Set-Cookie: x??\""
    )
    let long = self.failure(.internalError, .internal, String(repeating: "\"", count: 5_000))
    #expect(long.proxyStatus(rule: nil).utf8.count < 1_200)
  }
}
