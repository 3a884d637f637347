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
      Self.known, Self.relay,
    ]
  }

  private static func exchange(_ name: String, _ mode: Mode) -> Benchmark {
    Benchmark(
      name: name,
      unit: "a keep-alive GET of 200 bytes of JSON, query and answer new each time",
      units: 500,
      warmUp: 20
    ) {
      let connection = try Connection(mode)
      return { try connection.exchange() }
    }
  }

  private static var known: Benchmark {
    Benchmark(
      name: "exchange-known",
      unit: "a keep-alive GET of 200 bytes of JSON, query and answer those of before",
      units: 500,
      warmUp: 20
    ) {
      let connection = try Connection(.observe)
      return { try connection.exchange(1) }
    }
  }

  private static var relay: Benchmark {
    Benchmark(
      name: "relay-content",
      unit: "16 KiB of a body, down, one piece of many",
      units: 500,
      warmUp: 20
    ) {
      let connection = try Connection(.observe)
      let piece = Samples.random(16 << 10)
      try connection.beginContent(of: piece)
      return { try connection.relay(piece) }
    }
  }
}

/// A connection whose device and server are played: each request is answered at once.
private final class Connection {
  /// More than are asked for while anything is counted.
  private static let count = 600
  private static let response: Bytes =
    "HTTP/1.1 200 OK\r\nServer: a\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 200\r\nConnection: keep-alive\r\n\r\n"

  private let machine: ConnectionMachine
  private let context: LoopContext
  private let requests: [Bytes]
  private let contents: [Bytes]
  /// The content of the answer that is under way; nil where `contents` says it.
  private var contentLength: Int?
  private var turn = 0
  private var instant: UInt64 = 1_000_000_000
  private var received = 0
  private var spare: [[Command]] = []
  private var upstream = UpstreamID(0)

  init(_ mode: Mode) throws {
    var numbers = Samples.Numbers()
    let ids = (0..<Self.count).map { _ in numbers.next() % 1_000_000_000 }
    self.requests = ids.map {
      Bytes(
        "GET http://a.example/v1/report?n=\($0) HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Mozilla/5.0 (Linux; Android 13)\r\nAccept: */*\r\n\r\n"
      )
    }
    self.contents = ids.map {
      let start = "{\"status\":\"ok\",\"id\":\($0),\"items\":[1,2,3],\"note\":\""
      let text = String(repeating: "some words ", count: 20).prefix(198 - start.utf8.count)
      return Bytes(start + text + "\"}")
    }
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
    try require(self.turn + 1 < Self.count, "no request is said twice")
    try self.exchange(self.turn + 1)
  }

  /// The exchange of that number, perhaps once more.
  func exchange(_ turn: Int) throws {
    self.received = 0
    self.turn = turn
    try self.give(.received(.downstream, self.requests[turn]))
    try require(self.received > 200, "an answer of \(self.received) bytes")
  }

  /// Asks, and is answered with a head alone: of a content of as many such pieces as `relay` may give.
  func beginContent(of piece: Bytes) throws {
    self.contentLength = Self.count * piece.count
    try self.give(.received(.downstream, self.requests[0]))
    try require(self.received > 0, "no head")
  }

  func relay(_ piece: Bytes) throws {
    self.received = 0
    try self.give(.received(.upstream(self.upstream), piece))
    try require(self.received == piece.count, "\(self.received) bytes of \(piece.count)")
  }

  private func give(_ event: Event) throws {
    self.instant += 10_000
    // As the engine does: their room is used again.
    var commands = self.spare.popLast() ?? []
    defer {
      commands.removeAll(keepingCapacity: true)
      self.spare.append(commands)
    }
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
      self.upstream = id
      guard let length = self.contentLength else {
        try self.give(.received(.upstream(id), Self.response))
        try self.give(.received(.upstream(id), self.contents[self.turn]))
        return
      }
      let head =
        "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: \(length)\r\n\r\n"
      try self.give(.received(.upstream(id), Bytes(head)))
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
