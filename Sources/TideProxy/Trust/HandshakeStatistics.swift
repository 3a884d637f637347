import Synchronization
import TideCore

/// How many TLS handshakes were made, and how many of them went on from an earlier session.
public final class HandshakeStatistics: Sendable {
  /// The counts of one leg.
  public struct Leg: Sendable {
    /// Handshakes that came to an agreement.
    public let all: Int
    /// Those of them that were resumed.
    public let resumed: Int
  }

  private struct Counter: ~Copyable {
    let all = Atomic(0)
    let resumed = Atomic(0)

    func count(_ facts: HandshakeFacts) {
      self.all.wrappingAdd(1, ordering: .relaxed)
      if facts.isResumed { self.resumed.wrappingAdd(1, ordering: .relaxed) }
    }

    var leg: Leg {
      Leg(all: self.all.load(ordering: .relaxed), resumed: self.resumed.load(ordering: .relaxed))
    }
  }

  private let devices = Counter()
  private let servers = Counter()

  /// Begins at nothing.
  public init() {}

  /// Counts a handshake; one that agreed on no version is none.
  func count(_ facts: HandshakeFacts) {
    guard !facts.version.isEmpty else { return }
    if facts.peer == nil { self.devices.count(facts) } else { self.servers.count(facts) }
  }

  /// The device's leg.
  public var device: Leg { self.devices.leg }

  /// The server's leg.
  public var server: Leg { self.servers.leg }
}
