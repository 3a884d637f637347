public import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// One device's connection and its upstream leg, from accept to close: events in, commands out.
///
/// It touches no socket, clock, thread or file. `handle` is never re-entered; the engine carries out
/// `commands` after it returns. Confined to one loop.
///
/// ```
///  awaitingRequest ──CONNECT──► resolving ─► dialling ─► awaitingHello ─► securingUpstream
///        │  ▲                       │            │             │                  │
///        │  │ plain exchange ends   │            │             ├─ passthrough ─► tunnelling
///   absolute-form ──► resolving ─► dialling ─► relaying        ▼                  ▼
///   origin-form ─────────────────────────────► relaying ◄── securingClient ◄──────┘
///   any failure ──► draining ─► closed
/// ```
///
/// Between awaitingHello and securingUpstream lies resolvingServerName, where the hello names another
/// host than CONNECT did and that is to be judged too. Where ALPN does not say what is spoken, and after
/// CONNECT without TLS, sniffing comes before relaying. A proxy request may have to wait in
/// authenticating first.
public final class ConnectionMachine {
  /// Where the connection is in its life.
  enum Stage {
    /// A proxy request's head is awaited; `since` is when its first byte came.
    case awaitingRequest(since: Instant?)
    /// Who the device says it is, is being checked.
    case authenticating(since: Instant)
    /// A name is being looked up for `destination`.
    case resolving(Destination, since: Instant)
    /// The first of `targets` is being dialled.
    case dialling(Destination, targets: [PinnedTarget], since: Instant)
    /// CONNECT was answered; the ClientHello is being gathered.
    case awaitingHello(Tunnel, since: Instant)
    /// The hello's name, which is not the CONNECT target's, is being looked up to be judged too.
    case resolvingServerName(Tunnel, HelloFacts, since: Instant)
    /// The server's handshake is under way; the client waits.
    case securingUpstream(Tunnel, HelloFacts, since: Instant)
    /// The server's handshake is over, and something is still to be known of it.
    case settlingUpstream(UpstreamSettlement)
    /// The client's handshake is under way.
    case securingClient(Tunnel, since: Instant)
    /// What is spoken inside a tunnel is not known yet: with TLS if there was a hello.
    case sniffing(Tunnel, HelloFacts?, since: Instant)
    /// Exchanges go through: one at a time, the streams of HTTP/2, or one stream of bytes.
    case relaying
    /// Bytes go through undecrypted.
    case tunnelling
    /// The last answer is on its way; what still comes is thrown away.
    case draining(since: Instant)
    /// Nothing more happens.
    case closed
  }

  /// The connection's number in the case.
  public let id: ConnectionID
  let client: IPAddress
  var device: String
  /// The device for whose sake the proxy makes these requests itself; nil of a device's own connection.
  let onBehalf: String?
  let context: LoopContext

  var stage = Stage.awaitingRequest(since: nil)
  var now: Moment
  var commands: [Command] = []
  let down = Side()
  var up = Side()
  /// The upstream leg in use, if any; events of another are late and ignored.
  var upstream: UpstreamID?
  private var upstreamCount: UInt32 = 0

  var deviceCodec: HTTP1Codec
  var serverCodec: HTTP1Codec
  /// Parsed but not yet handled, because the exchange they belong to waits for its upstream.
  var requestParts: [MessagePart] = []
  var responseParts: [MessagePart] = []
  /// What is known of where exchanges go; nil until a destination is decided.
  var route: Route?
  /// The exchange under way, but for those of HTTP/2.
  var exchange: Exchange?
  /// HTTP/2, where that is spoken.
  var multiplex: Multiplex?
  /// A stream of bytes without TLS.
  var plainTunnel: PlainTunnel?
  /// The device's first bytes, while what is spoken is unknown; bounded by `SpokenProtocol`.
  var sniffed = Bytes()
  /// The first line of a stream that was taken for one before the line was over: if it turns out to be a
  /// request's, the stream ends.
  var firstLine: Bytes?
  /// What was noted of this connection's coverage.
  var covered: Set<Coverage> = []
  /// The Proxy-Authorization that was accepted.
  var acceptedCredentials: Bytes?
  var tunnelFlow: TunnelFlow?
  /// The rules that were asked last where this connection leads.
  var judgedBy: PolicySnapshot
  /// The hosts that requests name besides the connection's own.
  var requestedHosts = RequestedHosts()
  var lastActivity: Instant
  /// The last activity after which it has rested: see `rest`.
  var restedAfter: Instant?
  /// When the first byte of a request head came inside TLS.
  var headSince: Instant?
  var helloParser: ClientHelloParser
  /// The hello that is being answered.
  var earlyHello: HelloFacts?
  /// The leaf that the device was shown, until it has said something under it.
  var shownLeaf: ShownLeaf?
  /// How many fetches were asked for.
  var fetchCount: UInt32 = 0
  /// How many questions to scanners there were, and the messages of those that are open.
  var scanCount: UInt32 = 0
  var scans: [ScanID: (Exchange, MessageRelay)] = [:]
  /// How many bytes of content are kept for scanners beside what is held.
  var scanCopies = 0
  /// What the device sent while the server's handshake was under way: one read at most.
  var earlyClientBytes = Bytes()
  /// What the server sent before the device's side was ready.
  var earlyServerBytes = Bytes()
  /// What is kept of the device's bytes as they are on its socket.
  var tap: WireTap
  /// Half-closed sides of a tunnel.
  var deviceHasEnded = false
  var serverHasEnded = false
  var drainingFailure: FlowFailure?
  var isStopping = false
  private(set) var isWaitingForRoom = false
  /// Whether the device takes its bytes slowly, whichever upstream they come from.
  var isDeviceCongested = false
  private(set) var isServerCongested = false
  /// What this turn's frames have put into the legs' queues.
  var turnOutput = (down: 0, up: 0)

  init(
    client: IPAddress,
    port: UInt16? = nil,
    device: String,
    onBehalf: String? = nil,
    context: LoopContext,
    at now: Moment
  ) {
    self.id = context.numbering.connection()
    self.client = client
    self.device = device
    self.onBehalf = onBehalf
    self.context = context
    self.judgedBy = context.policy
    self.now = now
    self.lastActivity = now.instant
    self.deviceCodec = HTTP1Codec(role: .server, limits: context.limits)
    self.serverCodec = HTTP1Codec(role: .client, limits: context.limits)
    self.helloParser = ClientHelloParser(limits: context.limits)
    // Of the proxy's own requests there is no device's socket.
    self.tap = WireTap(isKept: context.keepsWire && onBehalf == nil)
    self.down.isOpen = true
    self.record(
      .connectionOpened(
        self.id,
        client: client,
        port: port,
        device: self.device,
        time: now.wall
      )
    )
  }

  /// Whether everything is over.
  public var isClosed: Bool {
    if case .closed = self.stage { return true }
    return false
  }

  /// Takes one event and appends what is to be done to `commands`.
  public func handle(_ event: Event, at now: Moment, _ commands: inout [Command]) {
    self.now = now
    // What the first record asked for, before there was an event.
    commands += self.commands
    self.commands.removeAll()
    swap(&self.commands, &commands)
    self.dispatch(event)
    // A response that ended may have made way for a pipelined request.
    self.processRequestParts()
    self.noteWaitingRequest()
    self.turnOutput = (0, 0)
    self.flushFrames()
    if let multiplex = self.multiplex { self.drainIfOver(multiplex) }
    self.flush()
    swap(&self.commands, &commands)
  }

  private func dispatch(_ event: Event) {
    self.judgeAgain()
    switch event {
    case .received(.downstream, let bytes):
      self.lastActivity = self.now.instant
      self.receivedDownstream(bytes)
    case .received(.upstream(let id), let bytes):
      guard id == self.upstream else { return }
      self.lastActivity = self.now.instant
      self.receivedUpstream(bytes)
    case .congested(.downstream):
      self.isDeviceCongested = true
      // HTTP/2 has its own windows, and a side that is not read is not told of them.
      if self.multiplex != nil { return }
      self.pause(.up, .congestion)
      if self.upstream == nil { self.pause(.down, .unread) }
    case .drained(.downstream):
      self.isDeviceCongested = false
      self.resume(.up, .congestion)
      self.resume(.down, .unread)
    case .congested(.upstream(let id)):
      guard id == self.upstream else { return }
      self.isServerCongested = true
      if self.multiplex == nil { self.pause(.down, .congestion) }
    case .drained(.upstream(let id)):
      guard id == self.upstream else { return }
      self.isServerCongested = false
      self.resume(.down, .congestion)
    case .closed(.downstream, let kind):
      self.keepEnd(.request)
      self.downstreamClosed(kind)
    case .closed(.upstream(let id), let kind):
      if id == self.upstream { self.upstreamClosed(kind) }
    case .resolved(let name, let result): self.resolved(name, result)
    case .opened(let id, let result):
      if id == self.upstream { self.opened(result) }
    case .authenticated(let credentials, let user): self.authenticated(credentials, user)
    case .fetched(let id, let result): self.fetched(id, result)
    case .scanned(let id, let result): self.scanned(id, result)
    case .roomAvailable:
      self.isWaitingForRoom = false
      self.resume(.down, .evidence)
      self.resume(.up, .evidence)
      self.restartWaits()
    case .abandoned(let failure): self.finish(failure, mode: .abort)
    case .tick: self.tick()
    case .shutdown: self.shutdown()
    }
  }

  // MARK: Legs

  var leg: Leg? { self.upstream.map { .upstream($0) } }

  /// Names a side where a key path would be slow.
  enum Half {
    case down
    case up
  }

  private subscript(half: Half) -> Side { half == .down ? self.down : self.up }

  private func leg(of half: Half) -> Leg? { half == .down ? .downstream : self.leg }

  /// Stops reading a side for one more reason.
  func pause(_ half: Half, _ reason: PauseReasons) {
    let wasReading = self[half].pauses.isEmpty
    self[half].pauses.insert(reason)
    guard wasReading, self[half].isOpen, let leg = self.leg(of: half) else { return }
    self.commands.append(.pauseReading(leg))
  }

  /// Drops a reason; reads the side again if it was the last.
  func resume(_ half: Half, _ reason: PauseReasons) {
    guard self[half].pauses.contains(reason) else { return }
    self[half].pauses.remove(reason)
    guard self[half].pauses.isEmpty, self[half].isOpen, let leg = self.leg(of: half) else { return }
    self.commands.append(.resumeReading(leg))
  }

  /// A new upstream leg's name; events of the one before are ignored from now on.
  func nextUpstream() -> UpstreamID {
    self.upstreamCount += 1
    let id = UpstreamID(self.upstreamCount)
    self.upstream = id
    self.up = Side()
    self.isServerCongested = false
    // Why no upstream is to be read does not end with the one before.
    if self.isDeviceCongested { self.up.pauses.insert(.congestion) }
    if self.isWaitingForRoom { self.up.pauses.insert(.evidence) }
    return id
  }

  /// The upstream leg is connected, and is read unless there is a reason not to.
  func upstreamIsOpen() {
    self.up.isOpen = true
    guard !self.up.pauses.isEmpty, let leg = self.leg else { return }
    self.commands.append(.pauseReading(leg))
  }

  /// Ends the upstream leg; a TLS one says so first.
  func closeUpstream(_ mode: CloseMode) {
    guard let id = self.upstream else { return }
    if self.up.isOpen {
      if mode == .abort || self.up.hasEndedWriting {
        self.up.output.removeAll()
      } else {
        self.flushUpstream()  // nothing can be encrypted after close_notify
        self.up.tls?.close()
      }
      self.flushUpstream()
    }
    self.commands.append(.close(.upstream(id), mode))
    self.upstream = nil
    self.up = Side()
    self.resume(.down, .congestion)  // a leg that is gone never tells that it drained
  }

  // MARK: Records

  /// Offers an event to the recorder; stops reading while it has no room.
  func record(_ event: consuming FlowEvent) {
    switch self.context.sink.offer(event) {
    case .accepted: return
    case .pause:
      guard !self.isWaitingForRoom else { return }
      self.isWaitingForRoom = true
      self.pause(.down, .evidence)
      self.pause(.up, .evidence)
      self.commands.append(.awaitRoom)
    }
  }

  // MARK: The end

  /// Ends everything at once, after what is queued for the device is written.
  func finish(_ failure: FlowFailure?, mode: CloseMode = .afterFlush) {
    if case .closed = self.stage { return }
    self.recordAbandoned(failure)
    self.endAllExchanges(failure)
    self.endTunnelFlow(failure)
    self.closeUpstream(mode == .abort ? .abort : .afterFlush)
    self.stage = .closed
    self.drainingFailure = failure ?? self.drainingFailure
    self.record(
      .connectionClosed(self.id, self.drainingFailure, time: self.now.wall)
    )
    if self.down.isOpen {
      self.down.closing = mode
    } else {
      self.keepEnd(.response)
      self.commands.append(.finished)
    }
  }
}
