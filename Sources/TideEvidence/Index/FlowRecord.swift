public import TideCore

/// What is known of a flow: a line of `flows --json` and of the API.
public struct FlowRecord: Sendable {
  /// The flow.
  public let flow: FlowID
  /// Its connection.
  public let connection: ConnectionID
  /// The device's name.
  public let device: String
  /// The client's address.
  public let client: String
  /// When it began, RFC 3339 in UTC with microseconds.
  public let started: String
  /// When it ended; nil while it is open, or if the recorder was cut off.
  public internal(set) var ended: String?
  /// The request's method; empty for a tunnel.
  public let method: String
  /// The URL; `host:port` for a tunnel.
  public let url: String
  /// The host that was asked for.
  public let host: String
  /// The server name in the hello, if any.
  public let sni: String?
  /// The port that was asked for.
  public let port: UInt16
  /// `http/1.1`, `h2`, `grpc`, `websocket`, `tls`, `stream` or `tcp`.
  public let protocolName: String
  /// The address dialled; nil if none was.
  public let address: String?
  /// Every address that the name resolved to, with its region.
  public let candidates: [Candidate]
  /// The region of the address.
  public let region: String
  /// Every set, country and region name of the address and of all candidates: what `region:` matches.
  public let regionLabels: [String]
  /// The autonomous systems of the address and of all candidates.
  public let systems: [UInt32]
  /// `intercepted`, `passthrough`, `sinkhole` or `refused`.
  public let treatment: String
  /// The status that the device saw; nil if none.
  public internal(set) var status: Int?
  /// Bytes of request content; nil while the flow is open.
  public internal(set) var requestBytes: UInt64?
  /// Bytes of response content; nil while the flow is open.
  public internal(set) var responseBytes: UInt64?
  /// What was found, each kind, certainty and direction once, in the order of the first of each.
  public internal(set) var tags: [FindingTag] = []
  /// What the rules say; nil while the flow is open and nothing was found.
  public internal(set) var decided: String?
  /// What was done.
  public internal(set) var applied: String?
  /// The rule that decided; nil if none matched.
  public internal(set) var rule: String?
  /// Bytes that had left before a block; nil unless blocked by content.
  public internal(set) var exposure: UInt64?
  /// Why it ended, if not by its own protocol.
  public internal(set) var error: Failure?
  /// The media type of the request's content, without parameters, in lower case; empty if unknown.
  public internal(set) var requestType = ""
  /// The media type of the response's content, without parameters, in lower case; empty if unknown.
  public internal(set) var responseType = ""
  /// Where the lines about its messages are.
  var lines: [LogPosition] = []

  /// An address and its region.
  public struct Candidate: Hashable, Sendable {
    /// The address.
    public let address: String
    /// The region's name.
    public let region: String
  }

  /// As much of a finding as a flow's filter asks for.
  public struct FindingTag: Hashable, Sendable {
    /// What it is.
    public let kind: String
    /// How sure.
    public let certainty: String
    /// Which way the message goes.
    public let direction: String
    /// How many of these were made.
    public internal(set) var count = 1
  }

  /// Why a flow ended, as recorded.
  public struct Failure: Hashable, Sendable {
    /// What went wrong.
    public let code: String
    /// Whose failure it is.
    public let origin: String
    /// For people.
    public let detail: String
  }

  /// How many findings were made.
  public var findings: Int { self.tags.reduce(0) { $0 + $1.count } }
}

extension FlowRecord {
  /// The flow as one JSON object, with the names of the product's contract, and `shadow`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    self.write(into: &json)
    json.endObject()
    return json.bytes
  }

  /// Writes the members into an object that is open.
  func write(into json: inout JSONWriter) {
    json.member("flow", self.flow)
    json.member("device", self.device)
    json.member("client", self.client)
    json.member("started", self.started)
    json.member("ended", self.ended)
    json.member("method", self.method)
    json.member("url", self.url)
    json.member("host", self.host)
    json.member("sni", self.sni)
    json.member("port", Int(self.port))
    json.member("protocol", self.protocolName)
    json.member("address", self.address)
    json.key("candidates")
    json.beginArray()
    for candidate in self.candidates {
      json.beginObject()
      json.member("address", candidate.address)
      json.member("region", candidate.region)
      json.endObject()
    }
    json.endArray()
    json.member("region", self.region)
    json.member("treatment", self.treatment)
    json.member("status", self.status.map { UInt64(clamping: $0) })
    json.member("request_bytes", self.requestBytes)
    json.member("response_bytes", self.responseBytes)
    json.member("findings", self.findings)
    json.member("decided", self.decided)
    json.member("applied", self.applied)
    json.member("rule", self.rule)
    json.member("exposure", self.exposure)
    json.key("error")
    if let error = self.error {
      json.beginObject()
      json.member("code", error.code)
      json.member("origin", error.origin)
      json.member("detail", error.detail)
      json.endObject()
    } else {
      json.null()
    }
    self.writeShadow(into: &json)
  }

  /// Writes what the enforcing modes would do about what was decided; null while nothing is.
  private func writeShadow(into json: inout JSONWriter) {
    json.key("shadow")
    guard let decided = self.decided.flatMap(Action.init(rawValue:)) else { return json.null() }
    json.beginObject()
    for mode in Mode.allCases where mode.isEnforcing {
      json.key(text: mode.rawValue)
      json.value(min(decided, mode.ceiling).rawValue)
    }
    json.endObject()
  }

  /// Joins what a flow began with.
  init(
    flow: FlowID,
    connection: ConnectionID,
    place: FlowPlace,
    started: String,
    method: String,
    url: String,
    protocolName: String
  ) {
    self.flow = flow
    self.connection = connection
    self.device = place.device
    self.client = place.client
    self.started = started
    self.method = method
    self.url = url
    self.host = place.host
    self.sni = place.sni
    self.port = place.port
    self.protocolName = protocolName
    self.address = place.address
    self.candidates = place.candidates
    self.region = place.region
    self.regionLabels = place.regionLabels
    self.systems = place.systems
    self.treatment = place.treatment
  }

  /// Reads a flow-start line; nil if it lacks what every flow has.
  init?(start event: LogEvent) {
    let members = event.members
    guard let flow = event.flow, let connection = event.connection,
      let port = members["port"]?.integer.flatMap({ UInt16(exactly: $0) })
    else { return nil }
    func text(_ name: String) -> String { members[name]?.string ?? "" }
    let candidates = (members["candidates"]?.array ?? []).map(\.object)
    let region = text("region")
    var labels = Self.labels(of: members, name: region)
    var systems = [members["asn"]]
    for candidate in candidates {
      labels += Self.labels(of: candidate, name: candidate["region"]?.string ?? "")
      systems.append(candidate["asn"])
    }
    self.flow = flow
    self.connection = connection
    self.device = text("device")
    self.client = text("client")
    self.started = event.time
    self.method = text("method")
    self.url = text("url")
    self.host = text("host")
    self.sni = members["sni"]?.string
    self.port = port
    self.protocolName = text("protocol")
    self.address = members["address"]?.string
    self.candidates = candidates.map {
      Candidate(address: $0["address"]?.string ?? "", region: $0["region"]?.string ?? "")
    }
    self.region = region
    self.regionLabels = Array(Set(labels)).sorted()
    self.systems = Array(
      Set(systems.compactMap { $0?.unsigned.flatMap { UInt32(exactly: $0) } })
    ).sorted()
    self.treatment = text("treatment")
  }

  /// Takes a flow-end line.
  mutating func end(_ event: LogEvent) {
    let members = event.members
    self.ended = event.time
    let status = members["status"]?.integer ?? 0
    self.status = status > 0 ? Int(status) : nil
    self.requestBytes = members["request_bytes"]?.unsigned
    self.responseBytes = members["response_bytes"]?.unsigned
    self.decided = members["decided"]?.string
    self.applied = members["applied"]?.string
    self.rule = members["rule"]?.string
    self.exposure = members["exposure"]?.unsigned
    let error = members["error"]?.object ?? JSONObject()
    self.error = error["code"]?.string.map { code in
      Failure(
        code: code,
        origin: error["origin"]?.string ?? "",
        detail: error["detail"]?.string ?? ""
      )
    }
  }

  /// Takes a finding line: until the flow ends, its verdict is the latest finding's.
  mutating func find(_ event: LogEvent) {
    let members = event.members
    let tag = FindingTag(
      kind: members["kind"]?.string ?? "",
      certainty: members["certainty"]?.string ?? "",
      direction: members["direction"]?.string ?? ""
    )
    let index = self.tags.firstIndex {
      ($0.kind, $0.certainty, $0.direction) == (tag.kind, tag.certainty, tag.direction)
    }
    if let index { self.tags[index].count += 1 } else { self.tags.append(tag) }
    guard self.ended == nil else { return }
    self.decided = members["decided"]?.string
    self.applied = members["applied"]?.string
    self.rule = members["rule"]?.string
  }

  private static func labels(of members: JSONObject, name: String) -> [String] {
    let lists = (members["sets"]?.array ?? []) + (members["countries"]?.array ?? [])
    return lists.compactMap(\.string) + [name]
  }
}
