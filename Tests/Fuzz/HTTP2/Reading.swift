import Support
import TideCore
import TideHTTP

/// All that a codec made of a peer's bytes, each event in a line that does not depend on how they were cut.
struct Reading {
  private(set) var events: [String] = []
  /// Whether of each stream one of the two has seen what the other has, and perhaps more, content aside.
  func goesAlong(with other: Reading) -> Bool {
    let (own, others) = (self.eventsByStream, other.eventsByStream)
    return Set(own.keys).union(others.keys).allSatisfy { stream in
      let mine = (own[stream] ?? []).filter(Self.isNoBody)
      let theirs = (others[stream] ?? []).filter(Self.isNoBody)
      return mine.count < theirs.count ? theirs.starts(with: mine) : mine.starts(with: theirs)
    }
  }

  private static func isNoBody(_ event: String) -> Bool {
    !event.drop(while: \.isNumber).starts(with: " body ")
  }

  /// The events of each stream by itself: a reset of ours is told when it leaves, which is at the end of a
  /// read, and so before or after what came for other streams.
  var eventsByStream: [String: [String]] {
    // Where it meets the peer's own end of that stream, either may come first and be the one that is told.
    let events = self.events.map { event in
      let words = event.split(separator: " ")
      return words.count > 1 && words[1] == "reset" ? "\(words[0]) reset" : event
    }
    return Dictionary(grouping: events) { String($0.prefix { $0 != " " }) }
  }
  /// Whether a stream was reset by us.
  private(set) var hasOwnReset = false
  private(set) var failure: HTTPFailure.Code?
  /// Whether a stream was reset for what it said.
  private(set) var hasViolation = false
  /// Whether the connection ended in peace: what comes after that is read or not, as it happens.
  private(set) var isOver = false
  /// ALTSVC frames: counted, because they are told ahead of the events of the read that they came in.
  private(set) var alternativeServices = 0
  /// Streams on which a message has begun.
  private var open: Set<StreamID> = []
  /// Streams of which nothing more may be told.
  private var over: Set<StreamID> = []
  private var body: (stream: StreamID, count: Int, sum: UInt64)?

  /// A preface, where there is one, and an empty SETTINGS frame (RFC 9113 §3.4).
  static func beginning(isClient: Bool) -> Bytes {
    var bytes: Bytes = isClient ? "" : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    bytes.append(Bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    return bytes
  }

  var outcome: String { self.failure?.rawValue ?? "no failure" }

  init(_ input: Bytes, _ cut: Cut, _ bits: UInt8) {
    let limits = HTTP2Fuzz.limits(bits)
    var output: [UInt8] = []
    let codec = Self.codec(isClient: bits & 1 != 0, limits, &output)
    var events: [HTTP2Event] = []
    do throws(HTTPFailure) {
      for piece in cut.pieces(input) { try codec.receive(piece, at: HTTP2Fuzz.now, &events) }
    } catch {
      self.failure = error.code
    }
    for event in events { self.take(event) }
    self.endBody()
    self.checkEnd(codec, limits, &output)
    // Each frame is answered by one of its own size at most, and what we say first is short.
    require(output.count < 4_096 + 8 * input.count, "\(output.count) bytes for \(input.count)")
  }

  private static func codec(
    isClient: Bool,
    _ limits: Limits,
    _ output: inout [UInt8]
  ) -> HTTP2Codec {
    do throws(HTTPFailure) {
      let codec = try HTTP2Codec(role: isClient ? .client : .server, limits: limits)
      guard isClient else { return codec }
      // Something for responses to answer.
      for method in ["GET", "HEAD"] as [Bytes] {
        let head = MessageHead(
          start: .request(method: method, target: "/"),
          version: .http2,
          fields: HeaderFields(),
          pseudo: PseudoFields(scheme: "https", authority: "a.example")
        )
        _ = try codec.open(head, isLast: true)
      }
      // A response can only come to what has left.
      var events: [HTTP2Event] = []
      try codec.takeOutput(&output, limit: 1 << 20, &events)
      return codec
    } catch {
      fail("no codec: \(error.detail)")
    }
  }

  private mutating func take(_ event: HTTP2Event) {
    switch event {
    case .head(let stream, let head, let isLast):
      self.begin(stream)
      self.events.append("\(stream.number) head \(head.raw) last: \(isLast)")
      require(head.version == .http2, "a head of another version")
      require(head.fields.count <= 128, "too many fields")
    case .body(let stream, let bytes):
      require(self.open.contains(stream), "a body before its head")
      require(!self.over.contains(stream), "a body after the end")
      require(!bytes.isEmpty, "an empty body")
      self.add(bytes, to: stream)
    case .trailers(let stream, let fields):
      require(self.open.contains(stream), "trailers before a head")
      require(!fields.isEmpty, "an empty trailer section")
      self.log("\(stream.number) trailers \(fields.count)")
    case .end(let stream):
      require(self.open.contains(stream), "an end before a head")
      require(self.over.insert(stream).inserted, "a second end")
      self.log("\(stream.number) end")
    case .reset(let stream, let code, let isFromPeer):
      self.over.insert(stream)
      self.hasOwnReset = self.hasOwnReset || !isFromPeer
      self.log("\(stream.number) reset \(code.rawValue) \(isFromPeer)")
    case .sent(let stream, let count): fail("\(count) bytes sent on \(stream.number) unasked")
    case .goAway(let last, let code): self.log("goaway \(last.number) \(code.rawValue)")
    case .extendedConnectAllowed: self.log("extended connect")
    case .refusedHead(let stream, let failure):
      self.begin(stream)
      self.over.insert(stream)
      self.log("\(stream.number) refused \(failure.code)")
    case .violation(let stream, let failure):
      self.hasViolation = true
      self.log("\(stream.number) broken \(failure.code)")
    case .alternativeService: self.alternativeServices += 1
    }
  }

  private mutating func begin(_ stream: StreamID) {
    require(!self.over.contains(stream), "a head after the end")
    self.endBody()
    self.open.insert(stream)
  }

  private mutating func log(_ line: String) {
    self.endBody()
    self.events.append(line)
  }

  private mutating func add(_ bytes: Bytes, to stream: StreamID) {
    if self.body?.stream != stream { self.endBody() }
    var (_, count, sum) = self.body ?? (stream, 0, 0)
    count += bytes.count
    for byte in bytes { sum = sum &* 31 &+ UInt64(byte) }
    self.body = (stream, count, sum)
  }

  private mutating func endBody() {
    guard let body = self.body else { return }
    self.events.append("\(body.stream.number) body \(body.count) \(body.sum)")
    self.body = nil
  }

  private mutating func checkEnd(_ codec: HTTP2Codec, _ limits: Limits, _ output: inout [UInt8]) {
    require(codec.openStreams <= limits.streams + 2, "\(codec.openStreams) streams")
    var events: [HTTP2Event] = []
    do throws(HTTPFailure) { try codec.takeOutput(&output, limit: 1 << 20, &events) } catch {
      require(self.failure == nil || self.failure == error.code, "another failure while sending")
    }
    guard let failure = self.failure else {
      self.isOver = codec.isOver
      return
    }
    var code: HTTPFailure.Code?
    events = []
    do throws(HTTPFailure) { try codec.receive("\u{0}", at: HTTP2Fuzz.now, &events) } catch {
      code = error.code
    }
    require(code == failure && events.isEmpty, "a failure that was forgotten")
    require(output.contains(goAway: true), "a failure without a GOAWAY")
  }
}

extension [UInt8] {
  /// Whether there is a GOAWAY frame (RFC 9113 §6.8) among these.
  fileprivate func contains(goAway wanted: Bool) -> Bool {
    var at = 0
    if self.starts(with: "PRI ".utf8) { at = 24 }
    while at + 9 <= self.count {
      if self[at + 3] == 7 { return wanted }
      at += 9 + Int(self[at]) << 16 + Int(self[at + 1]) << 8 + Int(self[at + 2])
    }
    return !wanted
  }
}
