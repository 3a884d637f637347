internal import TideCore
internal import TideCrypto

/// A flow as exporters take it: what the log says of it, without its contents.
struct ExportFlow {
  /// What `flows` shows.
  var record: FlowRecord
  /// `https` or `http`.
  let scheme: String
  /// Its messages as they came and, where they differ, as they went on.
  var messages: [Message] = []
  /// What was found, in order, as `findings --json` has it.
  var findings: [[UInt8]] = []
  /// What was replaced in what went on.
  var redactions: [[UInt8]] = []
  /// What an operator should know of it.
  var notes: [String] = []
  /// How many WebSocket messages and control frames it has.
  var socketMessages = 0
  /// Its connection.
  let connection: ExportConnection
  /// When its connection became ready for it; nil but for the first flow after that.
  let setup: ExportConnection.Setup?
  /// Which lines of the log are about it alone.
  var lines: [ExportLine] = []
  /// Findings, redactions, notes and lines beyond what is kept of one flow.
  var leftOut = 0

  /// The most findings, redactions, notes or lines that are kept of one flow.
  static let mostOfEach = 10_000

  /// One message, in one version.
  struct Message: MessageVersion {
    let direction: Direction
    let stage: BodyStage
    /// When its head was there; nil if none is kept.
    var time: String?
    var head = Section.none
    var trailers = Section.none
    var body: FlowDetail.BodyReference?

    init(direction: Direction, stage: BodyStage) {
      self.direction = direction
      self.stage = stage
    }
  }

  /// A head or trailer section, wherever it lies.
  enum Section {
    case none
    case inline(Bytes)
    case stored(sha256: String)
  }

  init(
    record: FlowRecord,
    scheme: String,
    connection: ExportConnection,
    setup: ExportConnection.Setup?
  ) {
    self.record = record
    self.scheme = scheme
    self.connection = connection
    self.setup = setup
  }

  func message(_ direction: Direction, _ stage: BodyStage = .original) -> Message? {
    self.messages.message(direction, stage)
  }

  /// The response as the server sent it; as the device got it if no server sent one.
  var response: Message? { self.message(.response) ?? self.message(.response, .sent) }

  var isWebSocket: Bool { self.record.protocolName == "websocket" || self.socketMessages > 0 }

  /// Whether there was an HTTP request; if not, it is a tunnel, or a CONNECT that was refused.
  var isExchange: Bool { !self.record.method.isEmpty && self.record.method != "CONNECT" }

  /// The URL in a form that tools take for one: a tunnel has none of its own.
  var url: String {
    self.record.url.contains("://") ? self.record.url : "\(self.scheme)://\(self.record.url)/"
  }

  /// Takes a line about the flow.
  mutating func take(_ event: LogEvent) {
    let members = event.members
    switch event.type {
    case "head", "trailers", "body": self.take(message: event)
    case "message": self.socketMessages += 1
    case "finding":
      self.record.find(event)
      self.keep(Array(FindingsFile.line(of: event).dropLast()), in: \.findings)
    case "redaction":
      var json = JSONWriter()
      json.beginObject()
      for name in [
        "direction", "kind", "location", "path", "offset", "length", "pseudonym", "rule",
      ] {
        json.key(text: name)
        json.write(members[name] ?? .null)
      }
      json.endObject()
      self.keep(json.bytes, in: \.redactions)
    case "note":
      if let text = members["text"]?.string { self.keep(text, in: \.notes) }
    case "flow-end": self.record.end(event)
    default: return
    }
  }

  mutating func keep<Item>(_ item: Item, in list: WritableKeyPath<ExportFlow, [Item]>) {
    if self[keyPath: list].count < Self.mostOfEach {
      self[keyPath: list].append(item)
    } else {
      self.leftOut += 1
    }
  }

  private mutating func take(message event: LogEvent) {
    guard let index = self.messages.place(of: event) else { return }
    switch event.type {
    case "head":
      // Of several heads (1xx first, RFC 9110 §15.2) the last is the message's.
      self.messages[index].time = event.time
      self.messages[index].head = Section(event)
    case "trailers": self.messages[index].trailers = Section(event)
    default: self.messages[index].body = FlowDetail.BodyReference(event)
    }
  }
}

extension ExportFlow.Section {
  init(_ event: LogEvent) {
    if let data = event.members["data"]?.string, let bytes = Base64.standard.decode(data.utf8) {
      self = .inline(Bytes(bytes))
    } else if let sha256 = event.members["sha256"]?.string {
      self = .stored(sha256: sha256)
    } else {
      self = .none
    }
  }

  /// The bytes; none if the case does not have them any more.
  func bytes(_ reader: CaseReader) -> Bytes {
    switch self {
    case .none: return Bytes()
    case .inline(let bytes): return bytes
    case .stored(let sha256):
      do throws(EvidenceFailure) {
        return try reader.body(sha256, limit: 1 << 20)
      } catch {
        return Bytes()
      }
    }
  }
}

/// A connection as exporters take it; shared by its flows.
final class ExportConnection {
  /// What its next flow waited for.
  private var setup: Setup?
  /// Which lines of the log are about it and no flow.
  private(set) var lines: [ExportLine] = []
  /// The version and cipher of the upstream handshake, or of the device's if there was none.
  private(set) var security: (version: String, cipher: String)?

  /// When a connection became ready, step by step; each step ends where the next begins.
  struct Setup {
    /// When the device connected; nil if it had been connected before.
    var connected: WallTime?
    /// When the name was looked up; nil for an address.
    var lookedUp: WallTime?
    /// When the destination was decided on, and dialled.
    var decided: WallTime?
    /// When the device's ClientHello was there.
    var greeted: WallTime?
    /// When the last handshake was over.
    var secured: WallTime?
  }

  /// Takes a line about the connection.
  func take(_ event: LogEvent, _ line: ExportLine?) {
    if let line, self.lines.count < ExportFlow.mostOfEach { self.lines.append(line) }
    let time = WallTime(rfc3339: event.time)
    var setup = self.setup ?? Setup()
    switch event.type {
    case "connection": setup.connected = time
    case "dns": setup.lookedUp = setup.lookedUp ?? time
    case "decided": setup.decided = setup.decided ?? time
    case "hello": setup.greeted = time
    case "handshake":
      setup.secured = time
      let isUpstream = event.members["leg"]?.string == "upstream"
      if let version = event.members["version"]?.string, !version.isEmpty,
        let cipher = event.members["cipher"]?.string, isUpstream || self.security == nil
      {
        self.security = (version, cipher)
      }
    default: return
    }
    self.setup = setup
  }

  /// Hands what was waited for to the flow that waited.
  func takeSetup() -> Setup? {
    defer { self.setup = nil }
    return self.setup
  }
}

/// A line of the log and its place in the tree.
struct ExportLine {
  let sequence: UInt64
  /// The hash of its leaf (RFC 9162 §2.1.1); nil where it could tell what the line says.
  let leaf: [UInt8]?
}
