internal import TideCore
internal import TideEvidence

/// What a case's flows and findings come to, counted as they pass: whatever the size of the case, this has
/// a fixed one.
struct Tally {
  /// What findings are counted by.
  struct Key: Hashable {
    let kind: String
    let host: String
    let region: String
    let device: String
    let isRequest: Bool
  }

  /// Findings of one kind to one host.
  struct Group {
    let key: Key
    /// The country of the address, where it is known.
    let country: String?
    /// The watched region that it lies in; nil if it lies in none.
    let watched: String?
    var count = 0
    /// How many went on unchanged, were replaced, and were stopped.
    var sent = 0
    var replaced = 0
    var stopped = 0
    var certain = 0
    var likely = 0
    var possible = 0
    var first: String
    var last: String
    /// The first one, and the surest of the first few.
    var example: FindingRecord
    /// The `sent` that are certain or likely, before the consent mark and in all.
    var soundBeforeConsent = 0
    var sound = 0
    var soundWithheld = 0
    var firstSound: String?
  }

  /// Flows to one country.
  struct Country {
    var flows = 0
    var findings = 0
    var isWatched = false
    var hosts: Set<String> = []

    mutating func take(_ flow: FlowRecord, isWatched: Bool) {
      self.flows += 1
      self.findings += flow.findings
      self.isWatched = self.isWatched || isWatched
      if self.hosts.count < 1_000 { self.hosts.insert(flow.host) }
    }
  }

  /// A host whose connections were not decrypted.
  struct Unseen {
    var flows = 0
    var bytes: UInt64 = 0
    var treatment: String
    var region: String
  }

  /// What happened between two marks.
  struct Phase {
    /// The mark that it begins with; nil before the first.
    let mark: CaseFacts.Mark?
    let start: String
    var end: String
    var flows = 0
    var findings = 0
    var kinds: [PhaseKey: (count: Int, first: String)] = [:]
    var more = 0
  }

  /// What a phase's findings are counted by.
  struct PhaseKey: Hashable {
    let kind: String
    let host: String
    let region: String
    let isRequest: Bool
    let isSent: Bool
  }

  private static let mostGroups = 5_000
  private static let mostHosts = 10_000
  private static let mostUnseen = 1_000
  private static let mostOfPhase = 200
  private static let mostDevices = 200
  /// How many parts the time line has.
  static let buckets = 180
  private static let noBuckets = [Int](repeating: 0, count: Tally.buckets)

  private(set) var groups: [Key: Group] = [:]
  /// Findings of groups beyond the most.
  private(set) var ungrouped = 0
  private(set) var flows = 0
  private(set) var findings = 0
  private(set) var open = 0
  private(set) var failed = 0
  private(set) var treatments: [FlowTreatment: Int] = [:]
  private(set) var undecrypted = 0
  private(set) var undecryptedBytes: UInt64 = 0
  private(set) var unseen: [String: Unseen] = [:]
  private(set) var hosts: Set<String> = []
  private(set) var hostsAreMore = false
  private(set) var countries: [String: Country] = [:]
  private(set) var elsewhere: [String: Int] = [:]
  private(set) var applied: [Action: Int] = [:]
  private(set) var devices: [String: Set<String>] = [:]
  private(set) var phases: [Phase]
  private(set) var flowBuckets = [Int](repeating: 0, count: Tally.buckets)
  private(set) var foundBuckets = [Int](repeating: 0, count: Tally.buckets)
  private(set) var kindBuckets: [String: [Int]] = [:]
  private(set) var watchedKindBuckets: [String: [Int]] = [:]
  /// The time line's ends.
  let start: Int64
  let end: Int64
  let startText: String
  let endText: String
  /// The mark of a consent screen, if there is one.
  let consent: CaseFacts.Mark?
  /// What was not seen, or kept from getting out of sight.
  let coverage: [CoverageCount]
  /// How many flows have notes.
  let noted: Int
  private let watchedRegions: [String]

  init(_ reader: CaseReader, _ facts: CaseFacts) throws(EvidenceFailure) {
    var firstTime: String?
    var lastTime: String?
    try reader.forEachFlow { flow throws(EvidenceFailure) in
      firstTime = flow.started
      return false
    }
    try reader.forEachFlow(newestFirst: true) { flow throws(EvidenceFailure) in
      lastTime = flow.ended ?? flow.started
      return false
    }
    let startText = facts.first ?? firstTime ?? facts.created
    let endText =
      [facts.stopped, lastTime, facts.marks.last?.time, startText]
      .compactMap { $0 }.max() ?? startText
    self.startText = startText
    self.endText = endText
    self.start = ReportTime.nanoseconds(startText) ?? 0
    self.end = max(ReportTime.nanoseconds(endText) ?? 0, self.start + 1_000_000)
    self.watchedRegions = facts.watched
    self.coverage = try reader.coverage()
    self.noted = try reader.countOfNotedFlows()
    self.consent = facts.marks.first { Marks.isConsent($0.text) }
    var phases = [Phase(mark: nil, start: startText, end: facts.marks.first?.time ?? endText)]
    for (index, mark) in facts.marks.enumerated() {
      let next = facts.marks.indices.contains(index + 1) ? facts.marks[index + 1].time : endText
      phases.append(Phase(mark: mark, start: mark.time, end: next))
    }
    self.phases = phases
    try reader.forEachFlow { flow throws(EvidenceFailure) in
      self.take(flow)
      return true
    }
    try reader.forEachFinding { finding, flow throws(EvidenceFailure) in
      self.take(finding, flow)
      return true
    }
  }

  /// On how many connections the device accepted none of our certificates.
  var refusedInterceptions: Int {
    let kinds: [Coverage] = [
      .untrustedAuthority, .pinned, .clientClock, .clientCipher, .clientClosed,
    ]
    return self.coverage.filter { kinds.contains($0.kind) }.reduce(0) { $0 + $1.count }
  }

  // MARK: Flows

  private mutating func take(_ flow: FlowRecord) {
    self.flows += 1
    if flow.ended == nil { self.open += 1 }
    if flow.error != nil { self.failed += 1 }
    if let treatment = FlowTreatment(rawValue: flow.treatment) {
      self.treatments[treatment, default: 0] += 1
    }
    if let action = flow.applied.flatMap(Action.init(rawValue:)) {
      self.applied[action, default: 0] += 1
    }
    if self.hosts.count < Self.mostHosts || self.hosts.contains(flow.host) {
      self.hosts.insert(flow.host)
    } else {
      self.hostsAreMore = true
    }
    if self.devices[flow.device] != nil || self.devices.count < Self.mostDevices,
      self.devices[flow.device, default: []].count < 16
    {
      self.devices[flow.device, default: []].insert(flow.client)
    }
    let bytes = (flow.requestBytes ?? 0) &+ (flow.responseBytes ?? 0)
    if ["tls", "tcp"].contains(flow.protocolName), flow.treatment != FlowTreatment.refused.rawValue
    {
      self.undecrypted += 1
      self.undecryptedBytes &+= bytes
      if self.unseen.count < Self.mostUnseen || self.unseen[flow.host] != nil {
        var row =
          self.unseen[flow.host] ?? Unseen(treatment: flow.treatment, region: flow.region)
        row.flows += 1
        row.bytes &+= bytes
        self.unseen[flow.host] = row
      }
    }
    self.count(flow)
    let bucket = self.bucket(flow.started)
    self.flowBuckets[bucket] += 1
    if flow.findings > 0 { self.foundBuckets[bucket] += 1 }
    self.phases[self.phase(flow.started)].flows += 1
  }

  private mutating func count(_ flow: FlowRecord) {
    guard let country = Self.country(of: flow), WorldMap.country(country) != nil else {
      if self.elsewhere.count < 100 || self.elsewhere[flow.region] != nil {
        self.elsewhere[flow.region, default: 0] += 1
      }
      return
    }
    let isWatched = self.watched(flow) != nil
    // In place: a copy would take the whole set of hosts with it.
    self.countries[country, default: Country()].take(flow, isWatched: isWatched)
  }

  // MARK: Findings

  private mutating func take(_ finding: FindingRecord, _ flow: FlowRecord) {
    self.findings += 1
    let isRequest = finding.direction != Direction.response.rawValue
    let watched = self.watched(flow)
    let outcome = Outcome(finding, flow)
    let key = Key(
      kind: finding.kind,
      host: flow.host,
      region: flow.region,
      device: flow.device,
      isRequest: isRequest
    )
    self.takeTime(finding, flow, isRequest: isRequest, isSent: outcome == .sent, watched)
    guard
      var group = self.groups[key]
        ?? (self.groups.count < Self.mostGroups
          ? Group(
            key: key,
            country: Self.country(of: flow),
            watched: watched,
            first: finding.time,
            last: finding.time,
            example: finding
          ) : nil)
    else {
      self.ungrouped += 1
      return
    }
    group.take(finding, outcome, consent: self.consent)
    self.groups[key] = group
  }

  private mutating func takeTime(
    _ finding: FindingRecord,
    _ flow: FlowRecord,
    isRequest: Bool,
    isSent: Bool,
    _ watched: String?
  ) {
    let bucket = self.bucket(finding.time)
    if self.kindBuckets.count < 64 || self.kindBuckets[finding.kind] != nil {
      self.kindBuckets[finding.kind, default: Self.noBuckets][bucket] += 1
      if watched != nil {
        self.watchedKindBuckets[finding.kind, default: Self.noBuckets][bucket] += 1
      }
    }
    let phase = self.phase(finding.time)
    self.phases[phase].findings += 1
    let key = PhaseKey(
      kind: finding.kind,
      host: flow.host,
      region: flow.region,
      isRequest: isRequest,
      isSent: isSent
    )
    guard
      self.phases[phase].kinds.count < Self.mostOfPhase || self.phases[phase].kinds[key] != nil
    else {
      self.phases[phase].more += 1
      return
    }
    self.phases[phase].kinds[key, default: (0, finding.time)].count += 1
  }

  // MARK: Places

  /// The watched region that a flow was bound for, as the operator named it; nil if it was for none.
  func watched(_ flow: FlowRecord) -> String? {
    let country = Self.country(of: flow)
    return self.watchedRegions.first { name in
      name == flow.region || name == country
        || flow.regionLabels.contains(name) && !Self.isCountry(name)
    }
  }

  /// The country of the address dialled, where it is known.
  static func country(of flow: FlowRecord) -> String? {
    if self.isCountry(flow.region) { return flow.region }
    return flow.regionLabels.first(where: self.isCountry)
  }

  static func isCountry(_ name: String) -> Bool {
    name.utf8.count == 2 && name.utf8.allSatisfy { $0 &- 0x41 < 26 }
  }

  private func bucket(_ time: String) -> Int {
    guard let at = ReportTime.nanoseconds(time), at > self.start else { return 0 }
    let part = Double(at - self.start) / Double(self.end - self.start)
    return min(Self.buckets - 1, Int(part * Double(Self.buckets)))
  }

  /// The last phase that begins at or before a time.
  private func phase(_ time: String) -> Int {
    var low = 0
    var high = self.phases.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if self.phases[middle].start <= time { low = middle } else { high = middle }
    }
    return low
  }
}

/// What became of a value that was found.
enum Outcome {
  /// It went on as it was.
  case sent
  /// Something else went on in its place.
  case replaced
  /// It went nowhere.
  case stopped

  init(_ finding: FindingRecord, _ flow: FlowRecord) {
    switch Action(rawValue: finding.applied) {
    case .redact?: self = .replaced
    case .block?: self = .stopped
    case .allow?, .log?, nil:
      let isAnsweredByUs =
        flow.treatment == FlowTreatment.sinkhole.rawValue
        || flow.treatment == FlowTreatment.refused.rawValue
      self = isAnsweredByUs ? .stopped : .sent
    }
  }
}

extension Tally.Group {
  fileprivate mutating func take(
    _ finding: FindingRecord,
    _ outcome: Outcome,
    consent: CaseFacts.Mark?
  ) {
    let certainty = Certainty(rawValue: finding.certainty) ?? .possible
    // An exhibit shows the first, or a surer one soon after.
    if self.count > 0, self.count < 200,
      certainty > Certainty(rawValue: self.example.certainty) ?? .possible
    {
      self.example = finding
    }
    self.count += 1
    self.first = min(self.first, finding.time)
    self.last = max(self.last, finding.time)
    switch outcome {
    case .sent: self.sent += 1
    case .replaced: self.replaced += 1
    case .stopped: self.stopped += 1
    }
    switch certainty {
    case .certain: self.certain += 1
    case .likely: self.likely += 1
    case .possible:
      self.possible += 1
      return
    }
    guard outcome == .sent else {
      self.soundWithheld += 1
      return
    }
    self.sound += 1
    self.firstSound = self.firstSound.map { min($0, finding.time) } ?? finding.time
    if let consent, finding.time < consent.time { self.soundBeforeConsent += 1 }
  }
}
