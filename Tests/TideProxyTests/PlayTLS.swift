import TideCore
import TideTLS

@testable import TideProxy

/// What a playbook's TLS is like, and what it shares with the connections of other playbooks.
struct PlayTLS {
  var authority = World.proxyCA
  var previous: Result<CertificateAuthority, any Error>?
  var untrusted = UntrustedUpstreams.refuse
  var revocation = RevocationChecking.staple
  var sessions: UpstreamSessions?
  var tickets: TicketKeys?
  var trust = TrustLedger(learning: .init(after: 3, duration: 600))
  var statistics = HandshakeStatistics()
  var revocations: (any RevocationCache)?
}
