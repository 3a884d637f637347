public import TideCore

/// All that a case has of one flow.
public struct FlowDetail: Sendable {
  /// What `flows` shows of it.
  public let record: FlowRecord
  /// Its messages as they came and, where they differ, as they went on.
  public internal(set) var messages: [Message] = []
  /// What was found, in order.
  public internal(set) var findings: [FindingRecord] = []
  /// What an operator should know of it.
  public internal(set) var notes: [String] = []
  /// What was replaced in what went on.
  public internal(set) var redactions: [ReplacedValue] = []
  /// What was not seen on its connection, or kept from getting out of sight: once for each kind, so
  /// that another flow may be the one it showed in.
  public internal(set) var coverage: [CoverageRecord] = []
  /// How many WebSocket messages and control frames it has.
  public internal(set) var socketMessageCount = 0
  /// The first of them, as many as were asked for.
  public internal(set) var socketMessages: [SocketMessageRecord] = []
  /// The JA4 of its device's hello; nil if there was none.
  public internal(set) var fingerprint: String?
  /// The TLS handshakes of its connection, in order.
  public internal(set) var handshakes: [HandshakeRecord] = []
  /// The lines of its connection as recorded, JSON objects: `dns`, `decided`, `hello`, `handshake`.
  public internal(set) var connection: [[UInt8]] = []

  /// One message, in one version.
  public struct Message: MessageVersion, Sendable {
    /// Which way it goes.
    public let direction: Direction
    /// As it came or as it went on.
    public let stage: BodyStage
    /// When its head was there, RFC 3339; nil if no head is kept.
    public internal(set) var time: String?
    /// Its head as it was on the wire; empty if none is kept.
    public internal(set) var head = Bytes()
    /// Its trailer section; empty if there is none.
    public internal(set) var trailers = Bytes()
    /// Its content; nil if it had none or none is kept.
    public internal(set) var body: BodyReference?

    /// Makes a message of which nothing is known yet.
    init(direction: Direction, stage: BodyStage) {
      self.direction = direction
      self.stage = stage
    }
  }

  /// A content in bodies/.
  public struct BodyReference: Hashable, Sendable {
    /// The SHA-256 of its bytes, in hexadecimal.
    public let sha256: String
    /// How many bytes it has.
    public let size: UInt64
    /// Whether it is the whole content.
    public let isComplete: Bool
  }

  /// A version of a message, if the case has it.
  public func message(_ direction: Direction, _ stage: BodyStage = .original) -> Message? {
    self.messages.message(direction, stage)
  }

  /// The flow as one JSON object: the members of `FlowRecord.json`, and `messages`, `found`, `redactions`, `notes`,
  /// `coverage`, `socket_message_count`, `socket_messages`, `connection`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    self.record.write(into: &json)
    json.key("messages")
    json.beginArray()
    for message in self.messages {
      json.beginObject()
      json.member("direction", message.direction.rawValue)
      json.member("stage", message.stage.rawValue)
      json.member("time", message.time)
      json.member("head", message.head.text)
      json.member("trailers", message.trailers.text)
      json.key("body")
      if let body = message.body {
        json.beginObject()
        json.member("sha256", body.sha256)
        json.member("size", body.size)
        json.member("complete", body.isComplete)
        json.endObject()
      } else {
        json.null()
      }
      json.endObject()
    }
    json.endArray()
    json.key("found")
    json.beginArray()
    for finding in self.findings { json.raw(finding.json) }
    json.endArray()
    json.key("redactions")
    json.beginArray()
    for redaction in self.redactions { json.raw(redaction.json) }
    json.endArray()
    json.member("notes", self.notes)
    json.key("coverage")
    json.beginArray()
    for coverage in self.coverage { coverage.write(into: &json) }
    json.endArray()
    json.member("socket_message_count", self.socketMessageCount)
    json.key("socket_messages")
    json.beginArray()
    for message in self.socketMessages { message.write(into: &json) }
    json.endArray()
    json.key("connection")
    json.beginArray()
    for line in self.connection { json.raw(line) }
    json.endArray()
    json.endObject()
    return json.bytes
  }
}

extension FlowDetail.BodyReference {
  /// Reads a `body` line.
  init(_ event: LogEvent) {
    self.sha256 = event.members["sha256"]?.string ?? ""
    self.size = event.members["size"]?.unsigned ?? 0
    self.isComplete = event.members["complete"]?.bool ?? false
  }
}
