import Support
import Synchronization
import TideCore
import TideInspect
import TidePolicy
import TideProxy
import TideRegion
import TideTLS

/// One set of rules, and everything else that a loop's connections share.
final class Laboratory {
  /// What the device must not tell.
  static let imei = "490154203237518"
  static let wall = WallTime(seconds: 1_790_000_000)
  /// The region that no rule lets anything reach.
  static let region = "203.0.113.0/24"

  let mode: Mode
  let context: LoopContext
  let sink = Sink()

  /// In `mode`, with `then` as the action for the device's IMEI in a request, and the region blocked.
  init(_ mode: Mode, _ then: Action) {
    self.mode = mode
    var telling = Conditions()
    telling.finding = ["imei"]
    telling.direction = [.request]
    var bound = Conditions()
    bound.region = ["lab"]
    let rules = [("tells", telling, then), ("bound", bound, Action.block)].map { id, when, then in
      Rule(
        id: RuleID(id),
        when: when,
        then: then,
        location: SourceLocation(file: "rules.yaml", line: 1, column: 1)
      )
    }
    let device = DeviceProfile(
      name: "device",
      addresses: ["192.0.2.200/32"].compactMap { CIDR($0) },
      identifiers: [.init(kind: .imei, value: Self.imei)]
    )
    do {
      let policy = try PolicySnapshot(
        rules: rules,
        regions: RegionTable(
          databases: [],
          sets: [RegionSet(name: "lab", cidrs: [Self.region].compactMap { CIDR($0) })]
        ),
        settings: PolicySettings(
          mode: mode,
          allowSpecialUse: ["192.0.2.0/24", Self.region].compactMap { CIDR($0) }
        )
      )
      let plan = try InspectionPlan(
        profiles: [device],
        inspectors: nil,
        secret: [UInt8](repeating: 7, count: 32),
        limits: Self.limits
      )
      let authority = try CertificateAuthority.generate(
        key: .p256,
        lifetimeSeconds: 86_400,
        at: Self.wall,
        label: "fuzz"
      )
      self.context = try LoopContext(
        ruling: Ruling(policy: policy, plan: plan, devices: [device]),
        mode: mode,
        keepsWire: true,
        minter: LeafMinter(authority: authority, capacity: 2),
        upstreamTLS: TLSClientContext(roots: .pem(authority.certificatePEM)),
        clientTLS: TLSServerContext(),
        sink: self.sink,
        site: Site(),
        numbering: Numbering(),
        limits: Self.limits,
        timeouts: Timeouts()
      )
    } catch {
      fail("no laboratory: \(error)")
    }
  }

  /// Small, so that scripts of a few hundred octets reach them.
  static var limits: Limits {
    var limits = Limits()
    limits.headBytes = 1_024
    limits.headFields = 16
    limits.windowBytes = 256
    limits.holdBytes = 512
    limits.outputHigh = 512
    limits.outputLow = 128
    return limits
  }
}

/// Counts what is recorded, and keeps what was on the socket; says that it is full while it is told to be.
final class Sink: FlowEventSink {
  struct State {
    var isFull = false
    var begun = 0
    var ended = 0
    var closed = 0
    /// Whether bytes may have been relayed that nothing can be found in.
    var hasUninspected = false
    /// Whether a tunnel is passed on undecrypted.
    var isPassedOn = false
    /// What was recorded of the device's socket, since it was taken.
    var wire: [(direction: Direction, bytes: Bytes)] = []
  }

  private let state = Mutex(State())

  /// Begins with a new connection.
  func reset() { self.state.withLock { $0 = State() } }

  var counts: State { self.state.withLock { $0 } }

  /// What was recorded of the device's socket since the last time.
  func takeWire() -> [(direction: Direction, bytes: Bytes)] {
    self.state.withLock { state in
      defer { state.wire = [] }
      return state.wire
    }
  }

  var isFull: Bool {
    get { self.state.withLock { $0.isFull } }
    set { self.state.withLock { $0.isFull = newValue } }
  }

  var hasRoom: Bool { !self.isFull }

  func offer(_ event: FlowEvent) -> Offer {
    self.state.withLock { state in
      switch event {
      case .flowStarted(let start):
        state.begun += 1
        if ["tls", "tcp"].contains(start.protocolName) { state.hasUninspected = true }
        // A CONNECT that is refused begins such a flow, too.
        if start.protocolName == "tls", start.facts.treatment != .refused {
          state.isPassedOn = true
        }
      case .flowEnded: state.ended += 1
      case .connectionClosed: state.closed += 1
      case .coverage(_, _, let kind, _, _):
        if kind == .undecrypted { state.hasUninspected = true }
      case .wire(_, let direction, let bytes, _): state.wire.append((direction, bytes))
      case .connectionOpened, .lookedUp, .destinationDecided, .hello, .handshake, .secret,
        .head, .body, .trailers, .message, .findings, .note, .redacted:
        break
      }
      return state.isFull ? .pause : .accepted
    }
  }
}

/// Answers shortly.
private struct Site: LocalSite {
  func isOwn(_ host: Hostname) -> Bool { host.text == "tidewaiter.internal" }

  func respond(to request: LocalRequest) -> LocalResponse {
    LocalResponse(status: 200, fields: [], body: "own")
  }

  func page(for notice: Notice) -> LocalResponse {
    LocalResponse(status: notice.status, fields: [], body: "page")
  }

  func clientRejectedCertificate(_ client: IPAddress) {}
}
