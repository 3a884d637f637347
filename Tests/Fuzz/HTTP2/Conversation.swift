import Support
import TideCore
import TideHTTP

/// A client and a server in memory that do what a script says: what one sends is what the other gets.
final class Conversation {
  /// One side, and what is known of it.
  private final class End {
    let codec: HTTP2Codec
    var ledger: [StreamID: Ledger] = [:]
    var failure: HTTPFailure?

    init(_ codec: HTTP2Codec) { self.codec = codec }
  }

  /// What one side knows of one stream.
  private struct Ledger {
    var given = 0
    var sent = 0
    var received = 0
    var isReset = false
    var hasEnded = false
  }

  private let client: End
  private let server: End
  private let cut: Cut
  private var wire: [Bytes] = [Bytes(), Bytes()]
  private var instant: UInt64 = 1_000_000_000
  private var streams: [StreamID] = []
  private var hasMadPeer = false

  init(limits: Limits, cut: Cut) {
    self.cut = cut
    do throws(HTTPFailure) {
      self.client = try End(HTTP2Codec(role: .client, limits: limits))
      self.server = try End(HTTP2Codec(role: .server, limits: limits))
    } catch {
      fail("no codec: \(error.detail)")
    }
  }

  func play(_ script: inout Script) {
    var steps = 0
    while !script.isOver, steps < 400 {
      steps += 1
      self.step(&script)
      self.check()
    }
    for _ in 0..<4 {
      self.move(from: self.client, to: self.server, limit: 1 << 20)
      self.move(from: self.server, to: self.client, limit: 1 << 20)
    }
    self.check()
  }

  private func step(_ script: inout Script) {
    let choice = script.byte()
    let isClient = choice & 0x80 == 0
    let end = isClient ? self.client : self.server
    let other = isClient ? self.server : self.client
    switch choice & 15 {
    case 0, 1: self.open(isLast: choice & 15 == 0, method: script.byte())
    case 2: self.answer(self.pick(&script), status: 100 + Int(script.byte()) * 2, isLast: false)
    case 3: self.answer(self.pick(&script), status: 200, isLast: true)
    case 4, 5: self.sendBody(end, self.pick(&script), count: Int(script.byte()) * 64)
    case 6:
      self.attempt { [stream = self.pick(&script)] () throws(HTTPFailure) in
        try end.codec.sendTrailers(HeaderFields([("x-tide", "1")]), on: stream)
      }
    case 7:
      self.attempt { [stream = self.pick(&script)] () throws(HTTPFailure) in
        try end.codec.sendEnd(on: stream)
      }
    case 8:
      let stream = self.pick(&script)
      end.codec.reset(stream, HTTP2ErrorCode(rawValue: UInt32(script.byte())))
      end.ledger[stream, default: Ledger()].isReset = true
      require(end.codec.queued(on: stream) == 0, "a queue outlives its stream")
    case 9: end.codec.consumed(Int(script.byte()) * 64, on: self.pick(&script))
    case 10: end.codec.goAway(HTTP2ErrorCode(rawValue: UInt32(script.byte() & 15)))
    case 11: end.codec.allowExtendedConnect()
    case 12: self.instant += UInt64(script.byte()) * 100_000_000
    case 13: self.move(from: end, to: other, limit: Int(script.byte()) * 16)
    case 14: self.move(from: end, to: other, limit: 1 << 20)
    default:
      // A peer that goes mad: its bytes are anything from here on.
      self.hasMadPeer = true
      self.deliver(script.bytes(Int(script.byte() & 63)), to: other)
    }
  }

  private func pick(_ script: inout Script) -> StreamID {
    let byte = script.byte()
    guard !self.streams.isEmpty, byte < 0xF0 else { return StreamID(Int32(byte)) }
    return self.streams[Int(byte) % self.streams.count]
  }

  private func attempt(_ action: () throws(HTTPFailure) -> Void) {
    do throws(HTTPFailure) { try action() } catch {
      require(
        error.code == .unsendable || error.code == .unsupported || error.code == .ambiguousFraming
          || self.client.failure != nil || self.server.failure != nil
          || error.code == .malformedFrame || error.code == .flood,
        "\(error.code) where something was sent: \(error.detail)"
      )
    }
  }

  private func open(isLast: Bool, method: UInt8) {
    let methods: [Bytes] = ["GET", "HEAD", "POST", "OPTIONS"]
    let head = MessageHead(
      start: .request(method: methods[Int(method & 3)], target: "/"),
      version: .http2,
      fields: HeaderFields(Array(repeating: ("X-Tide", "waiter"), count: Int(method >> 4))),
      pseudo: PseudoFields(scheme: "https", authority: "a.example")
    )
    self.attempt { () throws(HTTPFailure) in
      let stream = try self.client.codec.open(head, isLast: isLast)
      if !self.streams.contains(stream) { self.streams.append(stream) }
    }
  }

  private func answer(_ stream: StreamID, status: Int, isLast: Bool) {
    let head = MessageHead(
      start: .response(status: status, reason: ""),
      version: .http2,
      fields: HeaderFields([("x-tide", "waiter")])
    )
    self.attempt { () throws(HTTPFailure) in
      try self.server.codec.sendHead(head, on: stream, isLast: isLast)
    }
  }

  private func sendBody(_ end: End, _ stream: StreamID, count: Int) {
    let before = end.codec.queued(on: stream)
    self.attempt { () throws(HTTPFailure) in
      try end.codec.sendBody(Bytes([UInt8](repeating: 0x78, count: count)), on: stream)
    }
    end.ledger[stream, default: Ledger()].given += end.codec.queued(on: stream) - before
  }

  private func move(from: End, to: End, limit: Int) {
    var output: [UInt8] = []
    var events: [HTTP2Event] = []
    do throws(HTTPFailure) { try from.codec.takeOutput(&output, limit: limit, &events) } catch {
      from.failure = from.failure ?? error
    }
    self.take(events, from)
    if !output.isEmpty { self.deliver(Bytes(output), to: to) }
  }

  private func deliver(_ bytes: Bytes, to end: End) {
    var events: [HTTP2Event] = []
    for piece in self.cut.pieces(bytes) {
      do throws(HTTPFailure) {
        try end.codec.receive(piece, at: Instant(nanoseconds: self.instant), &events)
        require(end.failure == nil, "a failure that was forgotten")
      } catch {
        require(end.failure == nil || end.failure == error, "another failure than before")
        end.failure = error
      }
    }
    self.take(events, end)
  }

  private func take(_ events: [HTTP2Event], _ end: End) {
    for event in events {
      switch event {
      case .body(let stream, let bytes):
        end.ledger[stream, default: Ledger()].received += bytes.count
      case .sent(let stream, let count): end.ledger[stream, default: Ledger()].sent += count
      case .reset(let stream, _, _): end.ledger[stream, default: Ledger()].isReset = true
      case .end(let stream):
        let ended = end.ledger[stream, default: Ledger()].hasEnded
        require(!ended, "a second end")
        end.ledger[stream, default: Ledger()].hasEnded = true
      case .head, .trailers, .goAway, .extendedConnectAllowed, .refusedHead, .violation,
        .alternativeService:
        break
      }
    }
  }

  /// What was given is sent or waits; no more comes than was sent.
  private func check() {
    for (end, other) in [(self.client, self.server), (self.server, self.client)] {
      for (stream, ledger) in end.ledger {
        let queued = end.codec.queued(on: stream)
        require(queued >= 0, "a queue of \(queued)")
        require(ledger.sent + queued <= ledger.given, "more is sent than was given")
        let isLive = !ledger.isReset && end.failure == nil && !end.codec.isOver
        require(
          !isLive || queued == 0 || ledger.sent + queued == ledger.given,
          "content is lost on a live stream"
        )
        let received = other.ledger[stream]?.received ?? 0
        require(self.hasMadPeer || received <= ledger.sent, "content from nowhere")
      }
    }
  }
}
