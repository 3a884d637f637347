import TideCore
import TideInspect
import TidePolicy
import TideProxy
import TideTLS

/// The whole way of a request and its answer through a connection, but for TLS and system calls.
enum ExchangeBenchmarks {
  static var all: [Benchmark] {
    [
      Self.exchange("exchange-observe", .observe), Self.exchange("exchange-record", .record),
    ]
  }

  private static func exchange(_ name: String, _ mode: Mode) -> Benchmark {
    Benchmark(
      name: name,
      unit: "a keep-alive GET of 200 bytes of JSON",
      units: 500,
      warmUp: 20
    ) {
      let connection = try Connection(mode)
      return { try connection.exchange() }
    }
  }
}

/// A connection whose device and server are played: each request is answered at once.
private final class Connection {
  private static let request: Bytes =
    "GET http://a.example/v1/report?n=1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Mozilla/5.0 (Linux; Android 13)\r\nAccept: */*\r\n\r\n"
  private static let response: Bytes =
    "HTTP/1.1 200 OK\r\nServer: a\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 200\r\nConnection: keep-alive\r\n\r\n"

  private let machine: ConnectionMachine
  private let context: LoopContext
  private let content: Bytes
  private var instant: UInt64 = 1_000_000_000
  private var received = 0

  init(_ mode: Mode) throws {
    let start = "{\"status\":\"ok\",\"items\":[1,2,3],\"note\":\""
    self.content = Bytes(start + String(repeating: "a", count: 198 - start.utf8.count) + "\"}")
    let authority = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 86_400,
      at: PolicyBenchmarks.wall,
      label: "benchmark"
    )
    let plan = try InspectionPlan(
      profiles: [Samples.device],
      inspectors: nil,
      secret: [UInt8](repeating: 7, count: 32),
      limits: Limits()
    )
    self.context = try LoopContext(
      ruling: Ruling(
        policy: PolicyBenchmarks.policy(mode: mode),
        plan: plan,
        devices: [Samples.device]
      ),
      mode: mode,
      minter: LeafMinter(authority: authority, capacity: 2),
      upstreamTLS: TLSClientContext(roots: .pem(authority.certificatePEM)),
      clientTLS: TLSServerContext(),
      sink: Sink(),
      site: Site(),
      numbering: Numbering(),
      limits: Limits(),
      timeouts: Timeouts()
    )
    guard let client = IPAddress("192.0.2.200") else { throw BenchmarkFailure(what: "no address") }
    self.machine = ConnectionMachine(
      client: client,
      context: self.context,
      at: Moment(instant: Instant(nanoseconds: self.instant), wall: PolicyBenchmarks.wall)
    )
  }

  func exchange() throws {
    self.received = 0
    try self.give(.received(.downstream, Self.request))
    try require(self.received > 200, "an answer of \(self.received) bytes")
  }

  private func give(_ event: Event) throws {
    self.instant += 10_000
    var commands: [Command] = []
    self.machine.handle(
      event,
      at: Moment(instant: Instant(nanoseconds: self.instant), wall: PolicyBenchmarks.wall),
      &commands
    )
    for command in commands { try self.carryOut(command) }
  }

  private func carryOut(_ command: Command) throws {
    switch command {
    case .send(.downstream, let bytes): self.received += bytes.count
    case .send(.upstream(let id), _):
      try self.give(.received(.upstream(id), Self.response))
      try self.give(.received(.upstream(id), self.content))
    case .resolve(let name):
      let addresses = ["203.0.113.7"].compactMap { IPAddress($0) }
      try self.give(
        .resolved(name, .success(Resolution(addresses: addresses, source: "benchmark")))
      )
    case .open(let id, let target): try self.give(.opened(id, .success(target.address)))
    case .pauseReading, .resumeReading: break
    case .close, .authenticate, .awaitRoom, .fetch, .scan, .finished:
      throw BenchmarkFailure(what: "not asked for: \(command)")
    }
  }
}

/// Takes everything.
private struct Sink: FlowEventSink {
  var hasRoom: Bool { true }

  func offer(_ event: FlowEvent) -> Offer { .accepted }
}

/// Has no pages.
private struct Site: LocalSite {
  func isOwn(_ host: Hostname) -> Bool { false }

  func respond(to request: LocalRequest) -> LocalResponse {
    LocalResponse(status: 404, fields: [], body: Bytes())
  }

  func page(for notice: Notice) -> LocalResponse {
    LocalResponse(status: notice.status, fields: [], body: Bytes())
  }

  func clientRejectedCertificate(_ client: IPAddress) {}
}
