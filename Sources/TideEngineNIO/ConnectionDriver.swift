import NIOCore
import TideCore
import TidePolicy
import TideProxy

/// One connection's machine and its sockets: carries out the machine's commands on NIO.
///
/// Confined to its event loop. Kept alive by its loop's table until both legs are gone.
final class ConnectionDriver {
  private let machine: ConnectionMachine
  private let loop: LoopRunner
  private var down: LegSocket?
  private var up: (id: UpstreamID, socket: LegSocket)?
  /// The upstream leg that the machine asked for and has not closed since.
  ///
  /// A dial cannot be called off: what it brings for any other leg is closed.
  private var wanted: UpstreamID?
  /// Events that came while one was being handled: the machine is never re-entered.
  private var waiting: [Event] = []
  private var isHandling = false
  let number: UInt64
  /// What stands in the place of the device's socket, if the request is the proxy's own.
  private let fetch: Fetch?

  init(machine: ConnectionMachine, number: UInt64, loop: LoopRunner, for fetch: Fetch? = nil) {
    self.machine = machine
    self.number = number
    self.loop = loop
    self.fetch = fetch
  }

  /// Takes over the device's socket, which may tell of something from now on.
  func attach(_ downstream: LegSocket) { self.down = downstream }

  var isAtRest: Bool { self.machine.isAtRest }

  func handle(_ event: Event) {
    guard !self.isHandling else {
      self.waiting.append(event)
      return
    }
    self.isHandling = true
    defer { self.isHandling = false }
    self.step(event)
    while !self.waiting.isEmpty {
      let next = self.waiting.removeFirst()
      self.step(next)
    }
  }

  private func step(_ event: Event) {
    var commands = self.loop.takeCommands()
    self.machine.handle(event, at: Clock.now(), &commands)
    for command in commands { self.carryOut(command) }
    self.down?.flush()
    self.up?.socket.flush()
    self.loop.giveBack(&commands)
  }

  private func carryOut(_ command: Command) {
    switch command {
    case .send(let leg, let bytes):
      if let socket = self.socket(of: leg) {
        socket.send(bytes)
      } else if leg == .downstream, let fetch = self.fetch {
        self.loop.fetches.received(bytes, fetch)
      }
    case .pauseReading(let leg): self.socket(of: leg)?.setReading(false)
    case .resumeReading(let leg): self.socket(of: leg)?.setReading(true)
    case .close(let leg, let mode): self.close(leg, mode)
    case .resolve(let name): self.resolve(name)
    case .open(let id, let target): self.open(id, target)
    case .authenticate(let credentials): self.authenticate(credentials)
    case .fetch(let id, let request, let limit, let device):
      self.fetch(id, Fetch.Key(request: request, limit: limit, device: device))
    case .scan(let id, let request): self.scan(id, request)
    case .awaitRoom: self.loop.awaitRoom(self)
    case .finished:
      self.wanted = nil
      self.loop.fetches.abandon(owner: self.number)
      if let fetch = self.fetch {
        self.loop.fetches.ended(fetch, isCut: true, self.machine.failure)
      }
    }
  }

  private func socket(of leg: Leg) -> LegSocket? {
    switch leg {
    case .downstream: self.down
    case .upstream(let id): self.up?.id == id ? self.up?.socket : nil
    }
  }

  private func close(_ leg: Leg, _ mode: TideProxy.CloseMode) {
    if case .upstream(let id) = leg, mode != .writing, self.wanted == id { self.wanted = nil }
    guard let socket = self.socket(of: leg) else {
      guard leg == .downstream, let fetch = self.fetch else { return }
      self.loop.fetches.ended(fetch, isCut: mode == .abort, self.machine.failure)
      return
    }
    socket.flush()
    socket.close(mode)
    if case .upstream = leg, mode != .writing { self.up = nil }
  }

  private func resolve(_ name: Hostname) {
    let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
    self.loop.resolver.resolve(name, on: self.loop.eventLoop) { result in
      bound.value.handle(.resolved(name, result))
    }
  }

  private func authenticate(_ credentials: ProxyCredentials) {
    let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
    self.loop.authentication.check(credentials, on: self.loop.eventLoop) { user in
      bound.value.handle(.authenticated(credentials, user: user))
    }
  }

  private func fetch(_ id: FetchID, _ key: Fetch.Key) {
    let waiter = Fetch.Waiter(owner: self.number) { self.handle(.fetched(id, $0)) }
    self.loop.fetches.begin(key, for: waiter)
  }

  private func scan(_ id: ScanID, _ request: ScanRequest) {
    let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
    let eventLoop = self.loop.eventLoop
    self.loop.scanners[request.scanner].scan(request) { result in
      eventLoop.execute { bound.value.handle(.scanned(id, result)) }
    }
  }

  private func open(_ id: UpstreamID, _ target: PinnedTarget) {
    self.wanted = id
    self.loop.dial(target, id, for: self)
  }

  /// What a dial came to.
  func dialled(_ id: UpstreamID, _ result: Result<LegSocket, FlowFailure>) {
    switch result {
    case .success(let socket):
      guard self.wanted == id else {
        socket.close(.afterFlush)
        return
      }
      guard let peer = socket.peer else {
        // Gone before it could be used.
        socket.close(.abort)
        let detail = "the connection failed"
        let failure = FlowFailure(.connectionRefused, origin: .upstream, detail: detail)
        self.handle(.opened(id, .failure(failure)))
        return
      }
      self.up = (id, socket)
      // The first bytes come with a later turn of the loop; the machine may pause the leg before.
      socket.setReading(true)
      self.handle(.opened(id, .success(peer)))
    case .failure(let failure): self.handle(.opened(id, .failure(failure)))
    }
  }

  /// Joins the legs whose end waits until their last bytes are written.
  func beginsFlushing(_ socket: LegSocket) { self.loop.watch(socket) }

  func legIsGone(_ leg: Leg) {
    switch leg {
    case .downstream:
      // Its end was told as a half-close; now that the socket is gone there is nobody to answer.
      if !self.machine.isClosed { self.handle(.closed(.downstream, .reset)) }
      self.down = nil
      self.loop.remove(self)
    case .upstream(let id):
      if self.up?.id == id { self.up = nil }
    }
  }
}

extension FlowFailure {
  /// Why a dial failed.
  init(dialling failure: TCP.Failure) {
    self.init(.connectionRefused, origin: .upstream, detail: failure.description)
  }
}
