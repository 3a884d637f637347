internal import TideCore
internal import TideCrypto

/// Goes through a log once, from its first line to its last, and gives each flow when it is over.
///
/// Memory holds the flows that are open and up to `mostWaiting` that wait for an earlier one to end: flows
/// come in the order they began, but for those that outlast that many others. The index is asked only what a
/// filter lets through.
struct ExportWalk {
  /// How many flows that are over wait for one that began earlier.
  static let mostWaiting = 1_024

  let reader: CaseReader
  let shareSafe: ShareSafe?
  let progress: ExportProgress?
  private let selection: FlowSelection?
  private var open: [UInt64: ExportFlow] = [:]
  private var over: [UInt64: ExportFlow] = [:]
  /// The numbers of open and waiting flows in the order they began, from `head` on.
  private var order: [UInt64] = []
  private var head = 0
  private var connections: [ConnectionID: ExportConnection] = [:]
  /// Whether the chain holds what nobody can guess: from there on a leaf's hash tells nothing.
  private var isSalted = false
  private var count = 0
  private let hasher = LeafHasher()

  /// What is passed on the way.
  enum Item {
    /// A line of the log, as it stands there.
    case line(LogEvent)
    /// A flow that is over, or that the log does not see end.
    case flow(ExportFlow)
  }

  init(
    _ reader: CaseReader,
    filter: FlowFilter,
    shareSafe: ShareSafe? = nil,
    progress: ExportProgress?
  ) throws(EvidenceFailure) {
    self.reader = reader
    self.shareSafe = shareSafe
    self.progress = progress
    self.selection = filter.terms.isEmpty ? nil : try FlowSelection(reader, filter)
  }

  /// Calls `body` with each flow.
  mutating func forEachFlow(
    _ body: (ExportFlow) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    try self.forEachItem { item throws(EvidenceFailure) in
      if case .flow(let flow) = item { try body(flow) }
    }
  }

  /// Calls `body` with each line and each flow.
  mutating func forEachItem(
    _ body: (Item) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    let log = try LogReader(root: self.reader.path, keys: self.reader.keys)
    var starts: [Int: UInt64] = [:]
    var total: UInt64 = 0
    for segment in log.segments {
      starts[segment] = total
      total += Folder.size(of: LogReader.path(of: segment, in: log.root)) ?? 0
    }
    try log.forEachLine { line throws(EvidenceFailure) in
      guard line.isWhole else { return false }
      let event = try LogEvent(line, in: log.root)
      try body(.line(event))
      try self.take(event, body)
      let passed = (starts[line.position.segment] ?? 0) + line.position.offset
      self.progress?.advance(
        flows: self.count,
        fraction: Double(passed) / Double(max(1, total))
      )
      return true
    }
    // What is still open ends with the log.
    for (number, flow) in self.open { self.over[number] = flow }
    self.open.removeAll()
    try self.giveAll(body)
  }

  private mutating func take(
    _ original: LogEvent,
    _ body: (Item) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    let reference = self.reference(to: original)
    let event = self.shareSafe?.scrubbed(original) ?? original
    if event.type == "flow-start" {
      self.begin(event, reference)
    } else if let number = event.flow?.number {
      if var flow = self.open.removeValue(forKey: number) {
        flow.take(event)
        if let reference { flow.keep(reference, in: \.lines) }
        if event.type == "flow-end" {
          self.over[number] = flow
          try self.give(body)
        } else {
          self.open[number] = flow
        }
      } else if self.over[number] != nil {
        self.over[number]?.take(event)
        if let reference { self.over[number]?.keep(reference, in: \.lines) }
      }
    } else if let id = event.connection {
      if event.type == "connection-end" {
        self.connections.removeValue(forKey: id)?.take(event, reference)
      } else {
        self.connection(id).take(event, reference)
      }
    }
  }

  private mutating func begin(_ event: LogEvent, _ reference: ExportLine?) {
    guard let record = FlowRecord(start: event) else { return }
    let connection = self.connection(record.connection)
    // Taken whether or not the flow is wanted: the setup was the first flow's.
    let setup = connection.takeSetup()
    let number = record.flow.number
    guard self.selection?.contains(number) ?? true else { return }
    var flow = ExportFlow(
      record: record,
      scheme: event.members["scheme"]?.string ?? "https",
      connection: connection,
      setup: setup
    )
    if let reference { flow.lines.append(reference) }
    self.open[number] = flow
    self.order.append(number)
  }

  private mutating func connection(_ id: ConnectionID) -> ExportConnection {
    if let known = self.connections[id] { return known }
    let connection = ExportConnection()
    self.connections[id] = connection
    return connection
  }

  /// Gives what is over and has nothing open before it; all that is over if too many wait.
  private mutating func give(
    _ body: (Item) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    while self.head < self.order.count {
      let number = self.order[self.head]
      guard self.open[number] == nil else { break }
      self.head += 1
      if let flow = self.over.removeValue(forKey: number) { try self.give(flow, body) }
    }
    if self.over.count > Self.mostWaiting { try self.giveAll(body) }
    if self.head > 4_096 {
      self.order.removeFirst(self.head)
      self.head = 0
    }
  }

  private mutating func giveAll(
    _ body: (Item) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    for number in self.over.keys.sorted() {
      if let flow = self.over.removeValue(forKey: number) { try self.give(flow, body) }
    }
    let open = self.open
    self.order = self.order[self.head...].filter { open[$0] != nil }
    self.head = 0
  }

  private mutating func give(
    _ flow: ExportFlow,
    _ body: (Item) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    self.count += 1
    try body(.flow(flow))
  }

  /// What binds an entry of a share-safe export to the sealed original.
  ///
  /// A leaf's hash is over the line, and the line has the hash of the one before: whoever does not know that
  /// cannot try values out. A ClientHello's random bytes are what makes it unguessable, so that lines before
  /// the first one are named by their number alone.
  private mutating func reference(to event: LogEvent) -> ExportLine? {
    guard self.shareSafe != nil else { return nil }
    let leaf = self.isSalted ? self.hasher.leaf(event.line.stored) : nil
    if event.type == "hello", event.members["raw"]?.string?.utf8.count ?? 0 >= 64 {
      self.isSalted = true
    }
    return ExportLine(sequence: event.sequence, leaf: leaf)
  }
}

/// Keeps one digest context for all leaves.
private final class LeafHasher {
  private var hasher = SHA256Hasher()

  func leaf(_ line: Bytes) -> [UInt8] {
    line.withSpan { MerkleTree.leaf($0, &self.hasher) }
  }
}

/// Which flows a filter lets through, one bit each.
struct FlowSelection {
  private let words: [UInt64]

  init(_ reader: CaseReader, _ filter: FlowFilter) throws(EvidenceFailure) {
    var words: [UInt64] = []
    try reader.forEachFlow(filter) { flow throws(EvidenceFailure) in
      let index = Int(clamping: flow.flow.number >> 6)
      // Numbers count from 1 without large gaps: one beyond all reason is not worth its memory.
      guard index < 1 << 26 else { return true }
      if index >= words.count {
        words += Array(repeating: 0, count: max(index + 1, words.count * 2) - words.count)
      }
      words[index] |= 1 << (flow.flow.number & 63)
      return true
    }
    self.words = words
  }

  func contains(_ number: UInt64) -> Bool {
    let index = Int(clamping: number >> 6)
    return index < self.words.count && self.words[index] >> (number & 63) & 1 == 1
  }
}
