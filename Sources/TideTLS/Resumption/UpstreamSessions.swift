import Synchronization
import TideCore

/// The sessions with upstreams that may be resumed, shared by all loops.
///
/// A full handshake costs a device's request a round trip of certificates and us their verification;
/// going on from an earlier session costs neither. What must not be lost by it is the verdict: nothing
/// is kept by host alone. A session is kept for one device, address, port, host, offer of protocols
/// and set of trust settings, with the record of its full verification, and only if that was good.
/// Before it is offered, what the record hangs on is looked at again; after an hour it is forgotten.
/// An upstream that does not go on from it shows its certificates and is verified as any other.
///
/// Of TLS 1.3 up to two sessions are kept for a key, and each is used once; of TLS 1.2 one is, and as
/// often as the upstream takes it.
///
/// Memory: 10 KiB a key for a chain of one small certificate (measured), most of it the certificate as
/// libssl holds it, so 30 KiB for a public chain of three. When the capacity is reached, the eighth
/// that was not used for longest is forgotten.
public final class UpstreamSessions: Sendable {
  /// What a session is kept by.
  struct Key: Hashable, Sendable {
    let device: String
    let address: IPAddress
    let port: UInt16
    let host: Host
    /// What is offered by ALPN, as in the extension.
    let offer: [UInt8]
    /// What stands for all that the context's verdicts depend on, and our own certificates.
    let settings: [UInt8]
  }

  private struct Entry {
    /// The newest last.
    var sessions: [KeptSession]
    var lastUse: UInt64
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    var uses: UInt64 = 0
  }

  static let mostTickets = 2

  private let capacity: Int
  private let state = Mutex(State())

  /// Makes an empty store.
  ///
  /// - Parameter capacity: the most keys that sessions are kept by; none are kept if it is 0.
  public init(capacity: Int) { self.capacity = max(0, capacity) }

  /// How many keys have sessions.
  public var count: Int { self.state.withLock { $0.entries.count } }

  /// Forgets all sessions, as for settings that have changed or at the end of a case.
  public func removeAll() { self.state.withLock { $0.entries.removeAll() } }

  /// The newest session that still holds; a single-use one is taken out.
  func session(for key: Key, at now: WallTime) -> KeptSession? {
    self.state.withLock { state in
      guard var entry = state.entries[key] else { return nil }
      entry.sessions.removeAll { !$0.proof.holds(at: now) }
      let session = entry.sessions.last
      if session?.ticket.isSingleUse == true { entry.sessions.removeLast() }
      state.uses &+= 1
      entry.lastUse = state.uses
      state.entries[key] = entry.sessions.isEmpty ? nil : entry
      return session
    }
  }

  /// Keeps a session as the newest of its key.
  func keep(_ session: KeptSession, for key: Key) {
    guard self.capacity > 0 else { return }
    self.state.withLock { state in
      state.uses &+= 1
      // What can be used again takes the place of all; what cannot, of such a one and of the oldest.
      var sessions = session.ticket.isSingleUse ? state.entries[key]?.sessions ?? [] : []
      sessions.removeAll { !$0.ticket.isSingleUse }
      if sessions.count >= Self.mostTickets { sessions.removeFirst() }
      sessions.append(session)
      if state.entries[key] == nil, state.entries.count >= self.capacity { Self.makeRoom(&state) }
      state.entries[key] = Entry(sessions: sessions, lastUse: state.uses)
    }
  }

  /// Forgets what is kept by a key, as after a handshake that failed or a certificate that is revoked.
  func forget(_ key: Key) { self.state.withLock { $0.entries[key] = nil } }

  /// Forgets the least recently used eighth, so that the sorting is paid for by many insertions.
  private static func makeRoom(_ state: inout State) {
    let victims = state.entries.sorted { $0.value.lastUse < $1.value.lastUse }
      .prefix(state.entries.count / 8 + 1)
    for victim in victims { state.entries[victim.key] = nil }
  }
}
