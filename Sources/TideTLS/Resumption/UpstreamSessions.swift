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
/// A certificate that is found to be revoked, by whichever device's connection, ends all sessions that
/// hang on it, and none is kept with it again.
///
/// Memory: 10 KiB a key for a chain of one small certificate (measured), most of it the certificate as
/// libssl holds it, so 30 KiB for a public chain of three. An upstream chooses how long its chain is, and
/// a device how many upstreams there are: so the whole is bounded in bytes too, 64 MiB unless told
/// otherwise, and what has more than 32 KiB of certificates and ticket is not kept. When either bound is
/// reached, first what is over is forgotten, then the eighth that was not used for longest.
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
    let sessions: [KeptSession]
    let size: Int
    let lastUse: UInt64
  }

  private struct State {
    private(set) var entries: [Key: Entry] = [:]
    /// How many bytes the entries take.
    private(set) var size = 0
    private var uses: UInt64 = 0
    var revoked = RevokedCertificates()

    /// Has these be the sessions of a key, which is used by it; none forgets the key.
    mutating func set(_ sessions: [KeptSession], for key: Key) {
      self.uses &+= 1
      self.replace(key, with: sessions, lastUse: self.uses)
    }

    /// Leaves only the sessions that are wanted; no key counts as used by it.
    mutating func filter(_ isWanted: (KeptSession) -> Bool) {
      for (key, entry) in self.entries where !entry.sessions.allSatisfy(isWanted) {
        self.replace(key, with: entry.sessions.filter(isWanted), lastUse: entry.lastUse)
      }
    }

    /// Forgets the least recently used eighth, so that the sorting is paid for by many insertions.
    mutating func forgetEighth() {
      let victims = self.entries.sorted { $0.value.lastUse < $1.value.lastUse }
        .prefix(self.entries.count / 8 + 1)
      for victim in victims { self.replace(victim.key, with: [], lastUse: 0) }
    }

    private mutating func replace(_ key: Key, with sessions: [KeptSession], lastUse: UInt64) {
      let size = sessions.reduce(0) { $0 + $1.memorySize }
      self.size += size - (self.entries[key]?.size ?? 0)
      self.entries[key] =
        sessions.isEmpty ? nil : Entry(sessions: sessions, size: size, lastUse: lastUse)
    }
  }

  static let mostTickets = 2
  /// The most bytes of certificates and ticket that an upstream may have sent for a session to be kept.
  static let largestSession = 32 << 10

  private let capacity: Int
  private let budget: Int
  private let state = Mutex(State())

  /// Makes an empty store.
  ///
  /// - Parameters:
  ///   - capacity: the most keys that sessions are kept by; none are kept if it is 0.
  ///   - budget: about the most bytes that they may take.
  public init(capacity: Int, budget: Int = 64 << 20) {
    self.capacity = max(0, capacity)
    self.budget = max(0, budget)
  }

  /// How many keys have sessions.
  public var count: Int { self.state.withLock { $0.entries.count } }

  /// About how many bytes the sessions take.
  public var size: Int { self.state.withLock { $0.size } }

  /// Forgets all sessions, as for settings that have changed or at the end of a case.
  ///
  /// Not which certificates are revoked: they stay so.
  public func removeAll() { self.state.withLock { state in state.filter { _ in false } } }

  /// The newest session that still holds; a single-use one is taken out.
  func session(for key: Key, at now: WallTime) -> KeptSession? {
    self.state.withLock { state in
      guard let entry = state.entries[key] else { return nil }
      var sessions = entry.sessions.filter { $0.proof.holds(at: now) }
      let session = sessions.last
      if session?.ticket.isSingleUse == true { sessions.removeLast() }
      state.set(sessions, for: key)
      return session
    }
  }

  /// Keeps a session as the newest of its key, if there is no reason not to.
  func keep(_ session: KeptSession, for key: Key, at now: WallTime) {
    guard self.capacity > 0, session.sentSize <= Self.largestSession else { return }
    self.state.withLock { state in
      guard !state.revoked.contains(anyOf: session.proof.certificates) else { return }
      // What can be used again takes the place of all; what cannot, of such a one and of the oldest.
      var sessions = session.ticket.isSingleUse ? state.entries[key]?.sessions ?? [] : []
      sessions.removeAll { !$0.ticket.isSingleUse }
      if sessions.count >= Self.mostTickets { sessions.removeFirst() }
      sessions.append(session)
      state.set(sessions, for: key)
      self.shrink(&state, at: now)
    }
  }

  /// Forgets what is kept by a key, as after a handshake that failed.
  func forget(_ key: Key) { self.state.withLock { $0.set([], for: key) } }

  /// Forgets every session that hangs on a certificate, in DER, and keeps none with it from now on.
  func revoke(_ certificate: Bytes) {
    let digest = KeptSession.Proof.digest(of: certificate)
    self.state.withLock { state in
      state.revoked.insert(digest)
      state.filter { !$0.proof.certificates.contains(digest) }
    }
  }

  /// Forgets until the bounds are kept to; what was used last goes last.
  private func shrink(_ state: inout State, at now: WallTime) {
    func isTooLarge() -> Bool { state.entries.count > self.capacity || state.size > self.budget }
    guard isTooLarge() else { return }
    state.filter { !$0.proof.isOver(at: now) }
    while isTooLarge() { state.forgetEighth() }
  }
}
