/// What is done with a connection's bytes.
public enum FlowTreatment: String, CaseIterable, Sendable {
  /// Decrypted (or plain) and inspected.
  case intercepted
  /// Relayed without being decrypted.
  case passthrough
  /// Answered by us; nothing was dialled.
  case sinkhole
  /// Not let through.
  case refused
}

/// An address that a name resolved to, and what was concluded of it.
public struct Candidate: Hashable, Sendable {
  /// The address.
  public let address: IPAddress
  /// Where it lies.
  public let region: Region

  /// Joins an address and its region.
  public init(address: IPAddress, region: Region) {
    self.address = address
    self.region = region
  }
}

/// What is known of a connection once its destination is decided; shared by all of its flows.
public final class ConnectionFacts: Sendable {
  /// The connection.
  public let connection: ConnectionID
  /// The device's name: its profile's, else the client's address.
  public let device: String
  /// The client's address.
  public let client: IPAddress
  /// What the client asked for.
  public let authority: Authority
  /// The server name in the hello, if any.
  public let serverName: Hostname?
  /// The address dialled; nil if none was.
  public let address: IPAddress?
  /// The region of the address dialled, or of the candidate that decided.
  public let region: Region
  /// Every address the name resolved to.
  public let candidates: [Candidate]
  /// What is done.
  public let treatment: FlowTreatment
  /// `https` if TLS was terminated or passed, else `http`.
  public let scheme: String

  /// Joins the facts.
  public init(
    connection: ConnectionID,
    device: String,
    client: IPAddress,
    authority: Authority,
    serverName: Hostname?,
    address: IPAddress?,
    region: Region,
    candidates: [Candidate],
    treatment: FlowTreatment,
    scheme: String
  ) {
    self.connection = connection
    self.device = device
    self.client = client
    self.authority = authority
    self.serverName = serverName
    self.address = address
    self.region = region
    self.candidates = candidates
    self.treatment = treatment
    self.scheme = scheme
  }
}

/// A flow as it begins.
public struct FlowStart: Sendable {
  /// The flow.
  public let flow: FlowID
  /// Its connection.
  public let facts: ConnectionFacts
  /// When its first byte was read.
  public let time: WallTime
  /// The request's method; empty for a tunnel.
  public let method: String
  /// The whole URL; `host:port` for a tunnel.
  public let url: String
  /// `http/1.1`, `h2`, `grpc`, `websocket`; `tls` for a tunnel that is passed, `stream` for decrypted bytes that are
  /// no HTTP, `tcp` for bytes without TLS.
  public let protocolName: String

  /// Joins the start of a flow.
  public init(
    flow: FlowID,
    facts: ConnectionFacts,
    time: WallTime,
    method: String,
    url: String,
    protocolName: String
  ) {
    self.flow = flow
    self.facts = facts
    self.time = time
    self.method = method
    self.url = url
    self.protocolName = protocolName
  }
}

/// A flow as it ends.
public struct FlowEnd: Sendable {
  /// The flow.
  public let flow: FlowID
  /// When its last byte was written.
  public let time: WallTime
  /// The status that the device saw; 0 if none.
  public let status: Int
  /// Bytes of request content that the device sent.
  public let requestBytes: UInt64
  /// Bytes of response content that were sent to the device.
  public let responseBytes: UInt64
  /// How many findings were made.
  public let findings: Int
  /// The strictest verdict.
  public let verdict: Verdict
  /// Bytes of the request's content that had left before a block; nil unless blocked by content.
  public let exposure: UInt64?
  /// Why it ended, if not by its own protocol.
  public let failure: FlowFailure?

  /// Joins the end of a flow.
  public init(
    flow: FlowID,
    time: WallTime,
    status: Int,
    requestBytes: UInt64,
    responseBytes: UInt64,
    findings: Int,
    verdict: Verdict,
    exposure: UInt64?,
    failure: FlowFailure?
  ) {
    self.flow = flow
    self.time = time
    self.status = status
    self.requestBytes = requestBytes
    self.responseBytes = responseBytes
    self.findings = findings
    self.verdict = verdict
    self.exposure = exposure
    self.failure = failure
  }
}

/// Which version of a message's bytes: as they came, or as they went on after redaction.
public enum BodyStage: String, CaseIterable, Sendable {
  /// As received.
  case original
  /// As forwarded; recorded only where it differs from the original.
  case sent
}

/// One message or control frame of a WebSocket (RFC 6455 §5.5, §5.6).
public struct SocketMessage: Sendable {
  /// What it is; the raw value is the name in records.
  public enum Kind: String, CaseIterable, Sendable {
    /// UTF-8.
    case text
    /// Anything else.
    case binary
    /// The end of one direction: a code and a reason.
    case close
    /// A question.
    case ping
    /// Its answer.
    case pong
  }

  /// What it is.
  public let kind: Kind
  /// The payload, unmasked and decompressed; its first `Limits.messageBytes` if it is longer.
  public let payload: Bytes
  /// The size of the whole payload.
  public let size: UInt64
  /// How many frames it came in.
  public let frames: Int
  /// Whether it came compressed (RFC 7692).
  public let isCompressed: Bool

  /// Joins a message.
  public init(kind: Kind, payload: Bytes, size: UInt64, frames: Int, isCompressed: Bool) {
    self.kind = kind
    self.payload = payload
    self.size = size
    self.frames = frames
    self.isCompressed = isCompressed
  }
}

/// What the data plane reports, in order, to whoever records it.
public enum FlowEvent: Sendable {
  /// A device connected, from this port if it is known.
  case connectionOpened(
    ConnectionID,
    client: IPAddress,
    port: UInt16? = nil,
    device: String,
    time: WallTime
  )
  /// A name was looked up: a destination's, or one that only adds a verdict.
  case lookedUp(ConnectionID, Hostname, Resolution, time: WallTime)
  /// A destination was resolved and decided on, before anything was dialled.
  case destinationDecided(
    ConnectionID,
    authority: Authority,
    candidates: [Candidate],
    decision: String,
    rule: RuleID?,
    time: WallTime
  )
  /// The device's ClientHello.
  case hello(ConnectionID, HelloFacts, time: WallTime)
  /// A TLS handshake ended, well or badly.
  case handshake(ConnectionID, HandshakeFacts, time: WallTime)
  /// A secret of the device's leg, as a line of the key log that analysers read, without its end.
  case secret(ConnectionID, line: Bytes)
  /// What crossed the device's socket, as it was there: `request` came from it, `response` went to it.
  ///
  /// Without bytes: that side ended. Only with `case.wire`, and of what is not passed on undecrypted.
  case wire(ConnectionID, Direction, Bytes, time: WallTime)
  /// A flow began.
  case flowStarted(FlowStart)
  /// A message's head.
  case head(FlowID, Direction, BodyStage, Bytes)
  /// The next bytes of a message's content, as on the wire without transfer coding.
  case body(FlowID, Direction, BodyStage, Bytes)
  /// A message's trailer section, serialised.
  case trailers(FlowID, Direction, BodyStage, Bytes)
  /// A WebSocket message or control frame ended; `sent` if redaction changed it.
  case message(FlowID, Direction, BodyStage, SocketMessage, time: WallTime)
  /// Something was not seen, or kept from getting out of sight; once a connection for each kind.
  case coverage(ConnectionID, FlowID?, Coverage, detail: String, time: WallTime)
  /// Identifiers were found.
  case findings(FlowID, [Finding], Verdict, time: WallTime)
  /// What an operator should know about a flow: a limit reached, a body not inspected to its end.
  case note(FlowID, String, time: WallTime)
  /// Values were replaced in what goes on, by this rule.
  case redacted(FlowID, Direction, [RedactionRecord], RuleID?, time: WallTime)
  /// A flow ended.
  case flowEnded(FlowEnd)
  /// A connection ended.
  case connectionClosed(ConnectionID, FlowFailure?, time: WallTime)
}

/// How a recorder takes an event.
public enum Offer: Sendable {
  /// Taken.
  case accepted
  /// Taken, but the sender is to stop reading from its peers until `hasRoom` is true.
  case pause
}

/// Whoever records what the data plane reports.
///
/// Called from every loop; must not block.
public protocol FlowEventSink: Sendable {
  /// Takes an event.
  func offer(_ event: consuming FlowEvent) -> Offer
  /// Whether a sender that was told to pause may go on.
  var hasRoom: Bool { get }
}
