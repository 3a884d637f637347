import Dispatch
import NIOCore
import TideCore
import TidePolicy
import TideProxy

/// One event loop: its context, its connections, its tick; confined to that loop.
final class LoopRunner {
  let eventLoop: Reactor
  let resolver: Resolver
  let authentication: Authentication
  private let context: LoopContext
  private let settings: EngineSettings
  private let sink: any FlowEventSink
  private var drivers: [UInt64: ConnectionDriver] = [:]
  private var nextNumber: UInt64 = 0
  private var listeners: [Listener] = []
  private var isAccepting = true
  private var spareCommands: [Command] = []
  private var tick: RepeatedTask?
  private var turn: UInt64 = 0
  private var ebb = Ebb()
  private var waitingForRoom: [ConnectionDriver] = []
  /// Legs that are to end once their last bytes are written.
  private var flushing: [LegSocket] = []
  /// Legs whose servers have not accepted yet.
  private var dialling: [LegSocket] = []
  private let strangers: Strangers
  /// The requests of the proxy's own.
  private(set) lazy var fetches = Fetches { [unowned self] fetch in
    ConnectionDriver(
      machine: ConnectionMachine(
        ownIn: self.context,
        onBehalf: fetch.key.device,
        at: Clock.now()
      ),
      number: self.newNumber(),
      loop: self,
      for: fetch
    )
  }

  private static let tickTime = TimeAmount.milliseconds(250)
  /// Of so many ticks a connection at rest takes one.
  private static let restingTurns: UInt64 = 4
  private static let roomTime = TimeAmount.milliseconds(5)

  init(
    eventLoop: Reactor,
    context: LoopContext,
    settings: EngineSettings,
    resolver: Resolver,
    authentication: Authentication,
    strangers: Strangers,
    sink: any FlowEventSink
  ) {
    self.eventLoop = eventLoop
    self.context = context
    self.settings = settings
    self.resolver = resolver
    self.authentication = authentication
    self.strangers = strangers
    self.sink = sink
  }

  var connectionCount: Int { self.drivers.count }
  var scanners: [any Scanner] { self.context.scanners }

  func start() {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    self.tick = self.eventLoop.scheduleRepeatedTask(
      initialDelay: Self.tickTime,
      delay: Self.tickTime
    ) { _ in
      let runner = bound.value
      runner.tickDrivers()
      let now = Clock.now().instant
      runner.fetches.tick(at: now)
      runner.cutStalled(at: now)
      runner.giveUpDials(at: now)
      for listener in runner.listeners { listener.tick() }
      // Elsewhere: a loop has better things to do.
      if runner.ebb.isLow(runner.drivers.count) {
        DispatchQueue.global().async { Footprint.trim() }
      }
    }
  }

  /// Those at rest have their turn once in a while: thousands of them at once would keep all others waiting.
  private func tickDrivers() {
    self.turn &+= 1
    for driver in self.drivers.values
    where driver.number % Self.restingTurns == self.turn % Self.restingTurns || !driver.isAtRest {
      driver.handle(.tick)
    }
  }

  // MARK: Listening

  /// Begins to accept on an address.
  ///
  /// - Throws: if it cannot be had.
  func listen(on address: ListenAddress) throws(TCP.Failure) {
    let listener = try Listener(on: address, self.eventLoop) { [unowned self] in self.admit($0) }
    self.listeners.append(listener)
  }

  /// Takes a client in, or closes it: strangers are not served, and there is a limit to all things.
  private func admit(_ accepted: TCP.Accepted) {
    let client = accepted.client
    guard self.settings.allowedClients.contains(where: { $0.contains(client) }) else {
      self.strangers.refused(client)
      TCP.close(accepted.descriptor)
      return
    }
    let machine = ConnectionMachine(
      client: client,
      port: accepted.port,
      context: self.context,
      at: Clock.now()
    )
    let driver = ConnectionDriver(machine: machine, number: self.newNumber(), loop: self)
    do throws(TCP.Failure) {
      driver.attach(
        try LegSocket(
          accepted: accepted.descriptor,
          driver: driver,
          limits: self.settings.limits,
          on: self.eventLoop
        )
      )
    } catch {
      // The system cannot watch one more: as if the client had gone at once.
      driver.handle(.closed(.downstream, .reset))
      return
    }
    self.drivers[driver.number] = driver
    self.setAccepting(self.drivers.count < self.settings.limits.connectionsPerLoop)
  }

  private func newNumber() -> UInt64 {
    self.nextNumber += 1
    return self.nextNumber
  }

  func remove(_ driver: ConnectionDriver) {
    self.drivers[driver.number] = nil
    self.fetches.abandon(owner: driver.number)
    self.waitingForRoom.removeAll { $0 === driver }
    self.setAccepting(self.drivers.count < self.settings.limits.connectionsPerLoop)
  }

  /// Has a leg whose end waits for its last bytes looked after: see `LegSocket.isFlushing`.
  func watch(_ leg: LegSocket) { self.flushing.append(leg) }

  private func cutStalled(at now: Instant) {
    guard !self.flushing.isEmpty else { return }
    let patience = self.settings.timeouts.idle
    let watched = self.flushing
    self.flushing = []
    let left = watched.filter { $0.isFlushing(at: now, patience: patience) }
    // To cut one leg may have begun the end of another, which has joined the new list.
    self.flushing += left
  }

  private func setAccepting(_ isAccepting: Bool) {
    guard isAccepting != self.isAccepting else { return }
    self.isAccepting = isAccepting
    for listener in self.listeners { listener.setAccepting(isAccepting) }
  }

  // MARK: What drivers ask

  /// Connects to a decided address; the driver is told what came of it.
  func dial(_ target: PinnedTarget, _ id: UpstreamID, for driver: ConnectionDriver) {
    let patience = self.settings.timeouts.connect
    let deadline = Clock.now().instant.nanoseconds.addingReportingOverflow(patience)
    do throws(TCP.Failure) {
      let socket = try LegSocket(
        dialling: target.address.unmapped,
        port: target.authority.port,
        as: id,
        until: Instant(nanoseconds: deadline.overflow ? .max : deadline.partialValue),
        driver: driver,
        limits: self.settings.limits,
        on: self.eventLoop
      )
      if socket.isConnecting { self.dialling.append(socket) }
    } catch {
      driver.dialled(id, .failure(FlowFailure(dialling: error)))
    }
  }

  private func giveUpDials(at now: Instant) {
    guard !self.dialling.isEmpty else { return }
    let dialling = self.dialling
    self.dialling = []
    for socket in dialling {
      socket.giveUp(at: now)
      if socket.isConnecting { self.dialling.append(socket) }
    }
  }

  /// Tells a driver when the recorder has room again.
  func awaitRoom(_ driver: ConnectionDriver) {
    self.waitingForRoom.append(driver)
    if self.waitingForRoom.count == 1 { self.pollRoom() }
  }

  private func pollRoom() {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    _ = self.eventLoop.scheduleTask(in: Self.roomTime) {
      let runner = bound.value
      guard !runner.waitingForRoom.isEmpty else { return }
      guard runner.sink.hasRoom else {
        runner.pollRoom()
        return
      }
      let ready = runner.waitingForRoom
      runner.waitingForRoom = []
      for driver in ready { driver.handle(.roomAvailable) }
    }
  }

  /// The command array is reused: most events need only a few.
  func takeCommands() -> [Command] {
    var taken: [Command] = []
    swap(&taken, &self.spareCommands)
    return taken
  }

  func giveBack(_ commands: inout [Command]) {
    commands.removeAll(keepingCapacity: true)
    swap(&commands, &self.spareCommands)
  }

  // MARK: Steering

  func replace(_ ruling: Ruling) throws { try self.context.replace(ruling) }

  func stopAccepting() {
    for listener in self.listeners { listener.close() }
    self.listeners = []
  }

  func shutDown() {
    for driver in Array(self.drivers.values) { driver.handle(.shutdown) }
  }

  /// Ends what did not end by itself: what is unwritten now never will be.
  func end() {
    self.tick?.cancel()
    self.fetches.end()
    let watched = self.flushing
    self.flushing = []
    for leg in watched { leg.cut() }
  }
}
