internal import TideCore
internal import TideRegion

/// A key under `when`, in the order in which keys are asked.
enum ConditionKey: Hashable, Sendable {
  case device
  case host
  case ip
  case port
  case region
  case asn
  case direction
  case protocolName
  case method
  case path
  case header(String)
  case type
  case size
  case finding
  case certainty

  /// As it is written in a rule.
  var name: String {
    switch self {
    case .device: "device"
    case .host: "host"
    case .ip: "ip"
    case .port: "port"
    case .region: "region"
    case .asn: "asn"
    case .direction: "direction"
    case .protocolName: "protocol"
    case .method: "method"
    case .path: "path"
    case .header(let name): "header.\(name)"
    case .type: "type"
    case .size: "size"
    case .finding: "finding"
    case .certainty: "certainty"
    }
  }
}

/// What conditions say of facts that are not all there yet.
enum ConditionMatch: Hashable, Sendable {
  /// Every key holds.
  case yes
  /// This key does not hold and never will for these facts.
  case no(ConditionKey)
  /// No key fails, and this one waits for more of the message.
  case pending(ConditionKey)
}

/// How far a flow is when it is judged.
enum JudgementStage: Sendable {
  /// A destination is known and nothing of a message.
  case connection
  /// The head of a message is known, and of its content what the facts say.
  case message
}

/// How many of a flow's names or addresses must satisfy a key.
enum Quantifier: Sendable {
  /// One is enough.
  case some
  /// Each, and there is one.
  case every

  func holds<Element>(_ elements: [Element], _ condition: (Element) -> Bool) -> Bool {
    switch self {
    case .some: elements.contains(where: condition)
    case .every: !elements.isEmpty && elements.allSatisfy(condition)
    }
  }
}

/// What conditions are for, and so which way doubt falls: towards the rule, against the exception.
enum ConditionRole: Hashable, Sendable {
  /// They make a rule apply: one name is enough, and as many addresses as said.
  case rule(addresses: Quantifier)
  /// They make an exception to it: every name, address, country and field must bear it out.
  case exception

  var names: Quantifier {
    switch self {
    case .rule: .some
    case .exception: .every
    }
  }

  var addresses: Quantifier {
    switch self {
    case .rule(let addresses): addresses
    case .exception: .every
    }
  }
}

/// Conditions as they are asked: names split into patterns, regions looked up, text as bytes.
struct CompiledConditions: Sendable {
  var device: [String] = []
  var host: [HostPattern] = []
  var ip: [CIDR] = []
  var port: [ClosedRange<UInt16>] = []
  var region: RegionCondition?
  var asn: [UInt32] = []
  var direction: [Direction] = []
  var protocolName: [String] = []
  var method: [Glob] = []
  var path: [Glob] = []
  var header: [Header] = []
  var type: [Glob] = []
  var size: [SizeCondition] = []
  var finding: [String] = []
  var certainty: [Certainty] = []

  struct Header: Sendable {
    let name: String
    let key: Bytes
    let patterns: [Glob]
  }

  /// Whether a key asks about addresses.
  var isRegional: Bool { !self.ip.isEmpty || self.region != nil || !self.asn.isEmpty }

  /// Whether a key asks what was found.
  var asksFindings: Bool { !self.finding.isEmpty || !self.certainty.isEmpty }

  /// Whether no key needs more than a destination; every destination is sent a request.
  var isConnectDecidable: Bool {
    (self.direction.isEmpty || self.direction.contains(.request)) && self.protocolName.isEmpty
      && self.method.isEmpty && self.path.isEmpty && self.header.isEmpty && self.type.isEmpty
      && self.size.isEmpty && !self.asksFindings
  }

  /// Asks every key.
  ///
  /// - Parameters:
  ///   - facts: the flow and message.
  ///   - candidates: the addresses to judge, of those in `facts`.
  ///   - findings: what was found so far.
  ///   - stage: how much of `facts` counts.
  ///   - role: what the answer is for.
  /// - Returns: whether every key holds, or the first that does not or that waits.
  func match(
    _ facts: MessageFacts,
    _ candidates: [Candidate],
    _ findings: [Finding],
    at stage: JudgementStage,
    as role: ConditionRole
  ) -> ConditionMatch {
    if !self.device.isEmpty, !self.device.contains(facts.device) { return .no(.device) }
    if !self.host.isEmpty, !Self.holds(self.host, facts, role) { return .no(.host) }
    if !self.ip.isEmpty, !role.addresses.holds(candidates, { self.holdsIP($0, role) }) {
      return .no(.ip)
    }
    if !self.port.isEmpty, !self.port.contains(where: { $0.contains(facts.port) }) {
      return .no(.port)
    }
    if let region = self.region, !Self.holds(region, facts, candidates, role) {
      return .no(.region)
    }
    if !self.asn.isEmpty, !role.addresses.holds(candidates, { self.holdsASN($0, role) }) {
      return .no(.asn)
    }
    switch stage {
    case .connection:
      if self.isConnectDecidable { return .yes }
      return .pending(self.firstMessageKey)
    case .message: return self.matchMessage(facts, findings, role)
    }
  }

  private func matchMessage(
    _ facts: MessageFacts,
    _ findings: [Finding],
    _ role: ConditionRole
  ) -> ConditionMatch {
    if !self.direction.isEmpty, !self.direction.contains(facts.direction) { return .no(.direction) }
    if !self.protocolName.isEmpty, !self.protocolName.contains(where: facts.protocols.contains) {
      return .no(.protocolName)
    }
    if !self.method.isEmpty, !self.method.contains(where: { $0.matches(facts.method) }) {
      return .no(.method)
    }
    if !self.path.isEmpty, !self.holdsPath(facts.path, role) { return .no(.path) }
    for header in self.header {
      let values = facts.fields.all(named: header.key)
      let holds = role.names.holds(values) { value in
        header.patterns.contains { $0.matches(value) }
      }
      if !holds { return .no(.header(header.name)) }
    }
    if !self.type.isEmpty {
      let types = facts.fields.all("content-type").map(MediaType.essence)
      let holds = role.names.holds(types) { type in self.type.contains { $0.matches(type) } }
      if !holds { return .no(.type) }
    }
    var waits = false
    for condition in self.size {
      switch condition.match(facts.size) {
      case .yes: break
      case .no: return .no(.size)
      case .pending: waits = true
      }
    }
    if waits { return .pending(.size) }
    if self.asksFindings, !self.holdsFinding(facts, findings) {
      return .pending(self.finding.isEmpty ? .certainty : .finding)
    }
    return .yes
  }

  /// Whether the path matches: for a rule as it was sent or as a server may read it, for an exception both.
  private func holdsPath(_ path: Bytes, _ role: ConditionRole) -> Bool {
    let isSent = self.path.contains { $0.matches(path) }
    switch role {
    case .rule:
      return isSent
        || NormalPath.of(path).map { path in self.path.contains { $0.matches(path) } } == true
    case .exception:
      return isSent
        && NormalPath.of(path).map { path in self.path.contains { $0.matches(path) } } != false
    }
  }

  /// Whether a finding of this message's is of a kind and a certainty that are asked for.
  private func holdsFinding(_ facts: MessageFacts, _ findings: [Finding]) -> Bool {
    findings.contains { finding in
      finding.direction == facts.direction
        && (self.finding.isEmpty || self.finding.contains(finding.kind.name))
        && (self.certainty.isEmpty || self.certainty.contains(finding.certainty))
    }
  }

  /// Whether `candidate` lies in one of the blocks, or for a rule an IPv4 address inside it does.
  private func holdsIP(_ candidate: Candidate, _ role: ConditionRole) -> Bool {
    let address = candidate.address.unmapped
    if self.ip.contains(where: { $0.contains(address) }) { return true }
    switch role {
    case .rule:
      return address.carriedV4.contains { inner in self.ip.contains { $0.contains(inner) } }
    case .exception: return false
    }
  }

  private func holdsASN(_ candidate: Candidate, _ role: ConditionRole) -> Bool {
    let numbers = candidate.region.signals.compactMap(\.asn)
    guard !numbers.isEmpty else { return candidate.region.asn.map(self.asn.contains) ?? false }
    return role.names.holds(numbers, self.asn.contains)
  }

  /// Whether enough of the flow's names match; what a name is only another name for can make a rule apply,
  /// but can neither make nor break an exception.
  private static func holds(
    _ patterns: [HostPattern],
    _ facts: MessageFacts,
    _ role: ConditionRole
  ) -> Bool {
    if role.names.holds(facts.hosts, { host in patterns.contains { $0.matches(host) } }) {
      return true
    }
    switch role {
    case .rule:
      return facts.aliases.contains { alias in patterns.contains { $0.matches(alias) } }
    case .exception: return false
    }
  }

  /// Whether the flow is bound for the region: by an address, or by a name that the operator put there.
  ///
  /// Names only ever add: for an exception, addresses alone count.
  private static func holds(
    _ region: RegionCondition,
    _ facts: MessageFacts,
    _ candidates: [Candidate],
    _ role: ConditionRole
  ) -> Bool {
    switch role {
    case .rule(let addresses):
      addresses.holds(candidates) { region.matchesAny($0.region) }
        || (!region.hosts.isEmpty && Self.holds(region.hosts, facts, role))
    case .exception:
      Quantifier.every.holds(candidates) { region.matchesAll($0.region) }
    }
  }

  private var firstMessageKey: ConditionKey {
    if !self.direction.isEmpty, !self.direction.contains(.request) { return .direction }
    if !self.protocolName.isEmpty { return .protocolName }
    if !self.method.isEmpty { return .method }
    if !self.path.isEmpty { return .path }
    if let header = self.header.first { return .header(header.name) }
    if !self.type.isEmpty { return .type }
    if !self.size.isEmpty { return .size }
    return self.finding.isEmpty ? .certainty : .finding
  }
}

extension SizeCondition {
  /// Compares with a size that may still grow.
  func match(_ size: ContentSize) -> ConditionMatch {
    switch size {
    case .exactly(let count): return self.holds(count) ? .yes : .no(.size)
    case .atLeast(let count):
      switch self.relation {
      case .atLeast, .over: return self.holds(count) ? .yes : .pending(.size)
      case .atMost, .under: return self.holds(count) ? .pending(.size) : .no(.size)
      }
    }
  }

  private func holds(_ count: UInt64) -> Bool {
    switch self.relation {
    case .atLeast: count >= self.bytes
    case .over: count > self.bytes
    case .atMost: count <= self.bytes
    case .under: count < self.bytes
    }
  }
}
