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
  /// Bodies that end where the batch in hand ends.
  private var cutBodies: Set<BodyKey> = []
  private var cutsAll = false
  private var swept = ContinuousClock.now
  /// Whether ends of flows may have been dropped; their connection's end then stands for them.
  private(set) var hasLostEvents = false
  let settings: RecorderSettings
  let folder: CaseFolder
  private let ring: EvidenceRing
  private let access: StorageAccess
  private let health: RecorderHealth

  init(
    folder: CaseFolder,
    settings: RecorderSettings,
    ring: EvidenceRing,
    health: RecorderHealth,
    access: StorageAccess
  ) throws(Abandoned) {
    self.log = try EventLog(
      root: folder.path,
      tail: folder.tail,
      access: access,
      settings: settings
    )
    self.folder = folder
    self.settings = settings
    self.ring = ring
    self.health = health
    self.access = access
    self.bodies = BodyStore(root: folder.path, access: access)
    self.wire = WireLog(
      root: folder.path,
      tail: folder.wireTail,
      access: access,
      settings: settings
    )
  }

  /// Writes until the ring is closed and empty.
  ///
  /// - Returns: where the chain stands then.
  mutating func run() throws(Abandoned) -> ChainState {
    try self.writeStart()
    try self.log.flush()
    while true {
      self.ring.wait()
      let batch = self.ring.take()
      self.cutBodies = batch.cutBodies
      self.cutsAll = batch.cutsAll
      for item in batch.items {
        try self.write(item)
        if let gap = self.access.takeGap() { try self.write(gap, DroppedCount()) }
      }
      self.cut()
      if batch.dropped.events > 0 { self.hasLostEvents = true }
      try self.spillIfDue()
      self.log.note(bodies: self.bodies.takeStored())
      try self.wire.flush()
      try self.log.flush()
      // Only now is it known whether this batch met a full disk.
      let gap = self.access.takeGap()
      if gap != nil || !batch.dropped.isEmpty { try self.write(gap, batch.dropped) }
      if batch.isLast { break }
      try self.log.flush()
      try self.log.syncIfDue(with: self.wire.file)
      self.count()
    }
    for (flow, open) in self.flows.sorted(by: { $0.key.number < $1.key.number }) {
      try self.finishBodies(of: flow, open, isComplete: false, at: .now)
    }
    try self.log.begin("stop", at: .now)
    self.log.end()
    self.log.note(bodies: self.bodies.takeStored())
    try self.log.flush()
    try self.log.syncNow(with: self.wire.file)
    self.count()
    return self.log.state
  }

  private mutating func writeStart() throws(Abandoned) {
    let tail = self.folder.tail
    if tail.tornBytes > 0 {
      try self.log.begin("recovered", at: .now)
      self.log.json.member("segment", tail.segment)
      self.log.json.member("bytes", tail.tornBytes)
      self.log.end()
    }
    let wireTail = self.folder.wireTail
    if wireTail.tornBytes > 0 {
      try self.log.begin("wire-recovered", at: .now)
      wireTail.write(into: &self.log.json)
      self.log.end()
    }
    try self.log.begin("start", at: .now)
    self.log.json.member("case", self.folder.name)
    self.log.json.member("continued", self.folder.isContinued)
    self.log.json.member("case_sha256", self.folder.descriptionDigest)
    self.folder.description.write(into: &self.log.json)
    self.log.json.member("keeps_bodies", self.settings.keepsBodies)
    self.log.json.member("keeps_wire", self.settings.keepsWire)
    self.log.json.member("evidence", self.settings.isRequired ? "required" : "best-effort")
    self.log.end()
    for body in self.folder.salvaged {
      try self.bodies.keep(body.key, as: body.digest)
      try self.log.begin("body", at: .now)
      body.write(into: &self.log.json)
      self.log.end()
    }
  }

  private mutating func write(_ gap: WriteGap?, _ dropped: DroppedCount) throws(Abandoned) {
    try self.log.begin("gap", at: .now)
    self.log.json.member("events", dropped.events)
    self.log.json.member("pieces", dropped.pieces)
    self.log.json.member("bytes", dropped.bytes)
    self.log.json.member("since", gap?.since.rfc3339)
    self.log.json.member("until", gap?.until.rfc3339)
    self.log.json.member("cause", gap?.cause ?? "more came than could be written")
    self.log.end()
  }

  private func count() {
    let events = self.log.state.sequence - self.folder.tail.chain.sequence
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
    try self.body(key, of: flow).append(content, &self.bodies)
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
