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

    init(facts: ConnectionFacts?, url: String) {
      self.facts = facts
      self.url = url
    }
  }

  var log: EventLog
  var bodies: BodyStore
  var flows: [FlowID: OpenFlow] = [:]
  /// Members of flow-start lines that all flows of a connection share.
  var connections: [ConnectionID: (facts: ConnectionFacts, members: [UInt8])] = [:]
  /// Bodies that end where the batch in hand ends.
  private var cutBodies: Set<BodyKey> = []
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
      for item in batch.items {
        try self.write(item)
        if let gap = self.access.takeGap() { try self.write(gap, DroppedCount()) }
      }
      self.cut(batch.cutBodies)
      self.log.note(bodies: self.bodies.takeStored())
      try self.log.flush()
      // Only now is it known whether this batch met a full disk.
      let gap = self.access.takeGap()
      if gap != nil || !batch.dropped.isEmpty { try self.write(gap, batch.dropped) }
      if batch.isLast { break }
      try self.log.flush()
      try self.log.syncIfDue()
      self.count()
    }
    for (flow, open) in self.flows.sorted(by: { $0.key.number < $1.key.number }) {
      try self.finishBodies(of: flow, open, isComplete: false, at: .now)
    }
    try self.log.begin("stop", at: .now)
    self.log.end()
    self.log.note(bodies: self.bodies.takeStored())
    try self.log.flush()
    try self.log.syncNow()
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
    try self.log.begin("start", at: .now)
    self.log.json.member("case", self.folder.name)
    self.log.json.member("continued", self.folder.isContinued)
    self.log.json.member("case_sha256", self.folder.descriptionDigest)
    self.folder.description.write(into: &self.log.json)
    self.log.json.member("keeps_bodies", self.settings.keepsBodies)
    self.log.json.member("evidence", self.settings.isRequired ? "required" : "best-effort")
    self.log.end()
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
  private mutating func cut(_ keys: Set<BodyKey>) {
    for key in keys {
      guard let flow = self.flows[key.flow] else { continue }
      self.body(key, of: flow).isCut = true
    }
  }

  func body(_ key: BodyKey, of flow: OpenFlow) -> OpenBody {
    if let body = flow.bodies.first(where: { $0.key == key }) { return body }
    let body = OpenBody(key)
    flow.bodies.append(body)
    return body
  }

  /// Writes the body lines of a flow: contents are known only now that nothing more comes.
  mutating func finishBodies(
    of id: FlowID,
    _ flow: OpenFlow,
    isComplete: Bool,
    at time: WallTime
  ) throws(Abandoned) {
    for key in self.cutBodies where key.flow == id { self.body(key, of: flow).isCut = true }
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
}
