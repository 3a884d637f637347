import Synchronization
public import TideCore

/// How far a device has come, from the least to the most.
public enum OnboardingProgress: Int, Comparable, Sendable {
  /// It reached us.
  case reached
  /// It sent something through the proxy.
  case throughProxy
  /// It finished a TLS handshake with a certificate of ours and sent a request in it.
  case certificateTrusted

  /// Orders by how far.
  public static func < (a: OnboardingProgress, b: OnboardingProgress) -> Bool {
    a.rawValue < b.rawValue
  }
}

/// What was seen of one device.
public struct OnboardingStatus: Hashable, Sendable {
  /// How far it has come.
  public internal(set) var progress: OnboardingProgress
  /// How often it broke off a handshake after it saw our certificate.
  public internal(set) var rejections: Int

  /// A device of which nothing but one request was seen.
  static let new = OnboardingStatus(progress: .reached, rejections: 0)
}

/// Remembers how far each device has come, for the checklist.
///
/// Called from every loop, seldom and briefly. Bounded: the device that was seen least recently is
/// forgotten first, and only has to load the page again.
public final class OnboardingLedger: Sendable {
  /// The most devices that are remembered.
  public static let capacity = 1_024

  private struct Entry {
    var status: OnboardingStatus
    var seen: UInt64
  }

  private struct State {
    var entries: [IPAddress: Entry] = [:]
    var clock: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Makes an empty ledger.
  public init() {}

  /// What was seen of `client` so far.
  public func status(of client: IPAddress) -> OnboardingStatus {
    self.state.withLock { $0.entries[client.unmapped]?.status ?? .new }
  }

  /// Notes that `client` broke off a handshake after our certificate was sent.
  ///
  /// A handshake comes inside a CONNECT, so the device uses the proxy.
  public func noteRejection(by client: IPAddress) {
    self.update(client) { status in
      status.progress = max(status.progress, .throughProxy)
      // A device that retries for weeks stops the count, not the proxy.
      status.rejections = min(status.rejections + 1, 1_000_000)
    }
  }

  /// Notes that `client` came at least as far as `progress`; returns all that is known of it.
  @discardableResult
  public func note(_ progress: OnboardingProgress, of client: IPAddress) -> OnboardingStatus {
    self.update(client) { $0.progress = max($0.progress, progress) }
  }

  @discardableResult
  private func update(
    _ client: IPAddress,
    _ change: (inout OnboardingStatus) -> Void
  ) -> OnboardingStatus {
    self.state.withLock { state in
      state.clock += 1
      let key = client.unmapped
      var status = state.entries[key]?.status ?? .new
      change(&status)
      if state.entries[key] == nil, state.entries.count >= Self.capacity {
        let oldest = state.entries.min { $0.value.seen < $1.value.seen }
        if let oldest { state.entries[oldest.key] = nil }
      }
      state.entries[key] = Entry(status: status, seen: state.clock)
      return status
    }
  }
}
