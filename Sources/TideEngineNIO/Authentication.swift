import NIOCore
import NIOPosix
import Synchronization
import TideCore
import TideCrypto
import TideProxy

/// Asks the authenticator on two threads of its own and remembers for some minutes who was right.
///
/// Shared by the loops. A device opens dozens of connections: the same credentials are checked once, however
/// many wait for it. Who was wrong is not remembered, so that a mended password works at once; guessing is
/// as slow as two threads are.
final class Authentication: Sendable {
  /// The HMAC of credentials under a key of this process: what outlives connections holds no password.
  private typealias Key = [UInt8]

  private struct Waiter {
    let loop: any EventLoop
    let answer: @Sendable (String?) -> Void
  }

  private struct Accepted {
    let user: String
    let until: Instant
    var lastUse: UInt64
  }

  private struct State {
    var authenticator: (any Authenticator)?
    /// Counts replacements, so that no answer of an old one is passed on.
    var generation: UInt64 = 0
    var accepted: [Key: Accepted] = [:]
    var uses: UInt64 = 0
    /// Who waits for each check that has its turn or is under way.
    var waiting: [Key: [Waiter]] = [:]
  }

  /// The most different credentials that wait; a connection whose turn does not come gives up by itself.
  static let mostChecks = 64
  /// The most connections that wait for one check.
  static let mostWaiters = 1_024
  /// The most credentials that are remembered; the least recently used go first.
  static let mostAccepted = 256
  private static let lifetime: UInt64 = 5 * 60 * 1_000_000_000

  private let state: Mutex<State>
  private let pool = NIOThreadPool(numberOfThreads: 2)
  private let secret: [UInt8]
  private let now: @Sendable () -> Instant

  /// - Throws: if there is no randomness for the key.
  init(
    _ authenticator: (any Authenticator)?,
    now: @escaping @Sendable () -> Instant = { Clock.now().instant }
  ) throws {
    self.secret = try RandomBytes.make(32)
    self.state = Mutex(State(authenticator: authenticator))
    self.now = now
    self.pool.start()
  }

  /// Puts another authenticator in the old one's place and forgets whom that one accepted.
  func replace(_ authenticator: (any Authenticator)?) {
    self.state.withLock { state in
      state.authenticator = authenticator
      state.generation += 1
      state.accepted.removeAll()
    }
  }

  /// Calls `answer` on `loop` with the user; never before it returns.
  ///
  /// Not at all if too many wait already: to say no would have devices ask for another password.
  func check(
    _ credentials: ProxyCredentials,
    on loop: any EventLoop,
    _ answer: @escaping @Sendable (String?) -> Void
  ) {
    let key = self.key(of: credentials)
    let now = self.now()
    let waiter = Waiter(loop: loop, answer: answer)
    let step = self.state.withLock { Self.step(in: &$0, key, waiter, at: now) }
    switch step {
    case .known(let user): loop.execute { answer(user) }
    case .waits, .refused: return
    case .begins: self.pool.submit { self.run(credentials, key, isActive: $0 == .active) }
    }
  }

  func stop() { self.pool.shutdownGracefully { _ in } }

  // MARK: One check

  private enum Step {
    case known(String)
    case waits
    case begins
    case refused
  }

  private static func step(
    in state: inout State,
    _ key: Key,
    _ waiter: Waiter,
    at now: Instant
  ) -> Step {
    if var known = state.accepted[key], now.nanoseconds < known.until.nanoseconds {
      state.uses += 1
      known.lastUse = state.uses
      state.accepted[key] = known
      return .known(known.user)
    }
    if let others = state.waiting[key] {
      guard others.count < self.mostWaiters else { return .refused }
      state.waiting[key, default: []].append(waiter)
      return .waits
    }
    guard state.waiting.count < self.mostChecks else { return .refused }
    state.waiting[key] = [waiter]
    return .begins
  }

  private func run(_ credentials: ProxyCredentials, _ key: Key, isActive: Bool) {
    guard isActive else {
      // The proxy is stopping: its connections are told that, not that their password is wrong.
      self.state.withLock { _ = $0.waiting.removeValue(forKey: key) }
      return
    }
    while true {
      let (authenticator, generation) = self.state.withLock { ($0.authenticator, $0.generation) }
      let user = authenticator?.user(of: credentials)
      let waiters = self.state.withLock { state -> [Waiter]? in
        guard state.generation == generation else { return nil }
        if let user { self.remember(user, key, in: &state) }
        return state.waiting.removeValue(forKey: key)
      }
      guard let waiters else { continue }  // replaced meanwhile: the new one is to be asked
      for waiter in waiters { waiter.loop.execute { waiter.answer(user) } }
      return
    }
  }

  private func remember(_ user: String, _ key: Key, in state: inout State) {
    if state.accepted.count >= Self.mostAccepted,
      let oldest = state.accepted.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      state.accepted[oldest.key] = nil
    }
    state.uses += 1
    state.accepted[key] = Accepted(
      user: user,
      until: Instant(nanoseconds: self.now().nanoseconds + Self.lifetime),
      lastUse: state.uses
    )
  }

  /// No two credentials share a key: the kind and the user's length come first.
  private func key(of credentials: ProxyCredentials) -> Key {
    var text: [UInt8]
    switch credentials {
    case .basic(let user, let password):
      text = [1] + (0..<8).map { UInt8(truncatingIfNeeded: user.count >> (8 * $0)) }
      text.append(contentsOf: user)
      text.append(contentsOf: password)
    case .bearer(let token):
      text = [2]
      text.append(contentsOf: token)
    }
    return HMAC.sha256(key: self.secret, text)
  }
}
