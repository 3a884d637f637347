import Synchronization
public import TideCore
public import TideInspect
public import TidePolicy
public import TideTLS

/// Numbers flows and connections; shared by the loops, so that a case has each number once.
public final class Numbering: Sendable {
  private let flows: Atomic<UInt64>
  private let connections: Atomic<UInt64>

  /// Goes on from the first free numbers of a case.
  public init(nextFlow: UInt64 = 1, nextConnection: UInt64 = 1) {
    self.flows = Atomic(nextFlow)
    self.connections = Atomic(nextConnection)
  }

  /// The next flow's number.
  func flow() -> FlowID { FlowID(self.flows.wrappingAdd(1, ordering: .relaxed).oldValue) }

  /// The next connection's number.
  public func connection() -> ConnectionID {
    ConnectionID(self.connections.wrappingAdd(1, ordering: .relaxed).oldValue)
  }
}

/// What can be replaced while the proxy runs, always as a whole.
public struct Ruling: Sendable {
  /// The rules.
  public let policy: PolicySnapshot
  /// The owner's values and the inspectors.
  public let plan: InspectionPlan
  /// The devices by address.
  public let devices: [DeviceProfile]

  /// Joins a ruling.
  public init(policy: PolicySnapshot, plan: InspectionPlan, devices: [DeviceProfile]) {
    self.policy = policy
    self.plan = plan
    self.devices = devices
  }
}

/// How devices say who they are.
public struct ProxyAuthentication: Sendable {
  /// What they are asked for.
  public enum Scheme: Sendable {
    /// A user and a password.
    case basic
    /// A token.
    case tokens
  }

  /// What they are asked for.
  public let scheme: Scheme

  /// Asks for something.
  public init(scheme: Scheme) { self.scheme = scheme }
}

/// What the connections of one event loop share; confined to that loop, so that nothing locks.
public final class LoopContext {
  /// The rules in force.
  public private(set) var policy: PolicySnapshot
  /// The inspectors in force.
  public private(set) var inspection: InspectionContext
  private var devices: [DeviceProfile]
  private let clock: (any MonotonicClock)?
  let minter: LeafMinter
  let upstreamTLS: TLSClientContext
  let clientTLS: TLSServerContext
  let untrustedUpstreams: UntrustedUpstreams
  /// What devices make of our leaves; shared by the loops.
  let trust: TrustLedger
  /// How many handshakes there were; shared by the loops.
  let statistics: HandshakeStatistics
  /// Answers about revocation that were fetched; nil if nothing is kept.
  let revocations: (any RevocationCache)?
  let sink: any FlowEventSink
  let site: any LocalSite
  /// Whoever outside the process looks at messages, in the order in which they are asked.
  public let scanners: [any Scanner]
  /// Nil if whoever reaches the proxy may use it.
  let authentication: ProxyAuthentication?
  /// The numbers of the case.
  public let numbering: Numbering
  /// The bounds.
  public let limits: Limits
  /// The waits.
  public let timeouts: Timeouts
  /// Whether heads and bodies are recorded.
  let keepsBodies: Bool
  /// Whether the devices' bytes are recorded as they are on their sockets.
  let keepsWire: Bool
  /// Whether rules change traffic, and failures therefore stop it.
  let isEnforcing: Bool

  /// Joins a loop's own parts and what it shares.
  ///
  /// - Throws: if the inspectors cannot be set up.
  public init(
    ruling: Ruling,
    mode: Mode,
    keepsWire: Bool = false,
    minter: LeafMinter,
    upstreamTLS: TLSClientContext,
    clientTLS: TLSServerContext,
    untrustedUpstreams: UntrustedUpstreams = .refuse,
    trust: TrustLedger = TrustLedger(),
    statistics: HandshakeStatistics = HandshakeStatistics(),
    revocations: (any RevocationCache)? = nil,
    sink: any FlowEventSink,
    site: any LocalSite,
    scanners: [any Scanner] = [],
    authentication: ProxyAuthentication? = nil,
    numbering: Numbering,
    limits: Limits,
    timeouts: Timeouts,
    clock: (any MonotonicClock)? = nil
  ) throws {
    self.policy = ruling.policy
    self.clock = clock
    self.inspection = try InspectionContext(ruling.plan, clock: clock)
    self.devices = ruling.devices
    self.minter = minter
    self.upstreamTLS = upstreamTLS
    self.clientTLS = clientTLS
    self.untrustedUpstreams = untrustedUpstreams
    self.trust = trust
    self.statistics = statistics
    self.revocations = revocations
    self.sink = sink
    self.site = site
    self.scanners = scanners
    self.authentication = authentication
    self.numbering = numbering
    self.limits = limits
    self.timeouts = timeouts
    self.keepsBodies = mode.keepsBodies
    self.keepsWire = keepsWire && mode.keepsBodies
    self.isEnforcing = mode.isEnforcing
  }

  /// Puts new rules in force; a message that is under way keeps what it began with.
  ///
  /// - Throws: if the inspectors cannot be set up; the old rules stay.
  public func replace(_ ruling: Ruling) throws {
    self.inspection = try InspectionContext(ruling.plan, clock: self.clock)
    self.policy = ruling.policy
    self.devices = ruling.devices
  }

  /// Whether anybody outside the process looks at responses.
  var scansResponses: Bool { self.scanners.contains { $0.directions.contains(.response) } }

  /// The name of the device at `client`: its profile's, else the address.
  func device(at client: IPAddress) -> String {
    self.devices.first { profile in profile.addresses.contains { $0.contains(client) } }?.name
      ?? client.description
  }

  /// The name of the device whose user this is: its profile's, else the user's own.
  func device(ofUser user: String) -> String {
    self.devices.first { $0.users.contains(user) }?.name ?? user
  }
}
