import TideCore
import TideEvidence
import TidePolicy

/// Rules tried on every flow of a case: `rules test`.
struct RuleReplay: Encodable {
  /// How one rule did.
  struct RuleRow: Encodable {
    let rule: String
    let action: String
    /// In how many flows it applies.
    var matches = 0
    /// In how many it decides.
    var decides = 0
    /// In how many it cannot be told whether it applies.
    var unknown = 0
  }

  /// What would become of one flow.
  struct FlowRow: Encodable {
    struct Was: Encodable {
      let decided: String
      let applied: String
      let rule: String?
    }

    let flow: String
    let device: String
    let method: String
    let url: String
    let region: String
    /// What was decided when it was recorded; null while it is open.
    let was: Was?
    let decided: String
    let rule: String?
    /// What each mode would do.
    let modes: [PolicyModes.Outcome]
    /// `same`, `other-rule`, `stricter`, `weaker`, `passes`, or `open`.
    let change: String
    let matches: [String]
    /// Rules that cannot be judged, with the key that the case has nothing for.
    let unknown: [String]
  }

  let `case`: String
  let sealed: Bool
  private(set) var rules: [RuleRow]
  private(set) var flows: [FlowRow] = []
  /// The flows that were to be redacted or blocked and would now pass.
  private(set) var passing: [String] = []
  /// What the case cannot tell.
  private(set) var limits: [String] = []

  init(_ reader: CaseReader, _ policies: PolicyModes) throws(EvidenceFailure) {
    self.case = reader.path
    self.sealed = CaseFolder.isSealed(reader.path)
    self.rules = policies.current.ruleSummaries.map {
      RuleRow(rule: $0.id.text, action: $0.action.rawValue)
    }
    var counts = Counts()
    try reader.forEachFlow { record throws(EvidenceFailure) in
      let flow = RecordedFlow(try reader.flow(record.flow), policies.current)
      self.take(flow, policies)
      counts.take(flow)
      return true
    }
    self.limits = counts.sentences
  }

  private mutating func take(_ flow: RecordedFlow, _ policies: PolicyModes) {
    let record = flow.record
    let verdict = policies.verdict(on: flow)
    var matches: [String] = []
    var unknown: [String] = []
    let explained = flow.messages.map { message in
      policies.current.explain(
        message.facts,
        findings: message.findings,
        unknown: message.unknown
      )
    }
    for (index, row) in self.rules.enumerated() {
      let outcomes = explained.map { $0[index].outcome }
      if outcomes.contains(.matched) {
        self.rules[index].matches += 1
        matches.append(row.rule)
      } else if let key = outcomes.lazy.compactMap(\.waitingKey).first {
        self.rules[index].unknown += 1
        unknown.append("\(row.rule): \(key)")
      }
      if row.rule == verdict.rule?.text { self.rules[index].decides += 1 }
    }
    let change = Self.change(record, verdict)
    if change == "passes" { self.passing.append(record.flow.description) }
    self.flows.append(
      FlowRow(
        flow: record.flow.description,
        device: record.device,
        method: record.method,
        url: record.url,
        region: flow.messages.first?.facts.region ?? record.region,
        was: record.decided.map {
          FlowRow.Was(decided: $0, applied: record.applied ?? $0, rule: record.rule)
        },
        decided: verdict.decided.rawValue,
        rule: verdict.rule?.text,
        modes: policies.outcomes(flow),
        change: change,
        matches: matches,
        unknown: unknown
      )
    )
  }

  private static func change(_ record: FlowRecord, _ now: Verdict) -> String {
    guard record.ended != nil, let decided = record.decided.flatMap(Action.init(rawValue:))
    else { return "open" }
    if decided >= .redact, now.decided < .redact { return "passes" }
    if now.decided != decided { return now.decided > decided ? "stricter" : "weaker" }
    return now.rule?.text == record.rule ? "same" : "other-rule"
  }
}

// MARK: What the case cannot tell

/// Counts of what is not in a case.
private struct Counts {
  private var undecrypted = 0
  private var headless = 0
  private var open = 0
  private var moved = 0
  private var stopped = 0
  private var refused = 0

  mutating func take(_ flow: RecordedFlow) {
    let record = flow.record
    if flow.isUndecrypted { self.undecrypted += 1 }
    if flow.lacksHead { self.headless += 1 }
    if record.ended == nil { self.open += 1 }
    if let now = flow.messages.first?.facts.region, now != record.region { self.moved += 1 }
    if record.applied == Action.block.rawValue { self.stopped += 1 }
    if record.treatment == FlowTreatment.refused.rawValue { self.refused += 1 }
  }

  var sentences: [String] {
    var sentences = [
      "findings are those of the recording: what no detector or profile looked for then is not among them",
      "whether a redaction succeeds, or its rule's otherwise applies, is not tried",
    ]
    func add(_ count: Int, _ sentence: String) {
      if count > 0 { sentences.append("\(count) \(count == 1 ? "flow" : "flows") \(sentence)") }
    }
    add(self.undecrypted, "not decrypted: what they carry is not known")
    add(self.refused, "refused before a request was read: what it would have been is not known")
    add(self.stopped, "blocked: what the device and the server would have sent next is not known")
    add(self.headless, "without a head in the case (observe mode): header and type are not known")
    add(self.open, "still open: sizes and findings are those so far")
    add(self.moved, "in another region by the databases and sets of today than when recorded")
    return sentences
  }
}

extension MessageFacts {
  /// The name of the region of the address dialled, or of the first candidate.
  fileprivate var region: String? {
    let dialled = self.candidates.first { $0.address == self.address?.unmapped }
    return (dialled ?? self.candidates.first)?.region.name
  }
}

extension RuleExplanation.Outcome {
  fileprivate var waitingKey: String? {
    switch self {
    case .waiting(let key): key
    case .matched, .excepted, .missed: nil
    }
  }
}

// MARK: For people

extension RuleReplay {
  var text: String {
    var lines = [
      "\(self.case) (\(self.sealed ? "sealed" : "not sealed")): \(self.flows.count) flows, "
        + "\(self.rules.count) rules",
      "",
      Self.columns(["rule", "then", "matches", "decides", "not known"]),
    ]
    lines += self.rules.map { row in
      Self.columns([row.rule, row.action, "\(row.matches)", "\(row.decides)", "\(row.unknown)"])
    }
    lines.append("")
    lines += self.flows.map(\.text)
    let changes = Dictionary(grouping: self.flows, by: \.change).mapValues(\.count)
    let words = changes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    if !words.isEmpty {
      lines += ["", "against the recorded verdicts: " + words.joined(separator: ", ")]
    }
    lines += self.limits.map { "not known: \($0)" }
    if !self.passing.isEmpty {
      lines.append(
        "PROBLEM: to be redacted or blocked before, would now pass: "
          + self.passing.joined(separator: ", ")
      )
    }
    return lines.joined(separator: "\n")
  }

  private static func columns(_ cells: [String]) -> String {
    let widths = [40, 8, 9, 9, 9]
    return zip(cells, widths).map { $0.padded(to: $1) }.joined(separator: " ")
  }
}

extension RuleReplay.FlowRow {
  fileprivate var text: String {
    let was = self.was.map { $0.decided == $0.applied ? $0.decided : "\($0.decided)>\($0.applied)" }
    let block = self.modes.last.map { "block mode: \($0.applied)" } ?? ""
    let mark = self.change == "same" ? "" : "  \(self.change.uppercased())"
    let unknown =
      self.unknown.isEmpty ? "" : "  (not known: \(self.unknown.joined(separator: ", ")))"
    return [
      self.flow, (was ?? "open").padded(to: 11), "-> \(self.decided)".padded(to: 10),
      block.padded(to: 18), self.region.padded(to: 8),
      "\(self.method.isEmpty ? "tunnel" : self.method) \(self.url)",
    ].joined(separator: "  ") + (self.rule.map { "  \($0)" } ?? "") + mark + unknown
  }
}
