import Testing
import TideCore
import TideInspect
import TidePolicy
import TideTLS

@testable import TideProxy

/// How what a peer sends is cut before the machine gets it: the outcome must not depend on it.
enum Cut: String, CaseIterable, Sendable {
  case whole
  case everyByte
  case pieces
}

/// One connection with both its peers in memory: a device, a server, a resolver, a recorder.
///
/// Give it what a peer does, then expect what the other peers got and what was recorded. Like an engine it
/// delivers nothing to a leg that is not read, and carries commands out in order.
final class Playbook {
  let sink = CollectingSink()
  let site = FakeSite()
  let context: LoopContext
  let machine: ConnectionMachine
  private let cut: Cut
  private var random = Seeded(state: 0x7D1)

  private(set) var instant: UInt64 = 1_000_000_000
  private(set) var log: [Command] = []
  private(set) var isFinished = false
  private(set) var closed: [Leg: CloseMode] = [:]
  private(set) var paused: Set<Leg> = []
  private(set) var awaitsRoom = false
  private var inbox: [Leg: [Bytes]] = [:]
  private var gone: Set<Leg> = []
  /// What one event put into each leg's queue, and the legs that were congested by it and then drained.
  private var turnCounts: [Leg: Int] = [:]
  private var full: [Leg] = []

  // The resolver and the dialler.
  private(set) var resolving: Hostname?
  private(set) var dialling: (id: UpstreamID, target: PinnedTarget)?
  private(set) var opened: [IPAddress] = []
  private(set) var legs: [Leg] = [.downstream]
  private(set) var upstream: UpstreamID?

  /// What was asked to be fetched; the test answers.
  private(set) var fetches: [(FetchID, Bytes)] = []

  /// What scanners were asked; the test answers.
  private(set) var scans: [(id: ScanID, request: ScanRequest)] = []

  // The peers.
  private(set) var deviceTLS: TLSSession?
  private(set) var deviceFailure: TLSFailure?
  private var deviceContext: TLSClientContext?
  private var deviceText: [UInt8] = []
  private(set) var serverTLS: TLSSession?
  private(set) var serverFailure: TLSFailure?
  private let serverContext: TLSServerContext
  private(set) var serverText: [UInt8] = []
  /// Every byte that came from the device's socket.
  private(set) var deviceBytes: [UInt8] = []
  /// Every byte that went to a server, encrypted or not.
  private(set) var upstreamByteCount = 0

  /// Replaces the event at this position by something worse.
  var fault: (at: Int, kind: Fault)?
  private(set) var eventCount = 0

  init(
    _ cut: Cut = .whole,
    mode: Mode = .record,
    rules: [Rule] = [],
    passthrough: [String] = [],
    fronting: PolicySettings.Fronting = .refuse,
    limits: Limits = Limits(),
    isFull: Bool = false,
    scanners: [any Scanner] = [],
    authentication: ProxyAuthentication? = nil,
    keepsWire: Bool = false,
    tls: PlayTLS = PlayTLS()
  ) throws {
    self.cut = cut
    self.serverContext = try TLSServerContext()
    let policy = try PolicySnapshot(
      rules: rules,
      regions: World.regions,
      settings: PolicySettings(
        mode: mode,
        allowSpecialUse: World.documentation,
        passthrough: passthrough,
        fronting: fronting
      )
    )
    self.context = try LoopContext(
      ruling: Ruling(policy: policy, plan: World.plan(limits), devices: [World.profile]),
      mode: mode,
      keepsWire: keepsWire,
      minter: LeafMinter(
        authority: tls.authority.get(),
        previous: tls.previous?.get(),
        capacity: 8
      ),
      upstreamTLS: TLSClientContext(
        roots: .pem(World.originCA.get().certificatePEM),
        mode: tls.untrusted == .refuse ? .refuse : .record,
        revocation: tls.revocation,
        sessions: tls.sessions
      ),
      clientTLS: TLSServerContext(tickets: tls.tickets),
      untrustedUpstreams: tls.untrusted,
      trust: tls.trust,
      statistics: tls.statistics,
      revocations: tls.revocations,
      sink: self.sink,
      site: self.site,
      scanners: scanners,
      authentication: authentication,
      numbering: Numbering(),
      limits: limits,
      timeouts: Timeouts()
    )
    self.sink.isFull = isFull
    self.machine = ConnectionMachine(
      client: World.address("192.0.2.200"),
      context: self.context,
      at: Moment(instant: Instant(nanoseconds: 1_000_000_000), wall: World.wall)
    )
  }

  // MARK: Give

  /// The device sends, inside TLS once its handshake was begun.
  func device(_ text: String) { self.device(bytes: Bytes(text)) }

  func device(bytes: Bytes) {
    if let tls = self.deviceTLS {
      do throws(TLSFailure) { try tls.send(bytes) } catch { self.deviceFailure = error }
    } else {
      self.queue(bytes, from: .downstream)
    }
    self.pump()
  }

  /// The device sends these bytes as they are, whatever was agreed on.
  func deviceRaw(_ bytes: Bytes) {
    self.queue(bytes, from: .downstream)
    self.pump()
  }

  /// The device begins a TLS handshake.
  func deviceHandshake(
    _ name: String,
    offering offer: [String] = ["http/1.1"],
    trusting root: Result<CertificateAuthority, any Error> = World.proxyCA
  ) throws {
    let context = try TLSClientContext(roots: .pem(root.get().certificatePEM))
    self.deviceContext = context
    self.deviceTLS = try TLSSession.client(
      context,
      host: World.host(name),
      applicationProtocols: offer
    )
    self.pump()
  }

  /// The device sends close_notify.
  func deviceEndsTLS() {
    self.deviceTLS?.close()
    self.pump()
  }

  /// The resolver answers the question that is open.
  func resolve(_ addresses: String..., alias: String? = nil) {
    self.resolve(addresses, alias: alias)
  }

  func resolve(_ addresses: [String], alias: String? = nil) {
    guard let name = self.resolving else { return }
    self.resolving = nil
    self.give(
      .resolved(
        name,
        .success(
          Resolution(
            addresses: addresses.map(World.address),
            aliases: [alias.flatMap { Hostname($0) }].compactMap(\.self),
            source: "test"
          )
        )
      )
    )
  }

  func resolveFails(_ code: FlowFailure.Code = .nameNotFound) {
    guard let name = self.resolving else { return }
    self.resolving = nil
    self.give(
      .resolved(name, .failure(FlowFailure(code, origin: .upstream, detail: "no such name")))
    )
  }

  /// The server accepts, and speaks TLS with a certificate for `name` if there is one.
  func connect(
    as name: String? = nil,
    signedBy authority: Result<CertificateAuthority, any Error> = World.originCA,
    selecting choice: String? = "http/1.1",
    showing leaf: Leaf? = nil,
    peer: String? = nil
  ) throws {
    guard let dial = self.dialling else { return }
    self.dialling = nil
    self.serverTLS = nil
    if let name {
      let minter = try LeafMinter(authority: authority.get(), capacity: 1)
      self.serverTLS = try TLSSession.server(
        self.serverContext,
        leaf: leaf ?? minter.leaf(for: World.host(name), at: World.wall),
        applicationProtocol: choice,
        maximumVersion: nil
      )
    }
    self.upstream = dial.id
    self.give(.opened(dial.id, .success(peer.map(World.address) ?? dial.target.address)))
  }

  func connectFails(_ code: FlowFailure.Code = .connectionRefused) {
    guard let dial = self.dialling else { return }
    self.dialling = nil
    self.give(.opened(dial.id, .failure(FlowFailure(code, origin: .upstream, detail: "refused"))))
  }

  /// The server sends, inside TLS if it speaks that.
  func server(bytes: Bytes) {
    guard let id = self.upstream, !self.gone.contains(.upstream(id)) else { return }
    if let tls = self.serverTLS {
      do throws(TLSFailure) { try tls.send(bytes) } catch { self.serverFailure = error }
    } else {
      self.queue(bytes, from: .upstream(id))
    }
    self.pump()
  }

  /// The server ends its side, with close_notify unless `isCut`.
  func serverCloses(_ kind: CloseKind = .end, isCut: Bool = false) {
    guard let id = self.upstream else { return }
    if kind == .end, !isCut {
      self.serverTLS?.close()
      self.pump()
    }
    self.give(.closed(.upstream(id), kind))
  }

  /// Time passes, then the engine's tick comes.
  func tick(afterSeconds seconds: UInt64) {
    self.instant += seconds * 1_000_000_000
    self.give(.tick)
  }

  /// Hands an event over, and all that follows from it.
  func give(_ event: Event) {
    self.step(event)
    self.pump()
  }

  // MARK: Expect

  /// What the device got since it was last asked.
  func deviceGot() -> String {
    defer { self.deviceText = [] }
    return String(decoding: self.deviceText, as: UTF8.self)
  }

  /// What the server got since it was last asked.
  func serverGot() -> String {
    defer { self.serverText = [] }
    return String(decoding: self.serverText, as: UTF8.self)
  }

  /// The same as bytes, for peers that do not speak text.
  func deviceGotBytes() -> Bytes {
    defer { self.deviceText = [] }
    return Bytes(self.deviceText)
  }

  func serverGotBytes() -> Bytes {
    defer { self.serverText = [] }
    return Bytes(self.serverText)
  }

  func skipGot() {
    self.deviceText = []
    self.serverText = []
  }

  // MARK: The engine

  private func step(_ event: Event) {
    var event = event
    self.eventCount += 1
    if let fault, fault.at == self.eventCount { event = self.replacement(of: event, fault.kind) }
    switch event {
    case .closed(let leg, _):
      // Nothing comes after an end of input.
      self.inbox[leg] = []
      self.gone.insert(leg)
    case .received(let leg, _):
      if self.gone.contains(leg), !self.isFinished { return }
      if case .received(.downstream, let bytes) = event { self.deviceBytes += bytes.array }
    case .congested, .drained, .resolved, .opened, .authenticated, .roomAvailable, .fetched,
      .scanned, .tick, .shutdown, .abandoned:
      break
    }
    var commands: [Command] = []
    let moment = Moment(instant: Instant(nanoseconds: self.instant), wall: World.wall)
    self.machine.handle(event, at: moment, &commands)
    #expect(!self.isFinished || commands.isEmpty, "nothing follows .finished: \(commands)")
    for command in commands { self.carryOut(command) }
    self.log += commands
    for (leg, count) in self.turnCounts
    where count > self.context.limits.outputHigh && !self.gone.contains(leg) {
      self.full.append(leg)
    }
    self.turnCounts = [:]
  }

  private func replacement(of event: Event, _ kind: Fault) -> Event {
    let failure = FlowFailure(.resolverFailed, origin: .upstream, detail: "a fault")
    switch kind {
    case .deviceEnds: return .closed(.downstream, .end)
    case .deviceResets: return .closed(.downstream, .reset)
    case .serverEnds: return self.upstream.map { .closed(.upstream($0), .end) } ?? .tick
    case .serverResets: return self.upstream.map { .closed(.upstream($0), .reset) } ?? .tick
    case .replyFails:
      switch event {
      case .resolved(let name, _): return .resolved(name, .failure(failure))
      case .opened(let id, _): return .opened(id, .failure(failure))
      case .received(let leg, _): return .received(leg, "\u{0}\u{1} no protocol at all \r\n\r\n")
      case .authenticated(let credentials, _): return .authenticated(credentials, user: nil)
      case .fetched(let id, _): return .fetched(id, .failure(failure))
      case .scanned(let id, _): return .scanned(id, .failure(failure))
      case .congested, .drained, .closed, .roomAvailable, .tick, .shutdown, .abandoned:
        return .shutdown
      }
    case .timePasses:
      self.instant += 3_600_000_000_000
      return .tick
    case .stops: return .shutdown
    }
  }

  private func carryOut(_ command: Command) {
    switch command {
    case .send(let leg, let bytes):
      #expect(self.closed[leg] == nil, "nothing is sent on a leg that was closed")
      #expect(!bytes.isEmpty)
      self.turnCounts[leg, default: 0] += bytes.count
      if leg == .downstream { self.reachDevice(bytes) } else { self.reachServer(bytes) }
    case .pauseReading(let leg): self.paused.insert(leg)
    case .resumeReading(let leg): self.paused.remove(leg)
    case .close(let leg, let mode):
      self.closed[leg] = mode
      if mode != .writing {
        self.inbox[leg] = []
        self.gone.insert(leg)
        if let dial = self.dialling, leg == .upstream(dial.id) { self.dialling = nil }
      }
    case .resolve(let name): self.resolving = name
    case .open(let id, let target):
      self.dialling = (id, target)
      self.opened.append(target.address)
      self.legs.append(.upstream(id))
    case .authenticate: break  // the test answers
    case .fetch(let id, let request, _, _): self.fetches.append((id, request))  // as above
    case .scan(let id, let request): self.scans.append((id, request))  // as above
    case .awaitRoom: self.awaitsRoom = true
    case .finished: self.isFinished = true
    }
  }

  private func reachDevice(_ bytes: Bytes) {
    guard let tls = self.deviceTLS else {
      self.deviceText += bytes.array
      return
    }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) { try tls.receive(bytes, &plaintext) } catch {
      self.deviceFailure = error
    }
    for part in plaintext { self.deviceText += part.array }
  }

  private func reachServer(_ bytes: Bytes) {
    self.upstreamByteCount += bytes.count
    guard let tls = self.serverTLS else {
      self.serverText += bytes.array
      return
    }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) { try tls.receive(bytes, &plaintext) } catch {
      self.serverFailure = error
    }
    for part in plaintext { self.serverText += part.array }
  }

  private func queue(_ bytes: Bytes, from leg: Leg) {
    guard !self.gone.contains(leg) else { return }
    var rest = bytes
    while !rest.isEmpty {
      let count =
        switch self.cut {
        case .whole: rest.count
        case .everyByte: 1
        case .pieces: Int.random(in: 1...min(rest.count, 23), using: &self.random)
        }
      self.inbox[leg, default: []].append(rest.slice(0..<count))
      rest = rest.dropping(first: count)
    }
  }

  /// Delivers what waits on legs that are read, until nothing is left.
  private func pump() {
    while true {
      if let leg = self.full.popLast() {
        self.step(.congested(leg))
        self.step(.drained(leg))
        continue
      }
      if let tls = self.deviceTLS, tls.hasOutput {
        self.queue(tls.takeOutput(), from: .downstream)
      }
      if let tls = self.serverTLS, tls.hasOutput, let id = self.upstream {
        self.queue(tls.takeOutput(), from: .upstream(id))
      }
      let legs = [.downstream] + (self.upstream.map { [Leg.upstream($0)] } ?? [])
      guard let leg = legs.first(where: { self.isReadable($0) }),
        let bytes = self.inbox[leg]?.first
      else { return }
      self.inbox[leg]?.removeFirst()
      self.step(.received(leg, bytes))
    }
  }

  private func isReadable(_ leg: Leg) -> Bool {
    !self.paused.contains(leg) && !self.gone.contains(leg) && self.inbox[leg]?.isEmpty == false
  }
}
