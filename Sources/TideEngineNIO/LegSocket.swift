import Glibc
import TideCore
import TideProxy

/// One socket of one connection: turns its readiness into events, and writes what it is given.
///
/// ```
///   connecting ──► open ──► closed
///       └────────────────────▲
/// ```
///
/// Confined to its reactor. Bytes are written when the event that made them is over, at once and in one
/// piece if the kernel has room; what it has not is kept here, and `Limits.outputHigh` is when the other leg
/// is to wait.
final class LegSocket: Watched {
  private enum State {
    /// Until when the peer is waited for.
    case connecting(deadline: Instant)
    case open
    case closed
  }

  private let leg: Leg
  private let reactor: Reactor
  private let descriptor: Int32
  private let limits: Limits
  private var token: Reactor.Token?
  private var state: State
  /// What the reactor was asked for last.
  private var watched: Readiness = []
  /// Held until the socket is gone: an event of one leg may come after the other's end.
  private var driver: ConnectionDriver?

  private var isReading: Bool
  private var hasInputEnded = false
  private var hasFailed = false

  /// What is unwritten: from `next` on, of which `written` bytes are.
  private var output: [Bytes] = []
  private var next = 0
  private var written = 0
  private var unwritten = 0
  private var isCongested = false
  /// How it is to end once all is written.
  private var ending: TideProxy.CloseMode?
  private var hasEndedWriting = false
  private var isClosing = false
  /// How far the last bytes have come, while the end waits for them.
  private var flushing: Flushing?

  private struct Flushing {
    /// What was still to be written when it last became less.
    var left: Int
    /// When that was.
    var since: Instant
  }

  /// Takes a device's socket over, and reads it.
  ///
  /// - Throws: if it cannot be watched; the socket is closed then.
  init(
    accepted descriptor: Int32,
    driver: ConnectionDriver,
    limits: Limits,
    on reactor: Reactor
  ) throws(TCP.Failure) {
    self.leg = .downstream
    self.driver = driver
    self.descriptor = descriptor
    self.limits = limits
    self.reactor = reactor
    self.state = .open
    self.isReading = true
    try self.begin(watchingFor: [.readable, .peerEnded])
  }

  /// Begins to connect to a server; `driver` is told the outcome, perhaps before this returns.
  ///
  /// It is not read before `setReading`.
  ///
  /// - Throws: why that cannot even be tried.
  init(
    dialling address: IPAddress,
    port: UInt16,
    as id: UpstreamID,
    until deadline: Instant,
    driver: ConnectionDriver,
    limits: Limits,
    on reactor: Reactor
  ) throws(TCP.Failure) {
    let (descriptor, isConnected) = try TCP.connect(to: address, port: port)
    self.leg = .upstream(id)
    self.driver = driver
    self.descriptor = descriptor
    self.limits = limits
    self.reactor = reactor
    self.state = isConnected ? .open : .connecting(deadline: deadline)
    self.isReading = false
    try self.begin(watchingFor: isConnected ? [.readable, .peerEnded] : .writable)
    if isConnected { driver.dialled(id, .success(self)) }
  }

  private func begin(watchingFor interest: Readiness) throws(TCP.Failure) {
    do throws(TCP.Failure) {
      self.token = try self.reactor.watch(self.descriptor, for: interest, self)
      self.watched = interest
    } catch {
      TCP.close(self.descriptor)
      self.state = .closed
      throw error
    }
  }

  private var isOpen: Bool {
    if case .open = self.state { return true }
    return false
  }

  /// The address of the peer that the socket really has; nil if it is gone.
  var peer: IPAddress? { self.isOpen ? TCP.peer(of: self.descriptor) : nil }

  // MARK: What the reactor reports

  func isReady(_ readiness: Readiness) {
    switch self.state {
    case .connecting: self.connected()
    case .open: self.use(readiness)
    case .closed: return
    }
  }

  private func use(_ readiness: Readiness) {
    if readiness.contains(.writable) { self.writeOn() }
    guard self.isOpen else { return }
    if !readiness.isDisjoint(with: [.failed, .hungUp]) || readiness.contains(.peerEnded) {
      // Whatever it waits for: nothing more comes after what has come, and a peer that is gone is to be known.
      self.readToEnd()
      if self.isOpen, !readiness.isDisjoint(with: [.failed, .hungUp]) { self.fail() }
    } else if readiness.contains(.readable) {
      if self.isReading { _ = self.read() } else { self.watchAgain() }
    }
  }

  /// Reads once; false if there is nothing more.
  private func read() -> Bool {
    switch self.reactor.receive(self.descriptor) {
    case .bytes(let bytes):
      self.driver?.handle(.received(self.leg, bytes))
      return true
    case .nothing: return false
    case .end:
      self.endInput()
      return false
    case .failed:
      self.fail()
      return false
    }
  }

  private func readToEnd() {
    while self.isOpen, !self.hasInputEnded, self.read() {}
  }

  private func endInput() {
    self.hasInputEnded = true
    self.watchAgain()
    self.reportEnd(.end)
    // Both sides have ended.
    if self.isOpen, self.hasEndedWriting, self.ending == nil { self.drop() }
  }

  private func fail() {
    self.hasFailed = true
    self.reportEnd(.reset)
    self.drop()
  }

  /// Tells the machine, unless it was the one that asked for the close.
  private func reportEnd(_ kind: CloseKind) {
    guard !self.isClosing else { return }
    self.driver?.handle(.closed(self.leg, kind))
  }

  /// Closes the socket, which is when the driver forgets it.
  private func drop(resets: Bool = false) {
    if case .closed = self.state { return }
    self.state = .closed
    if let token = self.token { self.reactor.forget(token) }
    TCP.close(self.descriptor, resets: resets)
    self.output = []
    self.unwritten = 0
    self.ending = nil
    self.flushing = nil
    self.reportEnd(self.hasFailed ? .reset : .end)
    let driver = self.driver
    self.driver = nil
    driver?.legIsGone(self.leg)
  }

  /// Asks the reactor for what it is to report now.
  private func watchAgain() {
    guard self.isOpen, let token = self.token else { return }
    var interest: Readiness = []
    if !self.hasInputEnded { interest = self.isReading ? [.readable, .peerEnded] : .peerEnded }
    if self.unwritten > 0 { interest.insert(.writable) }
    guard interest != self.watched else { return }
    self.watched = interest
    self.reactor.rewatch(self.descriptor, for: interest, token)
  }

  // MARK: Connecting

  private func connected() {
    guard case .upstream(let id) = self.leg else { return }
    do throws(TCP.Failure) {
      try TCP.finishConnect(self.descriptor)
    } catch {
      self.giveUp(id, FlowFailure(dialling: error))
      return
    }
    self.state = .open
    self.watchAgain()
    self.driver?.dialled(id, .success(self))
  }

  /// Whether the server has not accepted yet.
  var isConnecting: Bool {
    if case .connecting = self.state { return true }
    return false
  }

  /// Ends a dial that has taken too long.
  func giveUp(at now: Instant) {
    guard case .connecting(let deadline) = self.state, case .upstream(let id) = self.leg,
      now.nanoseconds >= deadline.nanoseconds
    else { return }
    let detail = "the server did not accept in time"
    self.giveUp(id, FlowFailure(.connectTimeout, origin: .upstream, detail: detail))
  }

  private func giveUp(_ id: UpstreamID, _ failure: FlowFailure) {
    let driver = self.driver
    self.driver = nil  // it knows of no leg yet
    self.drop()
    driver?.dialled(id, .failure(failure))
  }

  // MARK: Commands

  /// Queues bytes until `flush`.
  func send(_ bytes: Bytes) {
    guard self.isOpen, !self.hasEndedWriting, !bytes.isEmpty else { return }
    self.output.append(bytes)
    self.unwritten += bytes.count
  }

  /// Writes what is queued, as far as there is room.
  func flush() {
    guard self.unwritten > 0 else { return }
    // A socket without room tells when it has some.
    if self.watched.contains(.writable) { self.noteCongestion() } else { self.writeOn() }
  }

  func setReading(_ isReading: Bool) {
    guard isReading != self.isReading else { return }
    self.isReading = isReading
    // A pause is carried out when bytes come while it lasts: most are over before.
    if isReading { self.watchAgain() }
  }

  func close(_ mode: TideProxy.CloseMode) {
    switch mode {
    case .abort:
      self.isClosing = true
      self.drop(resets: true)
    case .afterFlush, .writing:
      guard self.isOpen, mode == .afterFlush || !self.hasEndedWriting else { return }
      self.hasEndedWriting = true
      self.isClosing = mode == .afterFlush
      self.ending = mode
      self.flush()
      guard self.isOpen else { return }
      guard self.unwritten > 0 else {
        self.finishEnding()
        return
      }
      self.flushing = Flushing(left: self.unwritten, since: Clock.now().instant)
      self.driver?.beginsFlushing(self)
    }
  }

  // MARK: Writing

  private func writeOn() {
    while self.next < self.output.count {
      let first = self.output[self.next]
      let left = first.count - self.written
      let count = unsafe first.withUnsafeBytes { bytes in
        unsafe TCP.send(
          UnsafeRawBufferPointer(rebasing: bytes[self.written...]),
          to: self.descriptor
        )
      }
      guard let count else {
        self.cannotWrite()
        return
      }
      self.unwritten -= count
      guard count == left else {
        self.written += count
        break
      }
      self.written = 0
      self.next += 1
    }
    if self.next == self.output.count {
      self.output.removeAll(keepingCapacity: self.output.count <= 4)
      self.next = 0
    }
    self.watchAgain()
    self.noteCongestion()
    if self.unwritten == 0, self.ending != nil { self.finishEnding() }
  }

  private func noteCongestion() {
    if self.unwritten > self.limits.outputHigh, !self.isCongested {
      self.isCongested = true
      self.driver?.handle(.congested(self.leg))
    } else if self.unwritten < self.limits.outputLow, self.isCongested {
      self.isCongested = false
      self.driver?.handle(.drained(self.leg))
    }
  }

  /// The peer takes no more; what it said before that is still to be heard.
  private func cannotWrite() {
    self.unwritten = 0
    self.output = []
    self.next = 0
    self.written = 0
    self.hasEndedWriting = true
    self.ending = nil
    self.readToEnd()
    guard self.isOpen else { return }
    self.hasFailed = true
    self.drop()
  }

  /// All is written: carries out the end that waited for it.
  private func finishEnding() {
    guard let mode = self.ending else { return }
    self.ending = nil
    self.flushing = nil
    guard mode == .writing, !self.hasInputEnded else {
      self.drop()
      return
    }
    TCP.endWriting(self.descriptor)
  }

  // MARK: The last bytes

  /// Cuts a peer that took none of the last bytes for `patience` nanoseconds; false once there is
  /// nothing left to watch.
  ///
  /// A peer that is slow is not one that is gone: there is no bound but progress. A server's leg is
  /// given 10 s at most, since those that are left behind count towards no limit of connections.
  func isFlushing(at now: Instant, patience: UInt64) -> Bool {
    guard self.isOpen, var flushing = self.flushing else { return false }
    if self.unwritten < flushing.left {
      flushing.left = self.unwritten
      flushing.since = now
      self.flushing = flushing
    }
    let patience = self.leg == .downstream ? patience : min(patience, 10_000_000_000)
    guard now.nanoseconds(since: flushing.since) > patience else { return true }
    self.cut()
    return false
  }

  /// Ends a leg whose last bytes cannot be written, so that its peer learns that they are missing.
  func cut() {
    guard self.flushing != nil else { return }
    self.flushing = nil
    self.hasFailed = true
    self.drop(resets: true)
  }
}
