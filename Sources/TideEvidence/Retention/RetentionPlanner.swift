internal import TideCore

/// What is to be removed, and how it is said in the log.
struct Removal: Sendable {
  /// As many contents as a line of the log names.
  static let mostContents = 1_000

  let reason: String
  /// Those of an encrypted case.
  let keys: CaseKeys?
  /// Digests in hexadecimal.
  var contents: [String] = []
  /// Numbers of files of wire/.
  var wire: [Int] = []
  var summary = PurgeSummary()

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
    return self.portions(
      of: plan,
      wire: try self.wireFiles(plan, keepsLast: keepsLastWire)
    )
  }

  private mutating func wireFiles(
    _ plan: RetentionPlan,
    keepsLast: Bool
  ) throws(EvidenceFailure) -> [(segment: Int, size: UInt64)] {
    let all = try WireFormat.segments(in: self.root)
    var gone: [(Int, UInt64)] = []
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
        gone.append((segment, summary.size))
      }
    }
    return gone
  }

  private func portions(
    of plan: RetentionPlan,
    wire: [(segment: Int, size: UInt64)]
  ) -> [Removal] {
    var portions: [Removal] = []
    var removal = Removal(reason: plan.selection.reason, keys: self.keys)
    var flows: Set<FlowID> = []
    func close() {
      removal.summary.flows = flows.count
      removal.summary.contents = removal.contents.count
      removal.summary.wireFiles = removal.wire.count
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
    for (segment, size) in wire {
      removal.wire.append(segment)
      removal.summary.bytes += size
    }
    close()
    return portions
  }
}
