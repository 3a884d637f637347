internal import TideCore

/// What is to be removed, and how it is said in the log.
struct Removal: Sendable {
  /// As many contents as a line of the log names.
  static let mostContents = 1_000
  /// The reason of files of wire/ that went although flows with findings are in them.
  static let wireAtLast = "max_size, wire of flows with findings"

  let reason: String
  /// Those of an encrypted case.
  let keys: CaseKeys?
  /// Digests in hexadecimal.
  var contents: [String] = []
  /// Numbers of files of wire/.
  var wire: [Int] = []
  var summary = PurgeSummary()

  mutating func add(_ file: WireFile) {
    self.wire.append(file.segment)
    self.summary.wireFiles += 1
    self.summary.bytes += file.size
  }

  /// Writes the members of its line.
  func write(into json: inout JSONWriter) {
    guard let keys = self.keys else {
      json.member("reason", self.reason)
      self.writeCounts(into: &json)
      json.member("contents", self.contents)
      self.writeWire(into: &json)
      return
    }
    // Without the key it can be told which files may be missing, and not what they held.
    self.writeCounts(into: &json)
    self.writeWire(into: &json)
    json.member("files", self.contents.map { BodyLayout.name($0, keys) })
    json.hideWhatFollows()
    json.member("reason", self.reason)
    json.member("contents", self.contents)
  }

  private func writeCounts(into json: inout JSONWriter) {
    json.member("flows", self.summary.flows)
    json.member("bodies", self.summary.contents)
    json.member("bytes", self.summary.bytes)
  }

  private func writeWire(into json: inout JSONWriter) {
    json.key("wire")
    json.beginArray()
    for segment in self.wire { json.value(segment) }
    json.endArray()
  }

  /// The files to remove once that line is durable, relative to the case's folder.
  var paths: [String] {
    self.contents.map { BodyLayout.relativePath($0, self.keys) }
      + self.wire.map { WireFormat.relativePath(of: $0) }
  }
}

/// A file of wire/, and how large it is.
struct WireFile {
  let segment: Int
  let size: UInt64
}

/// Reads a case's log to find what may go; keeps what a later reading need not do again.
struct RetentionPlanner: Sendable {
  private let root: String
  private let keys: CaseKeys?
  /// Whether the log goes on meanwhile: what is open then stays.
  private let isRecording: Bool
  /// Files of wire/ that were finished when they were read.
  private var wire: [Int: WireSummary] = [:]

  init(root: String, keys: CaseKeys?, isRecording: Bool) {
    self.root = root
    self.keys = keys
    self.isRecording = isRecording
  }

  /// What may go, oldest first, in portions of a line each.
  ///
  /// - Parameters:
  ///   - selection: what may go at all.
  ///   - goal: how many bytes are to be freed; nil for all.
  ///   - mostContents: how many contents at most.
  ///   - keepsLastWire: whether the last file of wire/ stays, so that numbers do not recur.
  /// - Returns: the portions; none if nothing may go.
  /// - Throws: what the file system says.
  mutating func plan(
    _ selection: PurgeSelection,
    goal: UInt64? = nil,
    mostContents: Int = RetentionPlan.mostContents,
    keepsLastWire: Bool = true
  ) throws(EvidenceFailure) -> [Removal] {
    let log = try LogReader(root: self.root, keys: self.keys)
    var survey = RetentionSurvey(endedBefore: selection.endedBefore)
    var last = ""
    try log.forEachRetentionLine { line, start throws(EvidenceFailure) in
      survey.take(line, at: start.time)
      last = start.time
      return true
    }
    if !self.isRecording { survey.end(at: last) }
    var plan = RetentionPlan(
      selection,
      survey: survey,
      goal: goal,
      mostContents: mostContents
    )
    try log.forEachRetentionLine { line, start throws(EvidenceFailure) in
      plan.choose(line, at: start) { digest in
        Folder.size(of: self.root + "/" + BodyLayout.relativePath(digest, self.keys))
      }
    }
    try log.forEachRetentionLine { line, start throws(EvidenceFailure) in
      plan.check(line, at: start)
      return true
    }
    let (wire, others) = try self.wireFiles(plan, keepsLast: keepsLastWire)
    return self.portions(of: plan, wire: wire) + self.atLast(others, plan, after: wire)
  }

  /// Files of wire/ that go because what may go is not enough, oldest first, until it is.
  private func atLast(
    _ others: [WireFile],
    _ plan: RetentionPlan,
    after wire: [WireFile]
  ) -> [Removal] {
    guard let goal = plan.goal else { return [] }
    var freed = (plan.contents.map(\.size) + wire.map(\.size)).reduce(0, +)
    var removal = Removal(reason: Removal.wireAtLast, keys: self.keys)
    for file in others where freed < goal {
      freed += file.size
      removal.add(file)
    }
    return removal.wire.isEmpty ? [] : [removal]
  }

  private mutating func wireFiles(
    _ plan: RetentionPlan,
    keepsLast: Bool
  ) throws(EvidenceFailure) -> (gone: [WireFile], others: [WireFile]) {
    let all = try WireFormat.segments(in: self.root)
    var gone: [WireFile] = []
    var others: [WireFile] = []
    for segment in keepsLast ? all.dropLast() : all[...] {
      let summary: WireSummary
      if let known = self.wire[segment] {
        summary = known
      } else {
        do throws(EvidenceFailure) {
          summary = try WireSummary(root: self.root, segment: segment)
        } catch {
          // A file that is not ours to read is not ours to remove.
          guard error.code == .malformed else { throw error }
          continue
        }
        self.wire[segment] = summary
      }
      if plan.mayGo(summary, whileRecording: self.isRecording) {
        gone.append(WireFile(segment: segment, size: summary.size))
      } else if plan.mayGoAtLast(summary, whileRecording: self.isRecording) {
        others.append(WireFile(segment: segment, size: summary.size))
      }
    }
    return (gone, others)
  }

  private func portions(
    of plan: RetentionPlan,
    wire: [WireFile]
  ) -> [Removal] {
    var portions: [Removal] = []
    var removal = Removal(reason: plan.selection.reason, keys: self.keys)
    var flows: Set<FlowID> = []
    func close() {
      removal.summary.flows = flows.count
      removal.summary.contents = removal.contents.count
      if !removal.contents.isEmpty || !removal.wire.isEmpty { portions.append(removal) }
      removal = Removal(reason: plan.selection.reason, keys: self.keys)
      flows = []
    }
    for content in plan.contents {
      removal.contents.append(content.digest)
      removal.summary.bytes += content.size
      flows.insert(content.flow)
      if removal.contents.count == Removal.mostContents { close() }
    }
    for file in wire { removal.add(file) }
    close()
    return portions
  }
}
