import TideCore
import TideEvidence

/// The TLS of a flow's connection for people: a line for each leg.
struct HandshakeText {
  let lines: [String]

  init(_ detail: FlowDetail) {
    var lines: [String] = []
    for handshake in detail.handshakes {
      let facts = handshake.facts
      lines.append(
        facts.peer == nil
          ? Self.device(facts, detail.fingerprint) : Self.server(facts)
      )
    }
    // A connection that is passed on, or ended early, has a hello and no handshake of ours.
    if let ja4 = detail.fingerprint, !detail.handshakes.contains(where: { $0.facts.peer == nil }) {
      lines.append("device JA4 \(ja4)")
    }
    self.lines = lines.map(\.printable)
  }

  private static func device(_ facts: HandshakeFacts, _ fingerprint: String?) -> String {
    let parts = [Self.agreement(facts), fingerprint.map { "JA4 \($0)" }]
    return "device " + parts.compactMap { $0 }.joined(separator: ", ")
  }

  private static func server(_ facts: HandshakeFacts) -> String {
    let peer = facts.peer
    let parts = [
      Self.agreement(facts),
      Self.verification(facts),
      peer?.revocation.map(Self.revocation),
      peer.flatMap { Self.timestamps($0.timestamps.count) },
      peer.flatMap(Self.clientCertificate),
      facts.fingerprint.map { "our JA4 \($0)" },
    ]
    return "server " + parts.compactMap { $0 }.joined(separator: ", ")
  }

  private static func agreement(_ facts: HandshakeFacts) -> String {
    guard !facts.version.isEmpty else { return "no agreement" }
    let words = [
      facts.version, facts.cipher, facts.group, facts.applicationProtocol,
      facts.isResumed ? "resumed" : nil,
    ]
    return words.compactMap { $0 }.joined(separator: " ")
  }

  private static func verification(_ facts: HandshakeFacts) -> String? {
    guard let peer = facts.peer, let verification = peer.verification else { return nil }
    guard verification == "ok" else { return "NOT verified: \(verification)" }
    let anchor = peer.anchor.map { " to \($0)" } ?? ""
    return "verified" + anchor + (peer.isPublicAnchor == false ? " (not a public root)" : "")
  }

  private static func revocation(_ revocation: HandshakeFacts.Revocation) -> String {
    let source = revocation.sources.joined(separator: ", ")
    let reasons = [source, revocation.detail].filter { !$0.isEmpty }.joined(separator: ", ")
    return "revocation \(revocation.status.rawValue)" + (reasons.isEmpty ? "" : " (\(reasons))")
  }

  private static func timestamps(_ count: Int) -> String? {
    count == 0 ? nil : "\(count) SCT" + (count == 1 ? "" : "s")
  }

  private static func clientCertificate(_ peer: HandshakeFacts.Peer) -> String? {
    if peer.gotClientCertificate { return "got our client certificate" }
    return peer.wantsClientCertificate ? "asked for a client certificate, got none" : nil
  }
}
