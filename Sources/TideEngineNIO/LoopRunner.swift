import Glibc
import NIOCore
import NIOPosix
import TideCore
import TidePolicy
import TideProxy

/// One event loop: its context, its connections, its tick; confined to that loop.
final class LoopRunner {
  let eventLoop: any EventLoop
  let resolver: Resolver
  let authentication: Authentication
  private let context: LoopContext
  private let settings: EngineSettings
  private let sink: any FlowEventSink
  private var drivers: [UInt64: ConnectionDriver] = [:]
  private var nextNumber: UInt64 = 0
  private var listeners: [any Channel] = []
  private var isAccepting = true
  private var spareCommands: [Command] = []
  private var tick: RepeatedTask?
  private var waitingForRoom: [ConnectionDriver] = []
  /// Legs that are to end once their last bytes are written.
  private var flushing: [LegHandler] = []
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
  private static let roomTime = TimeAmount.milliseconds(5)

  init(
    eventLoop: any EventLoop,
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
      for driver in runner.drivers.values { driver.handle(.tick) }
      runner.fetches.tick(at: Clock.now().instant)
      runner.cutStalled()
    }
  }

  // MARK: Listening

  func listen(on address: SocketAddress) -> EventLoopFuture<any Channel> {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    let limits = self.settings.limits
    return ServerBootstrap(group: self.eventLoop)
      .serverChannelOption(.backlog, value: 1_024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
      .serverChannelOption(.maxMessagesPerRead, value: 16)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(
        .writeBufferWaterMark,
        value: .init(low: limits.outputLow, high: limits.outputHigh)
      )
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try bound.value.admit(channel) }
      }
      .bind(to: address)
      .map { channel in
        bound.value.listeners.append(channel)
        return channel
      }
  }

  /// Takes a client in, or closes it: strangers are not served, and there is a limit to all things.
  private func admit(_ channel: any Channel) throws {
    guard let client = channel.remoteAddress.flatMap(IPAddress.init) else {
      channel.close(promise: nil)
      return
    }
    guard self.settings.allowedClients.contains(where: { $0.contains(client) }) else {
      self.strangers.refused(client)
      channel.close(promise: nil)
      return
    }
    let machine = ConnectionMachine(
      client: client,
      port: channel.remoteAddress?.port.flatMap { UInt16(exactly: $0) },
      context: self.context,
      at: Clock.now()
    )
    let driver = ConnectionDriver(machine: machine, number: self.newNumber(), loop: self)
    self.drivers[driver.number] = driver
    try channel.pipeline.syncOperations.addHandler(driver.attachDownstream())
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

  /// Has a leg whose end waits for its last bytes looked after: see `LegHandler.isFlushing`.
  func watch(_ leg: LegHandler) { self.flushing.append(leg) }

  private func cutStalled() {
    guard !self.flushing.isEmpty else { return }
    let now = Clock.now().instant
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
    for listener in self.listeners {
      // A listener that is closing refuses the option, and then it no longer matters.
      _ = try? listener.syncOptions?.setOption(.autoRead, value: isAccepting)
    }
  }

  // MARK: What drivers ask

  func dial(_ target: PinnedTarget) -> EventLoopFuture<any Channel> {
    let address: SocketAddress
    do {
      address = try SocketAddress(
        ipAddress: target.address.unmapped.description,
        port: Int(target.authority.port)
      )
    } catch {
      return self.eventLoop.makeFailedFuture(error)
    }
    let limits = self.settings.limits
    return ClientBootstrap(group: self.eventLoop)
      .connectTimeout(.nanoseconds(Int64(clamping: self.settings.timeouts.connect)))
      .channelOption(.autoRead, value: false)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(
        .writeBufferWaterMark,
        value: .init(low: limits.outputLow, high: limits.outputHigh)
      )
      .connect(to: address)
  }

  /// Tells a driver when the recorder has room again.
  func awaitRoom(_ driver: ConnectionDriver) {
    self.waitingForRoom.append(driver)
    if self.waitingForRoom.count == 1 { self.pollRoom() }
  }

  private func pollRoom() {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    self.eventLoop.scheduleTask(in: Self.roomTime) {
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
    for listener in self.listeners { listener.close(promise: nil) }
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
