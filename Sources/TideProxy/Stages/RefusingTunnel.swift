import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// Tunnels that are not let through: an alert that names the cause where there is TLS, else a close.
extension ConnectionMachine {
  /// Ends the device's handshake with a fatal alert that names the cause; no padlock is ever shown.
  func alert(
    _ alert: UInt8,
    _ tunnel: Tunnel,
    _ hello: HelloFacts,
    _ failure: FlowFailure,
    rule: RuleID? = nil
  ) {
    self.closeUpstream(.afterFlush)
    self.recordTunnelRefusal(tunnel, failure, serverName: hello.serverName, rule: rule)
    do throws(TLSFailure) {
      let session = try TLSSession.refusal(self.context.clientTLS, alert: alert)
      self.down.tls = session
      var none: [Bytes] = []
      try session.receive(hello.raw, &none)
    } catch {
      // The refusal itself always ends in an error: its alert is in the session's output.
    }
    self.drain(failure)
  }

  /// Closes a tunnel on which there is no TLS to say it in.
  func refuseTunnel(
    _ tunnel: Tunnel,
    _ failure: FlowFailure,
    serverName: Hostname?,
    rule: RuleID? = nil
  ) {
    self.recordTunnelRefusal(tunnel, failure, serverName: serverName, rule: rule)
    self.sniffed = Bytes()
    self.finish(failure)
  }

  func recordTunnelRefusal(
    _ tunnel: Tunnel,
    _ failure: FlowFailure,
    serverName: Hostname?,
    rule: RuleID? = nil
  ) {
    if case .site = tunnel.answerer { return }
    self.recordRefusal(
      authority: tunnel.authority,
      candidates: tunnel.candidates,
      target: tunnel.target,
      serverName: serverName,
      method: "CONNECT",
      url: tunnel.authority.description,
      status: 200,
      verdict: rule.map { Verdict(decided: .block, applied: .block, rule: $0) }
        ?? tunnel.decision?.verdict ?? .pass,
      failure: failure
    )
  }
}
