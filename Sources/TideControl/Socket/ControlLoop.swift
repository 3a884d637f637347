internal import Glibc
import TideCore

/// The control socket's thread: waits, reads lines, asks the port, writes replies.
///
/// ```
///   accepted ──► reading ──line──► writing ──all sent──► gone (──► port.stop())
///                   └────────── over a bound, late, hung up ──────► gone
/// ```
struct ControlLoop {
  /// One connection.
  private struct Client {
    /// Where it is in its life.
    enum State {
      /// Its request so far.
      case reading(Bytes)
      /// What is left of its reply; whether the proxy is to stop once it is out.
      case writing(Bytes, thenStop: Bool)
      /// To be dropped.
      case gone
    }

    let socket: Descriptor
    var state: State
    var deadline: ContinuousClock.Instant

    var isGone: Bool {
      if case .gone = self.state { return true }
      return false
    }
  }

  private let listener: Descriptor
  private let wake: Descriptor
  private let port: any ControlPort
  private let bounds: ControlServer.Bounds
  private var clients: [Client] = []

  init(
    listener: Descriptor,
    wake: Descriptor,
    port: any ControlPort,
    bounds: ControlServer.Bounds
  ) {
    self.listener = listener
    self.wake = wake
    self.port = port
    self.bounds = bounds
  }

  /// Serves until woken.
  mutating func run() {
    while true {
      var interests: [(socket: Descriptor, events: Int32)] = [(self.wake, POLLIN)]
      interests += self.clients.map { ($0.socket, Self.events($0.state)) }
      let hasRoom = self.clients.count < self.bounds.clients
      if hasRoom { interests.append((self.listener, POLLIN)) }
      let ready = UnixSocket.wait(for: interests, timeout: self.untilDeadline)
      if ready[0] { return }
      let now = ContinuousClock.now
      for index in self.clients.indices {
        if ready[index + 1] {
          self.advance(index, now)
        } else if self.clients[index].deadline <= now {
          self.clients[index].state = .gone
        }
      }
      self.clients.removeAll(where: \.isGone)
      if hasRoom, ready.last == true, !self.admit(now) {
        // Out of descriptors, perhaps: the connection stays ready, and asking at once would spin.
        _ = UnixSocket.wait(for: [(self.wake, POLLIN)], timeout: .milliseconds(100))
      }
    }
  }

  private static func events(_ state: Client.State) -> Int32 {
    switch state {
    case .reading: POLLIN
    case .writing: POLLOUT
    case .gone: 0
    }
  }

  private var untilDeadline: Duration {
    let earliest = self.clients.map(\.deadline).min()
    return earliest.map { max(.zero, ContinuousClock.now.duration(to: $0)) } ?? .seconds(3_600)
  }

  /// Takes the next connection if it comes from our own user or from root.
  ///
  /// The socket's mode says the same; this also holds where someone has changed the mode. False if
  /// there was nothing to take.
  private mutating func admit(_ now: ContinuousClock.Instant) -> Bool {
    guard let socket = UnixSocket.accept(from: self.listener) else { return false }
    let deadline = now + self.bounds.patience
    let user: UInt32
    do throws(ControlFailure) {
      user = try UnixSocket.peer(of: socket).user
    } catch {
      return true  // Gone before it was looked at; dropping the descriptor hangs up.
    }
    let isAllowed = user == geteuid() || user == 0
    let refusal = ControlFailure(refusing: "only the user who started Tidewaiter may steer it")
    self.clients.append(
      Client(
        socket: socket,
        state: isAllowed
          ? .reading(Bytes()) : .writing(ControlReply.refusal(refusal), thenStop: false),
        deadline: deadline
      )
    )
    return true
  }

  private mutating func advance(_ index: Int, _ now: ContinuousClock.Instant) {
    switch self.clients[index].state {
    case .reading(let bytes): self.read(index, bytes, now)
    case .writing(let rest, let thenStop): self.write(index, rest, thenStop: thenStop)
    case .gone: break
    }
  }

  private mutating func read(_ index: Int, _ before: Bytes, _ now: ContinuousClock.Instant) {
    var bytes = before
    switch UnixSocket.read(self.clients[index].socket, into: &bytes) {
    case .wait: return
    case .closed:
      self.clients[index].state = .gone
      return
    case .moved: break
    }
    let line = bytes.firstIndex(of: 0x0A).map { bytes.slice(0..<$0) }
    if (line ?? bytes).count > self.bounds.line {
      let failure = ControlFailure(.malformed, "a request is at most \(self.bounds.line) bytes")
      self.reply(index, ControlReply.refusal(failure), thenStop: false)
    } else if let line {
      self.perform(index, line)
    } else {
      self.clients[index].state = .reading(bytes)
    }
  }

  private mutating func perform(_ index: Int, _ line: Bytes) {
    do throws(ControlFailure) {
      switch try ControlRequest(line: line) {
      case .mark(let text):
        try self.port.mark(text)
        self.reply(index, ControlReply(message: "marked").line, thenStop: false)
      case .reload:
        let message = try self.port.reload()
        self.reply(index, ControlReply(message: message).line, thenStop: false)
      case .stop:
        self.reply(index, ControlReply(message: "stopping").line, thenStop: true)
      case .status:
        self.reply(index, ControlReply(status: self.port.status()).line, thenStop: false)
      case .passthroughs:
        let reply = ControlReply(passthroughs: self.port.passthroughs())
        self.reply(index, reply.line, thenStop: false)
      case .revoke(let host, let device):
        let message = try self.port.revoke(host: host, device: device)
        self.reply(index, ControlReply(message: message).line, thenStop: false)
      }
    } catch {
      self.reply(index, ControlReply.refusal(error), thenStop: false)
    }
  }

  /// Begins a reply; its time starts now, since a reload may have taken longer than a client may.
  private mutating func reply(_ index: Int, _ line: Bytes, thenStop: Bool) {
    self.clients[index].deadline = ContinuousClock.now + self.bounds.patience
    self.write(index, line, thenStop: thenStop)
  }

  private mutating func write(_ index: Int, _ bytes: Bytes, thenStop: Bool) {
    var rest = bytes
    while !rest.isEmpty {
      switch UnixSocket.write(self.clients[index].socket, rest) {
      case .moved(let count): rest = rest.dropping(first: count)
      case .wait:
        self.clients[index].state = .writing(rest, thenStop: thenStop)
        return
      case .closed:
        // Whoever asked to stop and went away without waiting still asked.
        rest = Bytes()
      }
    }
    self.clients[index].state = .gone
    if thenStop { self.port.stop() }
  }
}
