import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// How an exchange's messages travel on both of its connection's legs.
enum Wire {
  /// As HTTP/1, one exchange at a time.
  case http1
  /// As the stream of this number on the device's leg, among others.
  case http2(StreamID)
  /// As they are: a WebSocket after its handshake over HTTP/1, or a protocol that is not HTTP.
  case raw
}

/// What an exchange is, for rules and records.
enum ExchangeKind {
  case http1
  case http2
  /// gRPC, over HTTP/2.
  case grpc
  /// A WebSocket, or the request for one; over HTTP/2 if so.
  case websocket(overHTTP2: Bool)
  /// Decrypted bytes that are no HTTP.
  case stream
  /// Bytes without TLS that are no HTTP.
  case plainStream

  /// What rules compare with `protocol`, the most special last.
  var protocols: [String] {
    switch self {
    case .http1: ["http/1.1"]
    case .http2: ["h2"]
    case .grpc: ["h2", "grpc"]
    case .websocket(overHTTP2: false): ["http/1.1", "websocket"]
    case .websocket(overHTTP2: true): ["h2", "websocket"]
    case .stream: ["stream"]
    case .plainStream: ["tcp"]
    }
  }

  /// Whether it is a protocol that is not HTTP, of which nothing says what it holds.
  var isStream: Bool {
    switch self {
    case .stream, .plainStream: true
    case .http1, .http2, .grpc, .websocket: false
    }
  }

  /// What records call it.
  var name: String {
    switch self {
    case .http1: "http/1.1"
    case .http2: "h2"
    case .grpc: "grpc"
    case .websocket: "websocket"
    case .stream: "stream"
    case .plainStream: "tcp"
    }
  }
}

/// A request and its response, one flow; confined to its connection.
final class Exchange {
  let flow: FlowID
  /// Whether it is device traffic; our own pages are not.
  let isRecorded: Bool
  let kind: ExchangeKind
  var wire: Wire
  /// Over HTTP/2: its stream on the server's leg, once the request's head went on.
  var serverStream: StreamID?
  /// Every name that the request is bound for: CONNECT, SNI, Host.
  let hosts: [Host]
  /// Where the last of those leads, if it is the request's alone.
  var requestedHost: RequestedHost?
  /// The target's path and query.
  let path: Bytes
  let request: MessageRelay
  /// What it is judged and inspected by to its end, whatever is replaced meanwhile: a plan to hold made
  /// under one set of rules means nothing to a verdict under another.
  let policy: PolicySnapshot
  let inspection: InspectionContext
  /// The final response, once its head came.
  var response: MessageRelay?
  /// A WebSocket's two directions, once its handshake succeeded.
  var socket: SocketRelay?
  /// What a request for a WebSocket asked for.
  var socketOffer: SocketOffer?
  /// The strictest verdict so far.
  var verdict = Verdict.pass
  var findings = 0
  /// What the device was or will be told; 0 before that.
  var status = 0
  var exposure: UInt64?
  var responseBytes: UInt64 = 0
  /// When the last byte of the request was handled.
  var requestEndedAt: Instant?
  /// When something of it came or went last.
  var lastActivity: Instant
  var responseIsOver = false
  /// Whether a byte of a final response went to the device.
  var hasAnswered = false
  /// Whether the device's version knows no trailers.
  var dropsTrailers = false
  /// Whether the connection may serve another request after this.
  var persists: Bool
  /// Whether the server's stream is gone while its response waits for a scanner (HTTP/2).
  var hasLostServer = false
  /// Whether its flow is over: nothing that comes for it means anything.
  var isEnded = false

  init(
    flow: FlowID,
    isRecorded: Bool,
    kind: ExchangeKind,
    wire: Wire,
    hosts: [Host],
    path: Bytes,
    request: MessageRelay,
    context: LoopContext,
    persists: Bool,
    at now: Instant
  ) {
    self.flow = flow
    self.isRecorded = isRecorded
    self.kind = kind
    self.wire = wire
    self.hosts = hosts
    self.path = path
    self.request = request
    self.policy = context.policy
    self.inspection = context.inspection
    self.persists = persists
    self.lastActivity = now
  }

  var method: Bytes { self.request.head.method }
  var answersHead: Bool { self.method.equals("HEAD") }

  /// What carries the content of a direction: a WebSocket has relays of its own.
  func carrier(_ direction: Direction) -> MessageRelay? {
    if let socket = self.socket { return socket[direction].relay }
    switch direction {
    case .request: return self.request
    case .response: return self.response
    }
  }

  /// Content bytes that the device sent.
  var requestBytes: UInt64 {
    self.request.received + (self.socket?.request.relay.received ?? 0)
  }

  /// Takes a message's verdict into the flow's: the strictest is the one that is recorded.
  func merge(_ verdict: Verdict) {
    if verdict.decided > self.verdict.decided || verdict.applied > self.verdict.applied {
      self.verdict = verdict
    }
  }
}
