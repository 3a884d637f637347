import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

extension Cut {
  /// The pieces in which a peer's plain bytes come; each is a TLS record of its own.
  func pieces(of bytes: Bytes) -> [Bytes] {
    let sizes =
      switch self {
      case .whole: [max(1, bytes.count)]
      case .everyByte: [1]
      case .pieces: [1, 8, 3, 17, 2, 40, 5, 9]
      }
    var pieces: [Bytes] = []
    var rest = bytes
    while !rest.isEmpty {
      let count = min(rest.count, sizes[pieces.count % sizes.count])
      pieces.append(rest.slice(0..<count))
      rest = rest.dropping(first: count)
    }
    return pieces
  }
}

/// A playbook whose device and server speak HTTP/2 through the machine.
///
/// What they say in plain is cut, so that frames are; every call delivers all that follows from it.
final class HTTP2Play {
  let book: Playbook
  let device: HTTP2Peer
  let server: HTTP2Peer
  private let cut: Cut
  private let name: String
  private let isSecure: Bool
  /// Whether what a peer cannot say any more is left out: its connection may have been broken.
  private let isLenient: Bool

  /// Makes the connection, with peers that agree on HTTP/2.
  convenience init(
    _ cut: Cut = .whole,
    mode: Mode = .record,
    rules: [Rule] = [],
    limits: Limits = Limits(),
    deviceLimits: Limits = Limits(),
    serverLimits: Limits = Limits(),
    fronting: PolicySettings.Fronting = .refuse,
    name: String = "api.example",
    at address: String = "192.0.2.7",
    isSecure: Bool = true,
    offersWebSocket: Bool = false
  ) throws {
    let book = try Playbook(mode: mode, rules: rules, fronting: fronting, limits: limits)
    if isSecure {
      try book.tunnel(name, at: address, offering: ["h2", "http/1.1"], selecting: "h2")
      #expect(book.deviceTLS?.applicationProtocol == "h2")
    } else {
      book.device("CONNECT \(name):443 HTTP/1.1\r\nHost: \(name):443\r\n\r\n")
      book.resolve(address)
      try book.connect()
      book.skipGot()
    }
    try self.init(
      book,
      cut,
      deviceLimits: deviceLimits,
      serverLimits: serverLimits,
      name: name,
      isSecure: isSecure,
      offersWebSocket: offersWebSocket,
      isLenient: false
    )
  }

  /// Lets the peers of a connection that was made already speak HTTP/2.
  init(
    _ book: Playbook,
    _ cut: Cut = .whole,
    deviceLimits: Limits = Limits(),
    serverLimits: Limits = Limits(),
    name: String = "api.example",
    isSecure: Bool = true,
    offersWebSocket: Bool = false,
    isLenient: Bool
  ) throws {
    self.book = book
    self.cut = cut
    self.name = name
    self.isSecure = isSecure
    self.isLenient = isLenient
    self.device = try HTTP2Peer(.client, limits: deviceLimits)
    self.server = try HTTP2Peer(.server, limits: serverLimits)
    if offersWebSocket { self.server.codec.allowExtendedConnect() }
    self.settle()
  }

  // MARK: The device

  /// The device asks for something without content.
  func get(_ path: String, _ fields: [(String, String)] = [], method: String = "GET") -> StreamID {
    self.open(method, path, fields, isLast: true)
  }

  /// The device sends a whole request with content.
  func post(_ path: String, _ body: String, _ fields: [(String, String)] = []) -> StreamID {
    let stream = self.open("POST", path, fields, isLast: false)
    self.upload(body, on: stream, isLast: true)
    return stream
  }

  /// The device begins a request.
  func open(
    _ method: String,
    _ path: String,
    _ fields: [(String, String)] = [],
    isLast: Bool = false,
    authority: String? = nil,
    protocolName: String? = nil
  ) -> StreamID {
    let head = MessageHead(
      start: .request(method: Bytes(method), target: Bytes(path)),
      version: .http2,
      fields: HeaderFields(fields),
      pseudo: PseudoFields(
        scheme: self.isSecure ? "https" : "http",
        authority: Bytes(authority ?? self.name),
        protocolName: protocolName.map { Bytes($0) }
      )
    )
    var stream = StreamID(0)
    self.attempt { stream = try self.device.codec.open(head, isLast: isLast) }
    return stream
  }

  /// The device sends content.
  func upload(_ text: String, on stream: StreamID, isLast: Bool = false) {
    self.upload(Bytes(text), on: stream, isLast: isLast)
  }

  func upload(_ bytes: Bytes, on stream: StreamID, isLast: Bool = false) {
    self.attempt {
      try self.device.codec.sendBody(bytes, on: stream)
      if isLast { try self.device.codec.sendEnd(on: stream) }
    }
  }

  func uploadTrailers(_ fields: [(String, String)], on stream: StreamID) {
    self.attempt { try self.device.codec.sendTrailers(HeaderFields(fields), on: stream) }
  }

  func deviceResets(_ stream: StreamID, _ code: HTTP2ErrorCode) {
    self.attempt { self.device.codec.reset(stream, code) }
  }

  /// What the device heard on a stream.
  func answer(_ stream: StreamID) -> HTTP2Message { self.device[stream] }

  // MARK: The server

  /// The requests that the server heard, in order.
  var asked: [HTTP2Message] { self.server.order.map { self.server[$0] } }

  /// The server's stream of the request for `path`.
  func stream(_ path: String) throws -> StreamID {
    try #require(self.server.order.first { self.server[$0].path == path }, "no request for \(path)")
  }

  /// Whether the server can answer a request; one that never came is only missed if it should have.
  private func hasHeard(_ path: String) -> Bool {
    !self.isLenient || self.server.order.contains { self.server[$0].path == path }
  }

  /// The server answers the request for `path`.
  func reply(
    to path: String,
    _ status: Int = 200,
    _ fields: [(String, String)] = [],
    _ body: String? = nil,
    isLast: Bool = true
  ) throws {
    guard self.hasHeard(path) else { return }
    let stream = try self.stream(path)
    let head = MessageHead(
      start: .response(status: status, reason: Bytes()),
      version: .http2,
      fields: HeaderFields(fields)
    )
    self.attempt {
      try self.server.codec.sendHead(head, on: stream, isLast: body == nil && isLast)
      guard let body else { return }
      try self.server.codec.sendBody(Bytes(body), on: stream)
      if isLast { try self.server.codec.sendEnd(on: stream) }
    }
  }

  /// The server sends more content.
  func send(_ text: String, to path: String, isLast: Bool = false) throws {
    try self.send(Bytes(text), to: path, isLast: isLast)
  }

  func send(_ bytes: Bytes, to path: String, isLast: Bool = false) throws {
    guard self.hasHeard(path) else { return }
    let stream = try self.stream(path)
    self.attempt {
      try self.server.codec.sendBody(bytes, on: stream)
      if isLast { try self.server.codec.sendEnd(on: stream) }
    }
  }

  func sendTrailers(_ fields: [(String, String)], to path: String) throws {
    guard self.hasHeard(path) else { return }
    let stream = try self.stream(path)
    self.attempt { try self.server.codec.sendTrailers(HeaderFields(fields), on: stream) }
  }

  func serverResets(_ path: String, _ code: HTTP2ErrorCode) throws {
    guard self.hasHeard(path) else { return }
    let stream = try self.stream(path)
    self.attempt { self.server.codec.reset(stream, code) }
  }

  // MARK: Delivery

  /// Lets a peer do something, and delivers what follows.
  func attempt(_ action: () throws -> Void) {
    do { try action() } catch {
      if !self.isLenient { Issue.record("a peer cannot say what it is told to: \(error)") }
    }
    self.settle()
  }

  /// Delivers what peers and machine have for each other, until nothing is left.
  func settle() {
    while true {
      let said = self.device.take()
      for piece in self.cut.pieces(of: said) { self.book.device(bytes: piece) }
      let replied = self.server.take()
      for piece in self.cut.pieces(of: replied) { self.book.server(bytes: piece) }
      let now = Instant(nanoseconds: self.book.instant)
      let down = self.book.deviceGotBytes()
      if !down.isEmpty { self.device.receive(down, at: now) }
      let up = self.book.serverGotBytes()
      if !up.isEmpty { self.server.receive(up, at: now) }
      if said.isEmpty, replied.isEmpty, down.isEmpty, up.isEmpty { return }
    }
  }

  /// Hands an event to the machine, and delivers what follows.
  func give(_ event: Event) {
    self.book.give(event)
    self.settle()
  }

  func tick(afterSeconds seconds: UInt64) {
    self.book.tick(afterSeconds: seconds)
    self.settle()
  }

  /// The flow of the request for `path`.
  func flow(_ path: String) throws -> RecordedFlow {
    try #require(self.book.flows.first { $0.start.url.hasSuffix(path) }, "no flow of \(path)")
  }

  func expectCleanEnd(sourceLocation: Testing.SourceLocation = #_sourceLocation) {
    #expect(self.device.failure == nil, "the machine speaks HTTP/2", sourceLocation: sourceLocation)
    #expect(self.server.failure == nil, "the machine speaks HTTP/2", sourceLocation: sourceLocation)
    self.book.expectCleanEnd(sourceLocation: sourceLocation)
  }
}
