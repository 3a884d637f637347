import Glibc
import NIOCore
import Synchronization
import TideCore
import TideInspect
import TidePolicy
import TideProxy
import TideRegion
import TideTLS

@testable import TideEngineNIO

/// One event loop of the engine without listeners, over real sockets.
final class FetchBench: Sendable {
  /// A connection's number that none of the bench's own has.
  static let firstOwner: UInt64 = 1_000

  let sink = CollectingSink()
  private let loop: Reactor
  private let resolver: TideEngineNIO.Resolver
  private let authentication: Authentication
  private let runner: NIOLoopBound<LoopRunner>

  /// `crl.example` is this machine, and may be dialled if `allowsLoopback`.
  init(allowsLoopback: Bool = true, rules: [Rule] = [], mode: Mode = .record) async throws {
    let loop = try Reactor(number: 0)
    let policy = try PolicySnapshot(
      rules: rules,
      regions: RegionTable(databases: [], sets: []),
      settings: PolicySettings(
        mode: mode,
        allowSpecialUse: allowsLoopback ? [CIDR("127.0.0.0/8")].compactMap(\.self) : []
      )
    )
    let limits = Limits()
    let ruling = Ruling(
      policy: policy,
      plan: try InspectionPlan(
        profiles: [],
        inspectors: [],
        secret: [UInt8](repeating: 7, count: 32),
        limits: limits
      ),
      devices: []
    )
    let authentication = try Authentication(nil)
    let sink = self.sink
    let authority = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 86_400,
      at: WallTime(seconds: Int64(time(nil)))
    )
    let resolver = TideEngineNIO.Resolver(
      hosts: Hostname("crl.example").map { [$0: [.v4(0x7F00_0001)]] } ?? [:],
      servers: [],
      patience: Timeouts().dns,
      on: loop
    )
    self.loop = loop
    self.resolver = resolver
    self.authentication = authentication
    self.runner = try await loop.submit {
      let context = try LoopContext(
        ruling: ruling,
        mode: mode,
        minter: LeafMinter(authority: authority, capacity: 1),
        upstreamTLS: TLSClientContext(roots: .pem(authority.certificatePEM)),
        clientTLS: TLSServerContext(),
        sink: sink,
        site: PlainSite(),
        authentication: ProxyAuthentication(scheme: .basic),
        numbering: Numbering(),
        limits: limits,
        timeouts: Timeouts()
      )
      let runner = LoopRunner(
        eventLoop: loop,
        context: context,
        settings: EngineSettings(
          listen: [],
          allowedClients: [],
          loops: 1,
          hosts: [:],
          limits: limits,
          timeouts: Timeouts()
        ),
        resolver: resolver,
        authentication: authentication,
        strangers: Strangers { _ in },
        sink: sink
      )
      return NIOLoopBound(runner, eventLoop: loop)
    }.get()
  }

  deinit {
    self.resolver.stop()
    self.authentication.stop()
  }

  /// Begins a fetch; the future is never left without an outcome unless its owner is abandoned.
  func begin(
    _ request: Bytes,
    limit: Int = 64 << 10,
    owner: UInt64 = FetchBench.firstOwner
  ) -> EventLoopFuture<Result<Bytes, FlowFailure>> {
    let promise = self.loop.makePromise(of: Result<Bytes, FlowFailure>.self)
    let runner = self.runner
    self.loop.execute {
      runner.value.fetches.begin(
        Fetch.Key(request: request, limit: limit, device: "phone"),
        for: Fetch.Waiter(owner: owner) { promise.succeed($0) }
      )
    }
    return promise.futureResult
  }

  /// The outcome of a fetch.
  func fetch(_ request: Bytes, limit: Int = 64 << 10) async throws -> Result<Bytes, FlowFailure> {
    try await self.begin(request, limit: limit).get()
  }

  /// Does something with the loop's fetches, on the loop.
  func onLoop<R: Sendable>(_ body: @escaping @Sendable (Fetches) -> R) async throws -> R {
    let runner = self.runner
    return try await self.loop.submit { body(runner.value.fetches) }.get()
  }
}

/// Keeps every event.
final class CollectingSink: FlowEventSink {
  private let state = Mutex<[FlowEvent]>([])
  let hasRoom = true

  func offer(_ event: FlowEvent) -> Offer {
    self.state.withLock { $0.append(event) }
    return .accepted
  }

  /// The devices and URLs of the flows that began.
  var flows: [(device: String, url: String)] {
    self.state.withLock { events in
      events.compactMap { event in
        if case .flowStarted(let start) = event { (start.facts.device, start.url) } else { nil }
      }
    }
  }

  /// Why connections ended.
  var ends: [FlowFailure.Code?] {
    self.state.withLock { events in
      events.compactMap { event in
        if case .connectionClosed(_, let failure, _) = event { .some(failure?.code) } else { nil }
      }
    }
  }
}

/// Answers everything with one page.
final class PlainSite: LocalSite {
  func isOwn(_ host: Hostname) -> Bool { host.text == "tidewaiter.internal" }
  func respond(to request: LocalRequest) -> LocalResponse {
    LocalResponse(status: 200, fields: [], body: "own page")
  }
  func page(for notice: Notice) -> LocalResponse {
    LocalResponse(status: notice.status, fields: [], body: "page")
  }
  func clientRejectedCertificate(_ client: IPAddress) {}
}
