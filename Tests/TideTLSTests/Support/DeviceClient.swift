import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Contexts that outlive single connections: an upstream or the proxy's own side, and its peers.
struct Meeting {
  let clients: TLSClientContext
  let servers: TLSServerContext

  /// Connects as `TLSSession.client` does, and lets the first request go.
  func connect(
    to leaf: Leaf,
    name: String = "server.example",
    offering offer: [String] = [],
    resuming: Resumption?,
    version: UInt16? = nil,
    asking: Int32? = nil
  ) throws -> SessionPair {
    let pair = SessionPair(
      client: try .client(
        self.clients,
        host: host(name),
        applicationProtocols: offer,
        resuming: resuming
      ),
      server: try .server(
        self.servers,
        leaf: leaf,
        applicationProtocol: offer.first,
        maximumVersion: version
      )
    )
    if let asking { unsafe SSL_set_verify(pair.server.handle, asking) { _, _ in 1 } }
    pair.run()
    guard pair.isEstablished else { return pair }
    try pair.client.send("a request")
    return pair.run()
  }
}

/// A device that keeps its tickets itself and shows them wherever it likes, as no honest one would.
func deviceSession(
  _ context: TLSClientContext,
  showing ticket: UpstreamTicket? = nil
) throws -> TLSSession {
  let session = try unsafe TLSSession(role: .client(context), context: context.handle)
  let key = UpstreamSessions.Key(
    device: "",
    address: .v4(0),
    port: 0,
    host: host("server.example"),
    offer: [],
    settings: []
  )
  session.resuming = Resuming(sessions: UpstreamSessions(capacity: 0), key: key, startedAt: now)
  if let ticket { _ = unsafe ticket.offer(in: session.handle) }
  unsafe SSL_set_connect_state(session.handle)
  if let failure = session.shakeHands() { throw failure }
  return session
}

extension UpstreamTicket {
  /// Looks into the session.
  private func with<R>(_ body: (OpaquePointer) -> R) throws -> R {
    let context = try TLSClientContext(roots: .system)
    let session = try unsafe TLSSession(role: .client(context), context: context.handle)
    guard unsafe self.offer(in: session.handle) else {
      throw TLSFailure(.internal, detail: "no session to look at")
    }
    return try unsafe body(#require(SSL_get_session(session.handle)))
  }

  /// The ticket as the server made it.
  var content: [UInt8] {
    get throws {
      try unsafe self.with { session in
        var start: UnsafePointer<UInt8>?
        var count = 0
        unsafe SSL_SESSION_get0_ticket(session, &start, &count)
        return unsafe Array(UnsafeBufferPointer(start: start, count: count))
      }
    }
  }
  /// For how long it is good, in seconds, by what the server said.
  var lifetimeHint: Int {
    get throws { try unsafe self.with { unsafe Int(SSL_SESSION_get_ticket_lifetime_hint($0)) } }
  }
  /// How many bytes may be sent before the handshake is over.
  var earlyData: Int {
    get throws { try unsafe self.with { unsafe Int(SSL_SESSION_get_max_early_data($0)) } }
  }
}
