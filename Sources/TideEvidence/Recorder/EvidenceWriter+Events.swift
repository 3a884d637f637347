internal import TideCore
internal import TideCrypto

/// One line or more for each event (docs/evidence-format.md lists their members).
extension EvidenceWriter {
  /// Heads up to this many bytes stand in the line itself, larger ones in bodies/.
  static let inlineLimit = 4 << 10

  mutating func write(_ item: RecordedItem) throws(Abandoned) {
    switch item {
    case .taken: return
    case .event(let event): try self.write(event, at: nil)
    case .timed(let event, let time): try self.write(event, at: time)
    case .entry(let type, let members, let time):
      try self.log.begin(type, at: time)
      for (name, value) in members {
        self.log.json.key(text: name)
        self.log.json.value(value)
      }
      self.log.end()
    }
  }

  private mutating func write(_ event: FlowEvent, at offered: WallTime?) throws(Abandoned) {
    switch event {
    case .connectionOpened(let connection, let client, let port, let device, let time):
      self.log.counters.see(connection)
      try self.log.begin("connection", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member("client", client.description)
      self.log.json.member("client_port", port.map { UInt64($0) })
      self.log.json.member("device", device)
      self.log.end()
    case .lookedUp(let connection, let name, let resolution, let time):
      try self.log.begin("dns", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member("name", name.text)
      self.log.json.member("addresses", resolution.addresses.map(\.description))
      self.log.json.member("aliases", resolution.aliases.map(\.text))
      self.log.json.member("ttl", resolution.ttl.map { UInt64($0) })
      self.log.json.member("source", resolution.source)
      self.log.json.member("cached", resolution.isCached)
      self.log.end()
    case .destinationDecided(
      let connection,
      let authority,
      let candidates,
      let decision,
      let rule,
      let time
    ):
      try self.log.begin("decided", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member("authority", authority.description)
      self.log.json.key("candidates")
      self.log.json.beginArray()
      for candidate in candidates { self.log.json.write(candidate, withSignals: true) }
      self.log.json.endArray()
      self.log.json.member("decision", decision)
      self.log.json.member("rule", rule?.text)
      self.log.end()
    case .hello(let connection, let hello, let time):
      try self.log.begin("hello", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member("sni", hello.serverName?.text)
      self.log.json.member("sni_malformed", hello.hasMalformedServerName)
      self.log.json.member("alpn", hello.applicationProtocols)
      self.log.json.key("versions")
      self.log.json.beginArray()
      for version in hello.versions { self.log.json.value(Int(version)) }
      self.log.json.endArray()
      self.log.json.member("ech", hello.hasEncryptedHello)
      self.log.json.member("ja4", hello.fingerprint.isEmpty ? nil : hello.fingerprint)
      self.log.json.key("raw")
      self.log.json.base64(hello.raw)
      self.log.end()
    case .handshake(let connection, let facts, let time):
      try self.write(handshake: facts, of: connection, at: time)
    case .secret, .wire: return  // the ring made records of them
    case .flowStarted(let start):
      try self.write(start)
    case .head(let flow, let direction, let stage, let content):
      try self.write("head", flow, direction, stage, content, at: offered ?? self.now)
    case .trailers(let flow, let direction, let stage, let content):
      try self.write("trailers", flow, direction, stage, content, at: offered ?? self.now)
    case .body(let id, let direction, let stage, let content):
      try self.append(content, to: BodyKey(flow: id, direction: direction, stage: stage))
    case .message(let flow, let direction, let stage, let message, let time):
      try self.write(message, flow, direction, stage, at: time)
    case .coverage(let connection, let flow, let kind, let detail, let time):
      try self.log.begin("coverage", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member("flow", flow)
      self.log.json.member("kind", kind.rawValue)
      self.log.json.member("detail", detail)
      self.log.end()
    case .findings(let flow, let findings, let verdict, let time):
      if verdict.applied >= .redact { self.hasVerdict = true }
      for finding in findings { try self.write(finding, in: flow, verdict, at: time) }
    case .note(let flow, let text, let time):
      try self.log.begin("note", at: time)
      self.log.json.member("flow", flow)
      self.log.json.member("text", text)
      self.log.end()
    case .redacted(let flow, let direction, let changes, let rule, let time):
      self.hasVerdict = true
      for change in changes { try self.write(change, flow, direction, rule, at: time) }
    case .flowEnded(let end):
      try self.write(end)
    case .connectionClosed(let connection, let failure, let time):
      self.connections[connection] = nil
      if self.hasLostEvents { try self.finishFlows(of: connection, at: time) }
      try self.log.begin("connection-end", at: time)
      self.log.json.member("connection", connection)
      self.log.json.member(failure: failure)
      self.log.end()
    }
  }

  private mutating func write(
    _ change: RedactionRecord,
    _ flow: FlowID,
    _ direction: Direction,
    _ rule: RuleID?,
    at time: WallTime
  ) throws(Abandoned) {
    try self.log.begin("redaction", at: time)
    self.log.json.member("flow", flow)
    self.log.json.member("direction", direction.rawValue)
    self.log.json.member("kind", change.kind.name)
    self.log.json.member("location", change.location.rawValue)
    self.log.json.member("path", change.path)
    self.log.json.member("offset", change.range.lowerBound)
    self.log.json.member("length", change.range.count)
    self.log.json.member("pseudonym", change.pseudonym.text)
    self.log.json.member("rule", rule?.text)
    self.log.end()
  }

  private mutating func write(_ start: FlowStart) throws(Abandoned) {
    let facts = start.facts
    self.log.counters.see(start.flow)
    self.log.counters.see(facts.connection)
    self.flows[start.flow] = OpenFlow(facts: facts, url: start.url)
    try self.log.begin("flow-start", at: start.time)
    self.log.json.member("flow", start.flow)
    self.log.json.member("method", start.method)
    self.log.json.member("url", start.url)
    self.log.json.member("protocol", start.protocolName)
    if let known = self.connections[facts.connection], known.facts === facts {
      self.log.json.raw(known.members)
    } else {
      // Bounded even if ends of connections were dropped for want of room.
      if self.connections.count >= 65_536 { self.connections.removeAll() }
      let members = Self.members(of: facts)
      self.connections[facts.connection] = (facts, members)
      self.log.json.raw(members)
    }
    self.log.end()
  }

  /// The members of a flow's start that are the connection's.
  private static func members(of facts: ConnectionFacts) -> [UInt8] {
    var json = JSONWriter()
    json.member("connection", facts.connection)
    json.member("device", facts.device)
    json.member("client", facts.client.description)
    json.member("scheme", facts.scheme)
    json.member("host", facts.authority.host.description)
    json.member("sni", facts.serverName?.text)
    json.member("port", Int(facts.authority.port))
    json.member("address", facts.address?.description)
    json.key("candidates")
    json.beginArray()
    for candidate in facts.candidates { json.write(candidate, withSignals: false) }
    json.endArray()
    json.member("region", facts.region.name)
    json.member("sets", facts.region.sets)
    json.member("countries", facts.region.countries)
    json.member("asn", facts.region.asn.map(UInt64.init))
    json.member("treatment", facts.treatment.rawValue)
    return json.bytes
  }

  private mutating func write(
    _ type: String,
    _ flow: FlowID,
    _ direction: Direction,
    _ stage: BodyStage,
    _ content: Bytes,
    at time: WallTime
  ) throws(Abandoned) {
    guard self.settings.keepsBodies else { return }
    var digest: [UInt8]?
    if content.count > Self.inlineLimit {
      digest = try self.bodies.put(content)
    }
    try self.log.begin(type, at: time)
    self.log.json.member("flow", flow)
    self.log.json.member("direction", direction.rawValue)
    self.log.json.member("stage", stage.rawValue)
    self.log.json.member("size", content.count)
    if let digest {
      self.log.json.key("sha256")
      self.log.json.hex(digest)
    } else {
      self.log.json.key("data")
      self.log.json.base64(content)
    }
    self.log.end()
  }

  /// Writes a message's line, and its payload into bodies/ unless it has none.
  private mutating func write(
    _ message: SocketMessage,
    _ flow: FlowID,
    _ direction: Direction,
    _ stage: BodyStage,
    at time: WallTime
  ) throws(Abandoned) {
    guard self.settings.keepsBodies else { return }
    var digest: [UInt8]?
    if !message.payload.isEmpty { digest = try self.bodies.put(message.payload) }
    try self.log.begin("message", at: time)
    self.log.json.member("flow", flow)
    self.log.json.member("direction", direction.rawValue)
    self.log.json.member("stage", stage.rawValue)
    self.log.json.member("kind", message.kind.rawValue)
    self.log.json.member("size", message.size)
    self.log.json.member("frames", message.frames)
    self.log.json.member("compressed", message.isCompressed)
    self.log.json.key("sha256")
    if let digest { self.log.json.hex(digest) } else { self.log.json.null() }
    self.log.json.member("truncated", message.size > UInt64(message.payload.count))
    self.log.end()
  }

  /// Writes a finding twice: into the chain, and for people into findings.ndjson.
  private mutating func write(
    _ finding: Finding,
    in flow: FlowID,
    _ verdict: Verdict,
    at time: WallTime
  ) throws(Abandoned) {
    var message = Array(finding.kind.name.utf8)
    message.append(0)
    message.append(contentsOf: finding.value)
    let value = "hmac:" + Hex.encode(HMAC.sha256(key: self.folder.secret, message))
    let open = self.flows[flow]
    func members(_ json: inout JSONWriter) {
      json.member("device", open?.facts?.device)
      json.member("url", open?.url)
      json.member("direction", finding.direction.rawValue)
      json.member("region", open?.facts?.region.name)
      json.member("address", open?.facts?.address?.description)
      json.member("kind", finding.kind.name)
      json.member("certainty", finding.certainty.rawValue)
      json.member("location", finding.location.rawValue)
      json.member("path", finding.path)
      json.member("encoding", finding.encoding.isEmpty ? ["plain"] : finding.encoding)
      json.member("offset", finding.range.lowerBound)
      json.member("length", finding.range.count)
      json.member("value", value)
      json.member("decided", verdict.decided.rawValue)
      json.member("applied", verdict.applied.rawValue)
      json.member("rule", verdict.rule?.text)
    }
    try self.log.begin("finding", at: time)
    self.log.json.member("flow", flow)
    members(&self.log.json)
    self.log.json.member("inspector", finding.inspector)
    self.log.end()
    self.log.counters.seeFinding()
    self.log.findings.beginObject()
    self.log.findings.member("flow", flow)
    self.log.findings.member("time", time.rfc3339)
    members(&self.log.findings)
    self.log.findings.endObject()
    self.log.findings.endLine()
  }

  private mutating func write(_ end: FlowEnd) throws(Abandoned) {
    if end.verdict.applied >= .redact { self.hasVerdict = true }
    if let open = self.flows.removeValue(forKey: end.flow) {
      try self.finishBodies(of: end.flow, open, isComplete: end.failure == nil, at: end.time)
    }
    try self.log.begin("flow-end", at: end.time)
    self.log.json.member("flow", end.flow)
    self.log.json.member("status", end.status)
    self.log.json.member("request_bytes", end.requestBytes)
    self.log.json.member("response_bytes", end.responseBytes)
    self.log.json.member("findings", end.findings)
    self.log.json.member("decided", end.verdict.decided.rawValue)
    self.log.json.member("applied", end.verdict.applied.rawValue)
    self.log.json.member("rule", end.verdict.rule?.text)
    self.log.json.member("exposure", end.exposure)
    self.log.json.member(failure: end.failure)
    self.log.end()
  }
}

extension JSONWriter {
  mutating func member(failure: FlowFailure?) {
    self.key("error")
    guard let failure else {
      self.null()
      return
    }
    self.beginObject()
    self.member("code", failure.code.rawValue)
    self.member("origin", failure.origin.rawValue)
    self.member("detail", failure.detail)
    self.endObject()
  }

  /// Writes a candidate; with what each source says of it where it was decided, without it in flows.
  mutating func write(_ candidate: Candidate, withSignals: Bool) {
    let region = candidate.region
    self.beginObject()
    self.member("address", candidate.address.description)
    self.member("region", region.name)
    self.member("sets", region.sets)
    self.member("countries", region.countries)
    self.member("asn", region.asn.map(UInt64.init))
    if withSignals {
      self.member("special_use", region.isSpecialUse)
      self.key("signals")
      self.beginArray()
      for signal in region.signals {
        self.beginObject()
        self.member("source", signal.source)
        self.member("country", signal.country)
        self.member("asn", signal.asn.map(UInt64.init))
        self.endObject()
      }
      self.endArray()
    }
    self.endObject()
  }
}
