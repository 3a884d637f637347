internal import TideCore

/// A set of numbers that are dense, as those of flows are: a bit each.
struct NumberSet {
  private var words: [UInt64] = []

  /// Beyond this nothing is remembered: such numbers are not ours.
  private static let most: UInt64 = 1 << 34

  mutating func insert(_ number: UInt64) {
    guard number < Self.most else { return }
    let index = Int(number >> 6)
    if index >= self.words.count {
      self.words.append(contentsOf: repeatElement(0, count: index - self.words.count + 1))
    }
    self.words[index] |= 1 << (number & 63)
  }

  /// Adds all numbers up to one.
  mutating func insert(upTo number: UInt64) {
    guard number < Self.most else { return }
    self.insert(number)
    for index in 0..<Int(number >> 6) { self.words[index] = .max }
    self.words[Int(number >> 6)] |= (1 << (number & 63)) - 1
  }

  func contains(_ number: UInt64) -> Bool {
    let index = Int(clamping: number >> 6)
    return index < self.words.count && self.words[index] & 1 << (number & 63) != 0
  }
}

/// Which flows are over and which have findings: grows with the log.
struct RetentionSurvey {
  private var last: UInt64 = 0
  private var over = NumberSet()
  private var found = NumberSet()
  /// Whether only flows count as over that ended before.
  private let endedBefore: String?

  init(endedBefore: WallTime?) { self.endedBefore = endedBefore?.rfc3339 }

  mutating func take(_ line: RetentionLine, at time: String) {
    switch line {
    case .start where self.isInTime(time):
      self.over.insert(upTo: self.last)
    case .flowStart(let flow, _): self.last = max(self.last, flow.number)
    case .flowEnd(let flow) where self.isInTime(time): self.over.insert(flow.number)
    case .finding(let flow): self.found.insert(flow.number)
    case .start, .flowEnd, .connectionStart, .connectionEnd, .content, .kept: return
    }
  }

  /// Says that nobody is recording, and when the last line was written: flows without an end are over too.
  mutating func end(at time: String) {
    if self.isInTime(time) { self.over.insert(upTo: self.last) }
  }

  /// Whether the contents of a flow may go.
  func mayGo(_ flow: FlowID, _ selection: PurgeSelection) -> Bool {
    self.over.contains(flow.number)
      && !(selection.keepsFindings && self.found.contains(flow.number))
      && selection.flows?.contains(flow) != false
  }

  /// Times of ours all have the same form, so that text orders as time does.
  private func isInTime(_ time: String) -> Bool { self.endedBefore.map { time < $0 } ?? true }
}

/// Contents that may go, oldest first, as many as are asked for.
///
/// Made in two readings of the log: `choose` for the first, and `check` for the second, which takes out what another
/// flow still needs. So no more is in memory than what goes.
struct RetentionPlan {
  /// A content to remove.
  struct Content {
    let digest: String
    let size: UInt64
    let flow: FlowID
  }

  /// The most contents of a plan that is made while recording.
  static let mostContents = 100_000

  let selection: PurgeSelection
  let survey: RetentionSurvey
  /// How many bytes are to be freed; nil for all that may go.
  let goal: UInt64?
  /// How many contents are chosen at most.
  let mostContents: Int

  /// The last line whose content was chosen: its number, as times may be out of order where a clock was set, and its
  /// time; nil if everything that may go was.
  private var horizon: (sequence: UInt64, time: String)?
  private var order: [String] = []
  private var chosen: [String: Content] = [:]
  private var bytes: UInt64 = 0
  private var isHorizonPassed = false
  /// Connections of which something is to stay.
  private var keptConnections = NumberSet()
  /// Connections of flows that may go.
  private var goneConnections = NumberSet()
  private var openConnections: Set<UInt64> = []
  private var openFlows: [FlowID: ConnectionID] = [:]

  init(
    _ selection: PurgeSelection,
    survey: RetentionSurvey,
    goal: UInt64?,
    mostContents: Int = RetentionPlan.mostContents
  ) {
    self.selection = selection
    self.survey = survey
    self.goal = goal
    self.mostContents = mostContents
  }

  /// Takes a line of the first reading.
  ///
  /// - Parameters:
  ///   - line: the line.
  ///   - start: its number and when it was written.
  ///   - size: the size of a content's file; nil if there is none any more.
  /// - Returns: whether more is needed.
  mutating func choose(
    _ line: RetentionLine,
    at start: (sequence: UInt64, time: String),
    size: (String) -> UInt64?
  ) -> Bool {
    guard case .content(let flow, let digest) = line, self.chosen[digest] == nil,
      self.survey.mayGo(flow, self.selection), let size = size(digest)
    else { return true }
    self.chosen[digest] = Content(digest: digest, size: size, flow: flow)
    self.order.append(digest)
    self.bytes += size
    guard self.order.count >= self.mostContents || self.goal.map({ self.bytes >= $0 }) == true
    else { return true }
    self.horizon = start
    return false
  }

  /// Takes a line of the second reading.
  mutating func check(_ line: RetentionLine, at start: (sequence: UInt64, time: String)) {
    if let horizon = self.horizon, start.sequence > horizon.sequence { self.isHorizonPassed = true }
    switch line {
    case .start:
      // Whatever was open then was over.
      self.openFlows.removeAll()
      self.openConnections.removeAll()
    case .connectionStart(let connection): self.openConnections.insert(connection.number)
    case .connectionEnd(let connection): self.openConnections.remove(connection.number)
    case .flowStart(let flow, let connection):
      if self.survey.mayGo(flow, self.selection) {
        self.goneConnections.insert(connection.number)
      } else {
        self.keptConnections.insert(connection.number)
      }
      self.openFlows[flow] = connection
    case .flowEnd(let flow):
      if let connection = self.openFlows.removeValue(forKey: flow), self.isHorizonPassed {
        self.keptConnections.insert(connection.number)
      }
    case .content(let flow, let digest):
      if self.isHorizonPassed || !self.survey.mayGo(flow, self.selection) {
        self.chosen[digest] = nil
      }
    case .kept(let digests):
      for digest in digests { self.chosen[digest] = nil }
    case .finding: return
    }
  }

  /// What is left to remove, oldest first.
  var contents: [Content] { self.order.compactMap { self.chosen[$0] } }

  /// Whether a file of wire/ may go: if its connections are over and nothing of them is to stay.
  func mayGo(_ wire: WireSummary, whileRecording: Bool) -> Bool {
    self.isOver(wire, whileRecording)
      && wire.connections.allSatisfy { connection in
        // A connection without a flow goes with its time, but not with flows that were named.
        !self.keptConnections.contains(connection)
          && (self.selection.flows == nil || self.goneConnections.contains(connection))
      }
  }

  /// Whether a file of wire/ may go when all else that may is not enough.
  func mayGoAtLast(_ wire: WireSummary, whileRecording: Bool) -> Bool {
    self.selection.takesWireAtLast && self.isOver(wire, whileRecording)
  }

  private func isOver(_ wire: WireSummary, _ whileRecording: Bool) -> Bool {
    if let horizon = self.horizon, wire.last.rfc3339 > horizon.time { return false }
    if let before = self.selection.endedBefore, wire.last >= before { return false }
    return !whileRecording || wire.connections.allSatisfy { !self.openConnections.contains($0) }
  }
}

/// What is in a file of wire/, as far as retention must know it.
struct WireSummary {
  let connections: Set<UInt64>
  /// The time of its latest record.
  let last: WallTime
  let size: UInt64
}

extension WireSummary {
  /// Reads a file of wire/.
  init(root: String, segment: Int) throws(EvidenceFailure) {
    var connections: Set<UInt64> = []
    var last = WallTime(nanoseconds: .min)
    var reader = try WireReader(root: root, segment: segment, keys: nil)
    while let record = try reader.next() {
      connections.insert(record.connection.number)
      last = max(last, record.time)
    }
    self.connections = connections
    self.last = last
    self.size = Folder.size(of: WireFormat.path(of: segment, in: root)) ?? 0
  }
}
