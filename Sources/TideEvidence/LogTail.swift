internal import TideCore
internal import TideCrypto

/// The end of a log that is to be continued: up to where it is right, and what is after that.
struct LogTail: Sendable {
  /// Of a case that has no log yet.
  static let none = LogTail()

  /// The segment to write to next.
  private(set) var segment = 1
  /// How many bytes of that segment are lines that follow from those before.
  private(set) var length: UInt64 = 0
  /// Where the log stands after them.
  private(set) var state = LogState.start
  /// What is recorded of the crash that ended the log; nil if it lost nothing.
  private(set) var recovery: Recovery?
  /// How many lines the last tree head covers: they outlasted whatever came after.
  private(set) var headSize: UInt64 = 0
  /// The number of the last tree head's own line; 0 if there is none.
  private(set) var headSequence: UInt64 = 0
  /// The `wire` lines that no tree head covers, by their numbers, the last of each file of wire/.
  private var extents: [(sequence: UInt64, extent: WireExtent)] = []
  /// Files of the case that lines rest on which no tree head covers: they are to be synced with what follows.
  var unsynced: [String] = []
  /// The number for the next flow.
  private(set) var nextFlow: UInt64 = 1
  /// The number for the next connection.
  private(set) var nextConnection: UInt64 = 1
  /// How many findings the log has.
  private(set) var findings: UInt64 = 0

  /// Where the chain stands.
  var chain: ChainState { self.state.chain }

  /// What `wire` lines say of files of wire/ that may not have reached the disk.
  var openExtents: [WireExtent] { self.extents.map(\.extent) }

  /// How many bytes are to be cut off.
  var tornBytes: UInt64 { self.recovery?.bytes ?? 0 }

  /// Whether the last line is a tree head, so that there is nothing new to make one of.
  var endsWithHead: Bool { self.headSequence > 0 && self.headSequence == self.chain.sequence }

  init() {}

  /// Joins what reading the end of a log came to.
  init(
    _ scan: SegmentScan,
    state: LogState,
    segment: Int,
    length: UInt64,
    recovery: Recovery?
  ) {
    self = scan.counters
    self.state = state
    self.segment = segment
    self.length = length
    self.recovery = recovery
  }

  /// Takes where the log ended after all was written.
  mutating func end(at state: LogState, segment: Int, length: UInt64) {
    self.state = state
    self.segment = segment
    self.length = length
    self.recovery = nil
    self.unsynced = []
    self.extents = []
  }

  /// Counts a flow that is written.
  mutating func see(_ flow: FlowID) { self.nextFlow = max(self.nextFlow, flow.number &+ 1) }

  /// Counts a connection that is written.
  mutating func see(_ connection: ConnectionID) {
    self.nextConnection = max(self.nextConnection, connection.number &+ 1)
  }

  /// Counts a finding that is written.
  mutating func seeFinding() { self.findings += 1 }

  /// Counts a tree head that is written as a line.
  mutating func see(_ head: TreeHead, at sequence: UInt64) {
    self.headSize = head.size
    self.headSequence = sequence
  }

  /// Counts what a line that was read says.
  mutating func count(_ event: LogEvent) {
    switch event.type {
    case "flow-start":
      if let flow = event.flow { self.see(flow) }
      if let connection = event.connection { self.see(connection) }
    case "connection":
      if let connection = event.connection { self.see(connection) }
    case "finding":
      self.findings += 1
    case "segment":
      self.nextFlow = max(self.nextFlow, event.members["next_flow"]?.unsigned ?? 1)
      self.nextConnection = max(
        self.nextConnection,
        event.members["next_connection"]?.unsigned ?? 1
      )
      self.findings = event.members["findings"]?.unsigned ?? 0
      // A segment is begun once a head covers all before it.
      self.headSize = event.sequence - 1
    case "tree-head":
      self.headSize = max(self.headSize, event.members["size"]?.unsigned ?? 0)
      self.headSequence = event.sequence
      let size = self.headSize
      self.extents.removeAll { $0.sequence <= size }
    case "wire", "wire-recovered":
      guard let extent = WireExtent(event) else { return }
      self.extents.removeAll { $0.extent.segment == extent.segment }
      self.extents.append((event.sequence, extent))
    default: return
    }
  }
}

extension WireExtent {
  /// What a `wire` or `wire-recovered` line says; nil if it does not read as one.
  init?(_ event: LogEvent) {
    guard let segment = event.members["segment"]?.unsigned.flatMap(Int.init(exactly:)),
      let bytes = event.members[event.type == "wire" ? "bytes" : "size"]?.unsigned,
      let sha256 = event.members["sha256"]?.string.flatMap({ Hex.decode($0.utf8) })
    else { return nil }
    self.init(segment: segment, bytes: bytes, sha256: sha256)
  }
}

/// What a crash took from the end of a case, as the `recovered` line says it.
struct Recovery: Equatable, Sendable {
  /// The segment that was cut.
  let segment: Int
  /// How many bytes were cut off.
  let bytes: UInt64
  /// What names the cut bytes in bodies/; nil if there were none, or nothing but zeros.
  let sha256: [UInt8]?
  /// Where in the case the cut bytes are; nil if they are not kept.
  let path: String?
  /// How many whole lines were among them.
  let lines: UInt64
  /// The digests of contents that lines name, after the last tree head, and that did not reach the disk.
  let lost: [String]

  /// Writes the members of its line.
  func write(into json: inout JSONWriter) {
    json.member("segment", self.segment)
    json.member("bytes", self.bytes)
    json.key("sha256")
    if let sha256 { json.hex(sha256) } else { json.null() }
    json.member("lines", self.lines)
    json.member("lost", self.lost)
  }
}
