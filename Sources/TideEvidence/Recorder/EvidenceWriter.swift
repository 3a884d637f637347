internal import Synchronization
internal import TideCore
internal import TideCrypto

/// Turns what the ring holds into lines and bodies; lives on the recorder's thread and nowhere else.
///
/// A value, not an object: each event touches its state dozens of times, and access to an object's
/// properties is checked each time.
struct EvidenceWriter: ~Copyable {
  /// A flow that has begun and not ended.
  final class OpenFlow {
    let facts: ConnectionFacts?
    let url: String
    var bodies: [OpenBody] = []
    /// Whether pieces of it may have been dropped, it is not known of which body.
    var isCut = false

    init(facts: ConnectionFacts?, url: String) {
      self.facts = facts
      self.url = url
    }
  }

  var log: EventLog
  var bodies: BodyStore
  var wire: WireLog
  var flows: [FlowID: OpenFlow] = [:]
  /// Members of flow-start lines that all flows of a connection share.
  var connections: [ConnectionID: (facts: ConnectionFacts, members: [UInt8])] = [:]
  /// Bodies of which a piece of the batch in hand is all there is so far.
  private var borrowers: [OpenBody] = []
  /// Bodies that end where the batch in hand ends.
  private var cutBodies: Set<BodyKey> = []
  private var cutsAll = false
  private var swept = ContinuousClock.now
  /// Whether ends of flows may have been dropped; their connection's end then stands for them.
  private(set) var hasLostEvents = false
  let settings: RecorderSettings
  let folder: CaseFolder
  private let ring: EvidenceRing
  let access: StorageAccess
  private let health: RecorderHealth
  private let signer: HeadSigner?
  private var watch: ClockWatch?
  /// Whether the batch in hand has a verdict that changed or stopped something: its lines are made durable
  /// at once, all of the batch by one sync.
  var hasVerdict = false
  /// What goes when the case is too large or too old.
  var retention: Retention
  /// The file of wire/ whose name was made durable.
  private var namedWire = 0

  init(
    folder: CaseFolder,
    settings: RecorderSettings,
    signer: HeadSigner? = nil,
    ring: EvidenceRing,
    health: RecorderHealth,
    access: StorageAccess
  ) throws(Abandoned) {
    self.log = try EventLog(
      root: folder.path,
      keys: folder.keys,
      tail: folder.tail,
      signer: signer,
      access: access,
      settings: settings
    )
    self.signer = signer
    self.folder = folder
    self.settings = settings
    self.ring = ring
    self.health = health
    self.access = access
    self.bodies = BodyStore(
      root: folder.path,
      keys: folder.keys,
      isNew: !folder.isContinued,
      access: access
    )
    self.retention = Retention(
      root: folder.path,
      keys: folder.keys,
      settings: settings,
      now: settings.clock.now
    )
    access.mayExceed = self.retention.mayFree
    self.wire = WireLog(
      root: folder.path,
      keys: folder.keys,
      tail: folder.wireTail,
      access: access,
      settings: settings
    )
  }

  /// Our time.
  var now: WallTime { self.settings.clock.now }

  /// Writes until the ring is closed and empty.
  ///
  /// - Returns: where the log stands then.
  mutating func run() throws(Abandoned) -> LogTail {
    try self.writeStart()
    try self.log.flush()
    var batch = RecordedBatch()
    while true {
      self.ring.wait(isBusy: !batch.items.isEmpty || !batch.wire.isEmpty)
      self.ring.take(into: &batch)
      // What was offered until now has times by the anchor until now.
      let clock = self.watch?.check()
      self.cutBodies = batch.cutBodies
      self.cutsAll = batch.cutsAll
      for index in batch.items.indices {
        // Written where it lies, and gone then: nothing is copied, and its memory is soon used again.
        try self.write(batch.items.span[index])
        batch.items[index] = .taken
        if self.log.isFull { try self.rotate() }
        if let gap = self.access.takeGap() { try self.write(gap, DroppedCount()) }
      }
      try self.ownWhatIsBorrowed()
      self.cut()
      try self.wire.append(records: batch.wire)
      try self.wire.append(batch.wireGaps)
      if batch.dropped.events > 0 { self.hasLostEvents = true }
      try self.spillIfDue()
      if let clock { try self.write(clock) }
      self.log.note(paths: self.bodies.takeStored())
      try self.wire.flush()
      try self.log.flush()
      // Only now is it known whether this batch met a full disk.
      let gap = self.access.takeGap()
      if gap != nil || !batch.dropped.isEmpty { try self.write(gap, batch.dropped) }
      if batch.isLast { break }
      try self.log.flush()
      try self.sync()
      try self.purgeIfDue()
      self.count()
    }
    for (flow, open) in self.flows.sorted(by: { $0.key.number < $1.key.number }) {
      try self.finishBodies(of: flow, open, isComplete: false, at: self.now)
    }
    try self.writeExtents()
    try self.log.begin("stop", at: self.now)
    self.log.end()
    self.log.note(paths: self.bodies.takeStored())
    try self.log.syncLast(with: self.wire.file)
    self.count()
    return self.log.tail
  }

  /// Makes durable what waits for it: at once after a verdict that changed or stopped something, else on
  /// another thread when the interval is over.
  private mutating func sync() throws(Abandoned) {
    try self.log.meetSync(with: self.wire.file)
    if self.hasVerdict || self.log.mustSync {
      self.hasVerdict = false
      try self.writeExtents()
      try self.log.syncNow(with: self.wire.file)
    } else if self.log.isSyncDue {
      try self.writeExtents()
      try self.log.flush()
      self.log.beginSync(with: self.wire.file)
    }
    try self.log.flush()
  }

  private mutating func rotate() throws(Abandoned) {
    try self.wire.flush()
    try self.writeExtents()
    self.log.note(paths: self.bodies.takeStored())
    try self.log.rotate(with: self.wire.file)
  }

  /// Puts what was added to wire/ under the chain.
  mutating func writeExtents() throws(Abandoned) {
    for extent in self.wire.takeExtents() {
      if extent.segment != self.namedWire {
        self.namedWire = extent.segment
        self.log.note(paths: [self.folder.path + "/wire", self.folder.path])
      }
      try self.log.begin("wire", at: self.now)
      extent.write(into: &self.log.json)
      self.log.end()
    }
  }

  private mutating func write(_ clock: ClockWatch.Line) throws(Abandoned) {
    try self.log.begin("clock", at: clock.time)
    clock.write(into: &self.log.json)
    self.log.end()
  }

  private mutating func writeStart() throws(Abandoned) {
    let (watch, clockLine) = ClockWatch.start(self.settings.clock)
    self.watch = watch
    if let recovery = self.folder.tail.recovery {
      try self.log.begin("recovered", at: self.now)
      recovery.write(into: &self.log.json)
      self.log.end()
    }
    for recovery in self.folder.wireRecoveries {
      try self.log.begin("wire-recovered", at: self.now)
      recovery.write(into: &self.log.json)
      self.log.end()
    }
    try self.log.begin("start", at: self.now)
    self.log.json.member("case", self.folder.name)
    self.log.json.member("continued", self.folder.isContinued)
    self.log.json.member("case_sha256", self.folder.descriptionDigest)
    self.log.json.member("signer", self.signer?.publicKey)
    self.log.json.hideWhatFollows()
    self.folder.description.write(into: &self.log.json)
    self.log.json.member("keeps_bodies", self.settings.keepsBodies)
    self.log.json.member("keeps_wire", self.settings.keepsWire)
    self.log.json.member("evidence", self.settings.isRequired ? "required" : "best-effort")
    self.log.end()
    try self.write(clockLine)
    for body in self.folder.salvaged {
      try self.bodies.keep(body.key, as: body.digest)
      try self.log.begin("body", at: self.now)
      body.write(into: &self.log.json)
      self.log.end()
    }
  }

  private mutating func write(_ gap: WriteGap?, _ dropped: DroppedCount) throws(Abandoned) {
    try self.log.begin("gap", at: self.now)
    self.log.json.member("events", dropped.events)
    self.log.json.member("pieces", dropped.pieces)
    self.log.json.member("bytes", dropped.bytes)
    self.log.json.member("since", gap?.since.rfc3339)
    self.log.json.member("until", gap?.until.rfc3339)
    self.log.json.member("cause", gap?.cause ?? "more came than could be written")
    self.log.end()
  }

  private func count() {
    let events = self.log.sequence - self.folder.tail.chain.sequence
    let bytes = self.access.written
    let dropped = self.ring.droppedEver
    self.health.statistics.withLock { statistics in
      statistics.events = events
      statistics.bytes = bytes
      statistics.dropped = dropped
    }
  }

  /// Marks bodies whose next piece was dropped, those too of which no piece came at all.
  private mutating func cut() {
    for key in self.cutBodies {
      guard let flow = self.flows[key.flow] else { continue }
      self.body(key, of: flow).isCut = true
    }
    guard self.cutsAll else { return }
    for flow in self.flows.values {
      flow.isCut = true
      for body in flow.bodies { body.isCut = true }
    }
  }

  func body(_ key: BodyKey, of flow: OpenFlow) -> OpenBody {
    if let body = flow.bodies.first(where: { $0.key == key }) { return body }
    let body = OpenBody(key, isCut: flow.isCut)
    flow.bodies.append(body)
    return body
  }

  /// Takes the next piece of a body.
  mutating func append(_ content: Bytes, to key: BodyKey) throws(Abandoned) {
    guard self.settings.keepsBodies, let flow = self.flows[key.flow] else { return }
    let body = self.body(key, of: flow)
    if try body.append(content, &self.bodies) { self.borrowers.append(body) }
    if self.bodies.pendingBytes > self.settings.openBodyBytes { try self.spillLargest() }
  }

  /// Copies what is left of the batch in hand in bodies that are not over.
  private mutating func ownWhatIsBorrowed() throws(Abandoned) {
    for body in self.borrowers { body.own(&self.bodies) }
    self.borrowers.removeAll(keepingCapacity: true)
    if self.bodies.pendingBytes > self.settings.openBodyBytes { try self.spillLargest() }
  }

  /// Makes room in memory: what holds half of the mean or more goes to disk, down to half of the bound.
  ///
  /// All of those together hold more than half of it, so that a sweep is not soon followed by the next,
  /// and many bodies that stand still leave room for those that move.
  private mutating func spillLargest() throws(Abandoned) {
    let count = self.flows.values.reduce(0) { $0 + $1.bodies.count }
    let least = self.settings.openBodyBytes / max(1, count) / 2
    for flow in self.flows.values {
      for body in flow.bodies where body.pendingBytes >= max(1, least) {
        try body.spill(&self.bodies)
        guard self.bodies.pendingBytes > self.settings.openBodyBytes / 2 else { return }
      }
    }
  }

  /// Puts on disk what has waited in memory for long, so that a kill takes little of a long flow.
  private mutating func spillIfDue() throws(Abandoned) {
    let now = ContinuousClock.now
    guard self.swept.duration(to: now) >= .nanoseconds(self.settings.spillInterval) else { return }
    self.swept = now
    for flow in self.flows.values {
      for body in flow.bodies where body.hasWaited(self.bodies) { try body.spill(&self.bodies) }
    }
    self.bodies.sweep += 1
  }

  /// Writes the body lines of a connection's flows whose ends were dropped.
  mutating func finishFlows(of connection: ConnectionID, at time: WallTime) throws(Abandoned) {
    let lost = self.flows.filter { $0.value.facts?.connection == connection }
    for (flow, open) in lost.sorted(by: { $0.key.number < $1.key.number }) {
      self.flows[flow] = nil
      try self.finishBodies(of: flow, open, isComplete: false, at: time)
    }
  }

  /// Writes the body lines of a flow: contents are known only now that nothing more comes.
  mutating func finishBodies(
    of id: FlowID,
    _ flow: OpenFlow,
    isComplete: Bool,
    at time: WallTime
  ) throws(Abandoned) {
    self.cut(id, flow)
    for body in flow.bodies {
      let digest = try body.finish(&self.bodies)
      try self.log.begin("body", at: time)
      self.log.json.member("flow", id)
      self.log.json.member("direction", body.key.direction.rawValue)
      self.log.json.member("stage", body.key.stage.rawValue)
      self.log.json.member("size", body.size)
      self.log.json.key("sha256")
      self.log.json.hex(digest)
      self.log.json.member("complete", isComplete && !body.isCut)
      self.log.end()
    }
    flow.bodies = []
  }

  /// Marks the bodies of a flow that ends in the batch in hand.
  private func cut(_ id: FlowID, _ flow: OpenFlow) {
    guard self.cutsAll || !self.cutBodies.isEmpty else { return }
    for direction in Direction.allCases {
      for stage in BodyStage.allCases {
        let key = BodyKey(flow: id, direction: direction, stage: stage)
        // Where it is not known which, there may be one of which no piece came at all.
        guard self.cutBodies.contains(key) || self.cutsAll && stage == .original else { continue }
        self.body(key, of: flow).isCut = true
      }
    }
  }
}
