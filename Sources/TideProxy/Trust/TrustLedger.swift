import Synchronization
public import TideCore
import TideTLS

/// What devices make of our leaves: who accepts them, who refuses which, and what is relayed for it.
///
/// Shared by the loops, asked once a handshake. A device that refuses a host's leaf while it accepts others
/// pins that host; one that accepts none does not trust our CA. After so many refusals without an acceptance
/// in between, a host is relayed undecrypted for a while, so that the app works; what was learned of a device
/// before it trusted us is forgotten with its first acceptance, because the CA was the reason.
///
/// Bounded: of the device with the most hosts, the one that was heard of least recently is forgotten first.
public final class TrustLedger: Sendable {
  /// When a host that refuses our leaves is relayed (`tls.learn_passthrough`).
  public struct Learning: Sendable {
    /// After so many refusals.
    public let after: Int
    /// For so long, in seconds.
    public let duration: Int64

    /// Joins both.
    public init(after: Int, duration: Int64) {
      self.after = after
      self.duration = duration
    }
  }

  /// A host that is relayed undecrypted because a device refuses our leaf for it.
  public struct Learned: CustomStringConvertible, Sendable {
    /// The device.
    public let device: String
    /// The host.
    public let host: Host
    /// Until when.
    public let until: WallTime

    /// A line for people.
    public var description: String { "\(self.host) for \(self.device) until \(self.until.rfc3339)" }
  }

  private struct Pair: Hashable {
    let device: String
    let host: Host
  }

  /// What is known of one device at one host.
  private struct Entry {
    /// Refusals because of the leaf since the last acceptance.
    var refusals = 0
    /// Other ways in which handshakes ended since then.
    var silences = 0
    var kind: Coverage?
    var words = ""
    /// Until when the host is relayed.
    var until: WallTime?
    var lastHeard: UInt64 = 0
  }

  private struct Device {
    var accepts = false
    /// Whether the CA before the last rotation is what it accepts.
    var acceptsPrevious = false
    var refusesCurrent = false
    var lastHeard: UInt64 = 0
  }

  private struct State {
    var entries: [Pair: Entry] = [:]
    var devices: [String: Device] = [:]
    var clock: UInt64 = 0
  }

  private let learning: Learning
  private let capacity: Int
  private let state = Mutex(State())

  /// Makes an empty ledger.
  ///
  /// - Parameters:
  ///   - learning: when a host is relayed.
  ///   - capacity: how many pairs of device and host are remembered, and how many devices.
  public init(
    learning: Learning = Learning(after: 3, duration: 3_600),
    capacity: Int = 4_096
  ) {
    self.learning = learning
    self.capacity = max(1, capacity)
  }

  // MARK: What connections ask and tell

  /// Which of our CAs signs what this device is shown.
  func issuer(for device: String) -> LeafIssuer {
    self.state.withLock { state in
      guard let known = state.devices[device], !known.accepts else { return .current }
      return known.acceptsPrevious || known.refusesCurrent ? .previous : .current
    }
  }

  /// The device sent data under a leaf of ours.
  func accepted(_ device: String, _ host: Host, issuer: LeafIssuer) {
    self.state.withLock { state in
      state.clock += 1
      var known = state.devices[device] ?? Device()
      let isFirst = !known.accepts && !known.acceptsPrevious
      switch issuer {
      case .current: known.accepts = true
      case .previous: known.acceptsPrevious = true
      }
      known.lastHeard = state.clock
      state.devices[device] = known
      if isFirst {
        state.entries = state.entries.filter { $0.key.device != device }
        Self.trim(&state, to: self.capacity)
      } else if let entry = state.entries[Pair(device: device, host: host)], entry.until == nil {
        state.entries[Pair(device: device, host: host)] = nil
      }
    }
  }

  /// The device refused the leaf for a host; `teaches` says whether relaying the host could mend that.
  func refused(
    _ device: String,
    _ host: Host,
    _ refusal: LeafRefusal,
    issuer: LeafIssuer,
    teaches: Bool = true,
    at now: WallTime
  ) -> RefusalReport? {
    self.state.withLock { state in
      state.clock += 1
      var known = state.devices[device] ?? Device()
      known.lastHeard = state.clock
      let trusts = known.accepts || known.acceptsPrevious
      let kind: Coverage
      switch refusal {
      case .certificate: kind = trusts ? .pinned : .untrustedAuthority
      case .time: kind = .clientClock
      case .parameters: kind = .clientCipher
      case .silence(prompt: true): kind = .clientClosed
      case .silence(prompt: false): return nil
      case .other: return nil
      }
      if !trusts, case .certificate = refusal {
        // The other CA's turn, if there is one: see `issuer`.
        known.refusesCurrent = issuer == .current
      }
      state.devices[device] = known
      var entry = state.entries[Pair(device: device, host: host)] ?? Entry()
      entry.lastHeard = state.clock
      entry.kind = kind
      entry.words = refusal.words
      var isLearned = false
      if teaches, Self.isAboutLeaf(refusal) {
        entry.refusals += 1
        if entry.refusals >= self.learning.after {
          entry.until = now.advanced(bySeconds: self.learning.duration)
          isLearned = true
        }
      } else {
        entry.silences += 1
      }
      state.entries[Pair(device: device, host: host)] = entry
      Self.trim(&state, to: self.capacity)
      return RefusalReport(
        kind: kind,
        detail: self.detail(kind, entry, host),
        isLearned: isLearned
      )
    }
  }

  /// Whether the host is relayed undecrypted for this device now.
  func isLearned(_ device: String, _ host: Host, at now: WallTime) -> Bool {
    self.state.withLock { state in
      let pair = Pair(device: device, host: host)
      guard let until = state.entries[pair]?.until else { return false }
      if now < until { return true }
      // One more try; the next refusal learns it anew.
      state.entries[pair]?.until = nil
      state.entries[pair]?.refusals = self.learning.after - 1
      return false
    }
  }

  // MARK: What the operator asks

  /// What is relayed at `now` because devices refuse to have it intercepted, by device and host.
  public func learned(at now: WallTime) -> [Learned] {
    self.state.withLock { state in
      state.entries.compactMap { pair, entry in
        guard let until = entry.until, now < until else { return nil }
        return Learned(device: pair.device, host: pair.host, until: until)
      }
    }.sorted { ($0.device, $0.host.description) < ($1.device, $1.host.description) }
  }

  /// Every refusal that no acceptance has followed, as a line for people, by device and host.
  public var refusals: [String] {
    self.state.withLock { state in
      state.entries.compactMap { pair, entry in
        guard let kind = entry.kind else { return nil }
        return "\(pair.device): \(self.detail(kind, entry, pair.host))"
      }
    }.sorted()
  }

  /// The devices that have refused our leaves and accepted none.
  public var untrusting: [String] {
    self.state.withLock { state in
      Set(state.entries.filter { $0.value.kind == .untrustedAuthority }.keys.map(\.device))
        .filter { device in
          guard let known = state.devices[device] else { return true }
          return !known.accepts && !known.acceptsPrevious
        }
    }.sorted()
  }

  /// Forgets what was learned of a host, for one device or for all: it is intercepted again.
  ///
  /// - Returns: how many passthroughs ended.
  public func revoke(_ host: Host, device: String?, at now: WallTime) -> Int {
    self.state.withLock { state in
      let ended = state.entries.filter { pair, entry in
        guard pair.host == host, device == nil || pair.device == device else { return false }
        return entry.until.map { now < $0 } ?? false
      }
      for pair in ended.keys { state.entries[pair] = nil }
      return ended.count
    }
  }

  // MARK: Parts

  /// Whether the device said that the leaf is why it broke off, so that relaying the host would mend it.
  ///
  /// A close without a word may be that too, but also a scanner, a browser's spare connection or a user who
  /// changed his mind: it is shown to the operator, who can except the host.
  private static func isAboutLeaf(_ refusal: LeafRefusal) -> Bool {
    switch refusal {
    case .certificate: true
    case .time, .parameters, .silence, .other: false
    }
  }

  private func detail(_ kind: Coverage, _ entry: Entry, _ host: Host) -> String {
    let what: String
    switch kind {
    case .pinned: what = "accepts our leaves elsewhere and refuses the one for \(host): it pins"
    case .untrustedAuthority: what = "does not trust our CA: it refused the leaf for \(host)"
    case .clientClock: what = "finds the leaf for \(host) outside its time: its clock is wrong"
    case .clientCipher: what = "finds no TLS version or suite in common for \(host)"
    default: what = "left \(host) without a word after our leaf: it may pin"
    }
    let count =
      entry.silences + entry.refusals > 1
      ? ", \(entry.silences + entry.refusals) times in a row" : ""
    let learned =
      entry.until.map { "; not intercepted until \($0.rfc3339), where no rule forbids that" } ?? ""
    return "\(what) (\(entry.words)\(count))\(learned)"
  }

  /// Forgets an eighth of what there is too much of, the device with the most pairs paying first.
  ///
  /// So a device, or an app on it, that refuses thousands of names loses its own and not another's.
  private static func trim(_ state: inout State, to capacity: Int) {
    if state.entries.count > capacity {
      var counts: [String: Int] = [:]
      for pair in state.entries.keys { counts[pair.device, default: 0] += 1 }
      let oldest = state.entries.sorted { first, second in
        let shares = (counts[first.key.device] ?? 0, counts[second.key.device] ?? 0)
        if shares.0 != shares.1 { return shares.0 > shares.1 }
        return first.value.lastHeard < second.value.lastHeard
      }
      for (pair, _) in oldest.prefix(max(1, capacity / 8)) { state.entries[pair] = nil }
    }
    if state.devices.count > capacity {
      let oldest = state.devices.sorted { $0.value.lastHeard < $1.value.lastHeard }
      for (device, _) in oldest.prefix(max(1, capacity / 8)) { state.devices[device] = nil }
    }
  }
}
