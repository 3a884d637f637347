import TideCore
import TideProxy

/// The requests of the proxy's own that are under way on one event loop; confined to that loop.
///
/// Each goes through a connection machine as a device's request does, so that it is looked up once, judged,
/// dialled pinned and recorded like one. Equal ones that are under way together are one: a page opens six
/// connections to a host, which all ask the same about it.
final class Fetches {
  /// The most at once; one more fails.
  static let most = 64
  /// The most bytes of unfinished responses; the one that crosses it fails.
  static let mostBytes = 64 << 20
  /// How long each may take from beginning to end, in nanoseconds.
  static let time: UInt64 = 5_000_000_000

  /// Makes the connection that a fetch goes through.
  private let connect: (Fetch) -> ConnectionDriver
  private var underWay: [Fetch.Key: Fetch] = [:]
  private var byteCount = 0

  init(connect: @escaping (Fetch) -> ConnectionDriver) { self.connect = connect }

  /// How many are under way.
  var count: Int { self.underWay.count }

  /// Begins a fetch or joins one; the answer may come before it returns.
  ///
  /// - Parameters:
  ///   - key: what to ask, and for whom.
  ///   - waiter: who is told, once, unless `abandon` comes before.
  func begin(_ key: Fetch.Key, for waiter: Fetch.Waiter) {
    if let fetch = self.underWay[key] {
      fetch.waiters.append(waiter)
      return
    }
    guard self.underWay.count < Self.most else {
      waiter.answer(
        .failure(
          FlowFailure(
            .overLimit,
            origin: .internal,
            detail: "\(Self.most) fetches are under way already"
          )
        )
      )
      return
    }
    let fetch = Fetch(key, began: Clock.now().instant, waiter: waiter)
    self.underWay[key] = fetch
    let driver = self.connect(fetch)
    fetch.driver = driver
    driver.handle(.received(.downstream, key.request))
    // Like a half-close after a request: the answer is wanted, and nothing more will be asked.
    driver.handle(.closed(.downstream, .end))
  }

  /// Forgets whoever asked and is gone; a fetch that nobody waits for any more ends.
  func abandon(owner: UInt64) {
    for fetch in Array(self.underWay.values) {
      fetch.waiters.removeAll { $0.owner == owner }
      guard fetch.waiters.isEmpty else { continue }
      self.giveUp(
        fetch,
        FlowFailure(.truncated, origin: .internal, detail: "the connection that asked is gone")
      )
    }
  }

  /// Has waits judged, each by its connection's limits, and all by the time of the whole.
  func tick(at now: Instant) {
    for fetch in Array(self.underWay.values) {
      fetch.driver?.handle(.tick)
      guard now.nanoseconds(since: fetch.began) > Self.time else { continue }
      let seconds = Self.time / 1_000_000_000
      self.giveUp(
        fetch,
        FlowFailure(
          .responseTimeout,
          origin: .upstream,
          detail: "a fetch was not over within \(seconds) s"
        )
      )
    }
  }

  /// Ends all that is under way.
  func end() {
    let failure = FlowFailure(.shutdown, origin: .internal, detail: "the proxy is stopping")
    for fetch in Array(self.underWay.values) { self.giveUp(fetch, failure) }
  }

  // MARK: What a fetch's connection reports

  /// The next bytes of the response.
  func received(_ bytes: Bytes, _ fetch: Fetch) {
    guard fetch.driver != nil else { return }
    guard bytes.count <= fetch.key.limit - fetch.response.count else {
      self.giveUp(
        fetch,
        FlowFailure(
          .overLimit,
          origin: .upstream,
          detail: "a fetched answer of more than \(fetch.key.limit) bytes"
        )
      )
      return
    }
    guard bytes.count <= Self.mostBytes - self.byteCount else {
      self.giveUp(
        fetch,
        FlowFailure(
          .overLimit,
          origin: .internal,
          detail: "fetched answers of more than \(Self.mostBytes) bytes are under way"
        )
      )
      return
    }
    fetch.response += bytes
    self.byteCount += bytes.count
  }

  /// The response's end: its own, or why there is none or only a part.
  func ended(_ fetch: Fetch, isCut: Bool, _ failure: FlowFailure?) {
    guard let driver = fetch.driver else { return }
    let outcome: Result<Bytes, FlowFailure>
    if let failure {
      outcome = .failure(failure)
    } else if isCut || fetch.response.isEmpty {
      outcome = .failure(
        FlowFailure(.truncated, origin: .upstream, detail: "the answer ended before it was whole")
      )
    } else {
      outcome = .success(Bytes(fetch.response))
    }
    self.finish(fetch, outcome)
    // A machine that lets its last answer drain waits for the reader to close.
    driver.handle(.closed(.downstream, .end))
  }

  /// Ends a fetch and its connection, which records why.
  private func giveUp(_ fetch: Fetch, _ failure: FlowFailure) {
    guard let driver = fetch.driver else { return }
    self.finish(fetch, .failure(failure))
    driver.handle(.abandoned(failure))
  }

  private func finish(_ fetch: Fetch, _ outcome: Result<Bytes, FlowFailure>) {
    fetch.driver = nil
    self.underWay[fetch.key] = nil
    self.byteCount -= fetch.response.count
    fetch.response = []
    let waiters = fetch.waiters
    fetch.waiters = []
    for waiter in waiters { waiter.answer(outcome) }
  }
}
