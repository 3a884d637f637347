import TideCore
import TideHTTP
import TidePolicy

/// What the device speaks after CONNECT, read from its first bytes where ALPN did not say.
enum SpokenProtocol {
  case http1
  case http2
  /// Anything else: bytes.
  case stream
  /// Not to be told yet; `likely` if what came is the beginning of HTTP and of hardly anything else.
  case undecided(likely: Bool)

  /// The most first line that is waited for.
  static let longestLine = 8 << 10
  private static let preface = Bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
  /// Methods by which HTTP is known at once (RFC 9110 §9.3, RFC 5789).
  private static let methods = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
  ].map { Bytes($0) }

  /// Tells by the first bytes.
  ///
  /// What some server might read as a request is one, and meets the strict parser: white space before a
  /// method, or a first line that ends like one, does not make it a stream that no rule on requests sees.
  static func of(_ bytes: Bytes) -> SpokenProtocol {
    if bytes.count >= self.preface.count, bytes.starts(with: self.preface) { return .http2 }
    if self.preface.starts(with: bytes) { return .undecided(likely: true) }
    let start = bytes.firstIndex { !Self.isSpace($0) } ?? bytes.count
    guard start < bytes.count else {
      return start > 64 ? .stream : .undecided(likely: true)
    }
    let text = bytes.dropping(first: start)
    let word = text.slice(0..<(text.firstIndex(where: Self.isSpace) ?? text.count))
    if word.count < text.count, self.methods.contains(word) { return .http1 }
    let lineEnd = text.firstIndex { $0 == 0x0A || $0 == 0x0D }
    let line = text.slice(0..<(lineEnd ?? text.count))
    if lineEnd != nil { return self.namesHTTP(line) ? .http1 : .stream }
    // Text goes on to the end of its line; anything else is no HTTP that any server reads.
    if line.contains(where: { $0 < 0x20 && $0 != 0x09 }) { return .stream }
    let isLikely = self.namesHTTP(line) || self.mayBegin(word, line)
    if text.count > self.longestLine { return isLikely ? .http1 : .stream }
    return .undecided(likely: isLikely)
  }

  /// Whether the beginning of a line may be a request's: a method that is not over, or one with a target.
  private static func mayBegin(_ word: Bytes, _ line: Bytes) -> Bool {
    guard word.count < line.count else { return self.methods.contains { $0.starts(with: word) } }
    let rest = line.dropping(first: word.count).drop { Self.isSpace($0) }
    guard let first = rest.first else { return false }
    return first == 0x2F || first == 0x2A || "http".utf8.starts(with: rest.prefix(4))
  }

  private static func namesHTTP(_ line: Bytes) -> Bool {
    let name = Array("HTTP/".utf8)
    guard line.count > name.count else { return false }
    return (0...(line.count - name.count)).contains { start in
      ASCII.equalsIgnoringCase(line.slice(start..<start + name.count), name)
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }
}

extension ConnectionMachine {
  /// How long a device may keep back what would tell its protocol, before it is taken for a stream.
  private static let sniffTime: UInt64 = 1_000_000_000

  /// Begins to wait for the first bytes that tell what is spoken inside a tunnel.
  ///
  /// `hello` is the device's, or nil if the tunnel has no TLS.
  func beginSniffing(_ tunnel: Tunnel, _ hello: HelloFacts?, _ first: Bytes) {
    self.stage = .sniffing(tunnel, hello, since: self.now.instant)
    self.resume(.down, .waiting)
    if !self.earlyServerBytes.isEmpty {
      let early = self.earlyServerBytes
      self.earlyServerBytes = Bytes()
      self.sniffed.append(first)
      self.serverSpeaksFirst(early, tunnel, hello)
    } else if !first.isEmpty {
      self.sniff(first, tunnel, hello)
    }
  }

  func sniff(_ bytes: Bytes, _ tunnel: Tunnel, _ hello: HelloFacts?) {
    self.sniffed.append(bytes)
    let first = self.sniffed
    switch SpokenProtocol.of(first) {
    case .undecided: return
    case .http1: self.beginHTTP(tunnel, hello, isHTTP2: false)
    case .http2: self.beginHTTP(tunnel, hello, isHTTP2: true)
    case .stream:
      self.beginStream(tunnel, hello)
      self.resume(.up, .waiting)
      let early = self.earlyServerBytes
      self.earlyServerBytes = Bytes()
      if !early.isEmpty { self.takeServerBytes(early) }
      return
    }
    self.sniffed = Bytes()
    self.takeDeviceBytes(first)
  }

  /// A server that speaks before it is asked speaks no HTTP; one that answers nobody is not heard.
  func serverSpeaksFirst(_ bytes: Bytes, _ tunnel: Tunnel, _ hello: HelloFacts?) {
    if self.beginsHTTP2(bytes), self.sniffed.isEmpty {
      // Its settings, ahead of the device's preface, which tells what is spoken.
      self.earlyServerBytes.append(bytes)
      self.pause(.up, .waiting)
      return
    }
    let name = Bytes("HTTP/")
    guard !bytes.starts(with: name), !name.starts(with: bytes) else {
      self.refuseTunnel(
        tunnel,
        FlowFailure(
          .malformedMessage,
          origin: .upstream,
          detail: "bytes from a server that was not asked"
        ),
        serverName: hello?.serverName
      )
      return
    }
    self.beginStream(tunnel, hello)
    if let exchange = self.exchange, case .raw = exchange.wire, let relay = exchange.response {
      self.relayBody(bytes, relay, exchange)
    }
  }

  /// Whether a server's first bytes are the header of an HTTP/2 SETTINGS frame (RFC 9113 §3.4, §6.5).
  private func beginsHTTP2(_ bytes: Bytes) -> Bool {
    guard bytes.count >= 9, self.earlyServerBytes.isEmpty else { return false }
    let length = bytes.prefix(3).reduce(0) { $0 << 8 | Int($1) }
    return length % 6 == 0 && length <= 6 * 64 && bytes[3] == 0x4 && bytes[4] == 0
      && bytes.slice(5..<9).allSatisfy { $0 == 0 }
  }

  /// Time passed while the protocol was unknown.
  func tickSniffing(_ tunnel: Tunnel, _ hello: HelloFacts?, since: Instant) {
    let waited = self.now.instant.nanoseconds(since: since)
    guard !self.sniffed.isEmpty else {
      if waited > self.context.timeouts.idle { self.finish(nil) }
      return
    }
    guard case .undecided(let isLikely) = SpokenProtocol.of(self.sniffed) else { return }
    if isLikely {
      guard waited > self.context.timeouts.header else { return }
      self.refuseTunnel(
        tunnel,
        FlowFailure(.idleTimeout, origin: .downstream, detail: "a request head took too long"),
        serverName: hello?.serverName
      )
    } else if waited > Self.sniffTime {
      self.firstLine = self.sniffed
      self.beginStream(tunnel, hello)
      if case .relaying = self.stage { self.tickExchange() }
    }
  }

  /// Reads on in the first line of a stream that began before the line was over.
  ///
  /// Who sends half a request, waits, and then sends the rest would else speak HTTP past every rule on
  /// requests.
  ///
  /// - Returns: whether the stream may go on.
  func isStillNoHTTP(_ bytes: Bytes, _ exchange: Exchange) -> Bool {
    guard var line = self.firstLine else { return true }
    line.append(bytes)
    switch SpokenProtocol.of(line) {
    case .undecided:
      self.firstLine = line
      return true
    case .stream:
      self.firstLine = nil
      return true
    case .http1, .http2:
      self.firstLine = nil
      self.fail(
        exchange,
        FlowFailure(
          .malformedMessage,
          origin: .downstream,
          detail: "a request whose first line came in pieces, too slowly to be told from a stream"
        )
      )
      return false
    }
  }

  /// One side ended while the protocol was unknown: what came so far is all there is to tell by.
  func sniffingEnded(_ direction: Direction, _ tunnel: Tunnel, _ hello: HelloFacts?) {
    if !self.sniffed.isEmpty, case .undecided(likely: false) = SpokenProtocol.of(self.sniffed) {
      self.beginStream(tunnel, hello)
      guard let exchange = self.exchange, case .raw = exchange.wire else { return }
      if direction == .request { self.down.isOpen = true }
      self.streamEnded(direction, isCut: false, exchange)
      return
    }
    guard direction == .response || !self.sniffed.isEmpty else {
      self.finish(nil)
      return
    }
    self.refuseTunnel(
      tunnel,
      FlowFailure(
        .truncated,
        origin: direction == .request ? .downstream : .upstream,
        detail: "closed before it could be told what is spoken"
      ),
      serverName: hello?.serverName
    )
  }

  /// Begins to relay HTTP inside a tunnel.
  func beginHTTP(_ tunnel: Tunnel, _ hello: HelloFacts?, isHTTP2: Bool) {
    self.deviceCodec = HTTP1Codec(role: .server, limits: self.context.limits)
    self.serverCodec = HTTP1Codec(role: .client, limits: self.context.limits)
    let route = self.makeRoute(tunnel, hello, scheme: hello == nil ? "http" : "https")
    self.route = route
    self.stage = .relaying
    self.resume(.up, .waiting)
    if isHTTP2 { self.beginMultiplex(route) }
    let early = self.earlyServerBytes
    self.earlyServerBytes = Bytes()
    if !early.isEmpty { self.takeServerBytes(early) }
  }

  func makeRoute(_ tunnel: Tunnel, _ hello: HelloFacts?, scheme: String) -> Route {
    let host = hello.map { Self.leafHost(tunnel, $0) } ?? tunnel.authority.host
    var names = [tunnel.authority.host]
    if !names.contains(host) { names.append(host) }
    return Route(
      answerer: tunnel.answerer,
      facts: self.facts(
        authority: tunnel.authority,
        serverName: hello?.serverName,
        candidates: tunnel.candidates,
        target: tunnel.target,
        treatment: tunnel.target == nil ? .sinkhole : .intercepted,
        scheme: scheme
      ),
      names: names,
      aliases: tunnel.aliases,
      leafHost: host,
      isSecure: hello != nil,
      isTunnel: true
    )
  }
}
