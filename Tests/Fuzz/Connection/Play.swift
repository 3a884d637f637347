import Support
import TideCore
import TideHTTP
import TidePolicy
import TideProxy

/// One connection with an engine that believes nothing: each command is checked as it is carried out.
final class Play {
  private let sink: Sink
  private let machine: ConnectionMachine
  private let laboratory: Laboratory
  private let region: CIDR
  private var instant: UInt64 = 1_000_000_000

  // What the machine has asked for.
  private var closes: [Leg: CloseMode] = [:]
  private var isFinished = false
  private var asked: [Hostname] = []
  private var dials: [(id: UpstreamID, address: IPAddress)] = []
  private var credentials: [ProxyCredentials] = []
  private var lastUpstream: UpstreamID?
  /// Legs that are connected.
  private var open: Set<Leg> = [.downstream]
  /// Legs whose peer has ended: nothing more comes from there.
  private var ended: Set<Leg> = []
  private var paused: Set<Leg> = []
  /// What each upstream leg was sent.
  private var sent: [UpstreamID: [UInt8]] = [:]
  private var uninspected: Set<UpstreamID> = []
  private var record = SocketRecord()

  init(_ laboratory: Laboratory) {
    guard let client = IPAddress("192.0.2.200"), let region = CIDR(Laboratory.region) else {
      fail("an address is none")
    }
    self.laboratory = laboratory
    self.sink = laboratory.sink
    self.sink.reset()
    self.region = region
    self.machine = ConnectionMachine(
      client: client,
      context: laboratory.context,
      at: Moment(instant: Instant(nanoseconds: 1_000_000_000), wall: Laboratory.wall)
    )
  }

  /// Whole messages, for scripts that name them by number.
  private static let device: [Bytes] = [
    "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "GET http://a.example/?imei=490154203237518 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20\r\n\r\nimei=490154203237518",
    "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
    "9\r\nimei=4901\r\n", "b\r\n54203237518\r\n", "0\r\n\r\n",
    "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    "CONNECT 203.0.113.7:80 HTTP/1.1\r\nHost: 203.0.113.7:80\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "GET http://tidewaiter.internal/ HTTP/1.1\r\nHost: tidewaiter.internal\r\n\r\n",
    "HEAD http://b.example:8080/ HTTP/1.1\r\nHost: b.example:8080\r\nProxy-Authorization: Basic eDp5\r\nConnection: close\r\n\r\n",
    "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX-Imei: 490154203237518\r\nContent-Length: 900\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "490154203237518",
  ]
  private static let server: [Bytes] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nuntil close", "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.1 304 Not\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n",
  ]

  /// What happens next.
  func step(_ script: inout Script) {
    let choice = script.byte()
    let detail = Int(choice >> 4)
    switch choice & 15 {
    case 0: self.give(.received(.downstream, script.bytes(Int(script.byte()))))
    case 1: self.give(.received(.downstream, Self.device[detail]))
    case 2:
      let bytes = script.bytes(Int(script.byte()))
      self.fromServer { .received($0, bytes) }
    case 3: self.fromServer { .received($0, Self.server[detail & 7]) }
    case 4: self.resolve(detail)
    case 5: self.dialEnds(detail)
    case 6: self.give(.closed(.downstream, detail & 1 == 0 ? .end : .reset))
    case 7: self.fromServer { .closed($0, detail & 1 == 0 ? .end : .reset) }
    case 8:
      self.instant += UInt64(1 << detail) * 50_000_000
      self.give(.tick)
    case 9: self.give(.congested(.downstream))
    case 10: self.give(.drained(.downstream))
    case 11: self.fromServer { detail & 1 == 0 ? .congested($0) : .drained($0) }
    case 12:
      self.sink.isFull = detail & 1 == 0
      if !self.sink.isFull { self.give(.roomAvailable) }
    case 13:
      if let first = self.credentials.first {
        self.credentials.removeFirst()
        self.give(.authenticated(first, user: detail & 1 == 0 ? nil : "someone"))
      }
    case 14:
      // In full, octet by octet: an identifier is found however it comes.
      for byte in Self.device[detail] { self.give(.received(.downstream, Bytes([byte]))) }
    default: if detail == 15 { self.give(.shutdown) }
    }
  }

  private func fromServer(_ event: (Leg) -> Event) {
    guard let id = self.lastUpstream else { return }
    self.give(event(.upstream(id)))
  }

  private func resolve(_ detail: Int) {
    guard let name = self.asked.first else { return }
    self.asked.removeFirst()
    let answers = [
      ["192.0.2.7"], ["203.0.113.7"], ["192.0.2.7", "192.0.2.8"], ["192.0.2.7", "203.0.113.7"], [],
      ["2001:db8::1"], ["127.0.0.1"],
    ]
    guard detail < answers.count else {
      let failure = FlowFailure(.nameNotFound, origin: .upstream, detail: "no such name")
      self.give(.resolved(name, .failure(failure)))
      return
    }
    let addresses = answers[detail].compactMap { IPAddress($0) }
    self.give(.resolved(name, .success(Resolution(addresses: addresses, source: "fuzz"))))
  }

  private func dialEnds(_ detail: Int) {
    guard let (id, address) = self.dials.first else { return }
    self.dials.removeFirst()
    switch detail & 3 {
    case 0, 1:
      self.open.insert(.upstream(id))
      self.give(.opened(id, .success(address)))
    case 2:
      let failure = FlowFailure(.connectionRefused, origin: .upstream, detail: "refused")
      self.give(.opened(id, .failure(failure)))
    default:
      // The socket's peer is somebody else.
      self.open.insert(.upstream(id))
      self.give(.opened(id, .success(IPAddress("192.0.2.99") ?? address)))
    }
  }

  /// Hands over an event if an engine could: nothing comes from a leg that ended or is closed.
  private func give(_ event: Event) {
    guard !self.isFinished else { return }
    switch event {
    case .received(let leg, let bytes):
      guard !bytes.isEmpty, self.isLive(leg), !self.paused.contains(leg) else { return }
    case .closed(let leg, _):
      guard self.isLive(leg) else { return }
      self.ended.insert(leg)
    case .congested(let leg), .drained(let leg):
      guard self.open.contains(leg), !self.isClosed(leg) else { return }
    case .resolved, .opened, .authenticated, .roomAvailable, .fetched, .scanned, .tick,
      .shutdown, .abandoned:
      break
    }
    self.handOver(event)
  }

  private func handOver(_ event: Event) {
    var commands: [Command] = []
    let moment = Moment(instant: Instant(nanoseconds: self.instant), wall: Laboratory.wall)
    self.machine.handle(event, at: moment, &commands)
    for command in commands { self.carryOut(command) }
    self.checkRecord(of: event, commands)
    require(self.machine.isClosed == self.isFinished, "closed without saying so, or the reverse")
  }

  /// The record of the device's socket has what this event gave and what it had sent.
  private func checkRecord(of event: Event, _ commands: [Command]) {
    var given: [UInt8] = []
    if case .received(.downstream, let bytes) = event { given = bytes.array }
    var sent: [UInt8] = []
    for case .send(.downstream, let bytes) in commands { sent.append(contentsOf: bytes) }
    self.record.turn(
      given: given,
      sent: sent,
      recorded: self.sink.takeWire(),
      passedOn: self.sink.counts.isPassedOn
    )
  }

  private func isLive(_ leg: Leg) -> Bool {
    self.open.contains(leg) && !self.ended.contains(leg) && !self.isClosed(leg)
  }

  private func isClosed(_ leg: Leg) -> Bool {
    switch self.closes[leg] {
    case .afterFlush, .abort: true
    case .writing, nil: false
    }
  }

  private func carryOut(_ command: Command) {
    require(!self.isFinished, "a command after .finished: \(command)")
    switch command {
    case .send(let leg, let bytes):
      require(!bytes.isEmpty, "nothing is sent")
      require(self.open.contains(leg), "sent to a leg that is not connected")
      require(self.closes[leg] == nil, "sent to \(leg), which was closed: \(bytes.array)")
      if case .upstream(let id) = leg {
        self.sent[id, default: []].append(contentsOf: bytes)
        if self.sink.counts.hasUninspected { self.uninspected.insert(id) }
      }
    case .pauseReading(let leg):
      require(!self.isClosed(leg), "a closed leg is paused")
      require(self.paused.insert(leg).inserted, "paused twice")
    case .resumeReading(let leg):
      require(!self.isClosed(leg), "a closed leg is resumed")
      require(self.paused.remove(leg) != nil, "resumed without a pause")
    case .close(let leg, let mode):
      require(!self.isClosed(leg), "closed twice")
      require(mode != .writing || self.closes[leg] == nil, "its writing side is closed twice")
      self.closes[leg] = mode
      if case .upstream(let id) = leg, mode != .writing { self.dials.removeAll { $0.id == id } }
    case .resolve(let name): self.asked.append(name)
    case .open(let id, let target):
      require(self.lastUpstream != id, "a leg's name is used twice")
      require(
        self.laboratory.mode != .block || !self.region.contains(target.address),
        "a blocked region is dialled"
      )
      self.lastUpstream = id
      self.dials.append((id, target.address))
    case .authenticate(let credentials): self.credentials.append(credentials)
    case .fetch: require(false, "fetches, which it was not told to")
    case .scan: require(false, "asks scanners, of which there are none")
    case .awaitRoom: require(self.sink.isFull, "waits for room that there is")
    case .finished: self.isFinished = true
    }
  }

  /// The device goes away: then everything is over, and nothing that must not leave has left.
  func end() {
    if !self.isFinished { self.handOver(.closed(.downstream, .reset)) }
    require(self.isFinished, "the device is gone, and the connection lives")
    for leg in self.open { require(self.isClosed(leg), "\(leg) is left open") }
    require(self.dials.isEmpty, "a dial is left")
    let counts = self.sink.counts
    require(counts.begun == counts.ended, "\(counts.begun) flows begun, \(counts.ended) ended")
    require(counts.closed == 1, "\(counts.closed) closes recorded")
    for event in [Event.tick, .roomAvailable, .shutdown, .closed(.downstream, .reset)] {
      var commands: [Command] = []
      let moment = Moment(instant: Instant(nanoseconds: self.instant), wall: Laboratory.wall)
      self.machine.handle(event, at: moment, &commands)
      require(commands.isEmpty, "a command after the end")
    }
    require(self.sink.counts.closed == 1, "a close recorded again")
    require(self.sink.takeWire().isEmpty, "something is recorded after the end")
    self.record.end()
    if self.laboratory.mode != .record { self.checkSecrets() }
  }

  /// The IMEI, as a number of its own, is in nothing that was sent to a server.
  private func checkSecrets() {
    for (id, bytes) in self.sent where !self.uninspected.contains(id) {
      for text in Self.inspected(Bytes(bytes)) where Self.tellsSecret(text) {
        fail("the IMEI has left: \(String(decoding: text, as: UTF8.self).debugDescription)")
      }
    }
  }

  private static func tellsSecret(_ text: [UInt8]) -> Bool {
    let secret = Array(Laboratory.imei.utf8)
    guard text.count >= secret.count else { return false }
    for at in 0...text.count - secret.count where text[at..<at + secret.count] == secret[...] {
      // Among more digits it is another number.
      let end = at + secret.count
      let isLonger =
        at > 0 && ASCII.isDigit(text[at - 1]) || end < text.count && ASCII.isDigit(text[end])
      if !isLonger { return true }
    }
    return false
  }

  /// What a server reads of `bytes`, each part by itself, bodies without their chunks.
  private static func inspected(_ bytes: Bytes) -> [[UInt8]] {
    var codec = HTTP1Codec(role: .server, limits: Limits())
    var parts: [MessagePart] = []
    do throws(HTTPFailure) {
      try codec.receive(bytes, &parts)
      while case .end = parts.last, codec.bufferedCount > 0 {
        let count = parts.count
        try codec.next(&parts)
        if parts.count == count { break }
      }
    } catch {
      // No request: a WebSocket's frames, or a stream of bytes.
    }
    var texts: [[UInt8]] = []
    var body: [UInt8] = []
    for part in parts {
      switch part {
      case .head(let head):
        // A method may say anything; no inspector looks at it.
        texts.append(head.target.array)
        texts += self.texts(of: head.fields)
      case .body(let bytes): body.append(contentsOf: bytes)
      case .trailers(let fields): texts += self.texts(of: fields)
      case .end:
        texts.append(body)
        body = []
      }
    }
    texts.append(body)
    // What comes after a head that was not ended, or after an upgrade.
    texts.append(codec.takeLeftover().array)
    return texts
  }

  private static func texts(of fields: HeaderFields) -> [[UInt8]] {
    fields.slots.indices.map { fields.value(at: $0).array }
  }
}
