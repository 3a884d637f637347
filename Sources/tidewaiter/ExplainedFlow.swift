import Foundation
import TideConfig
import TideCore
import TideEngineNIO
import TideEvidence
import TidePolicy

/// What each rule says of a URL or a recorded flow, for `rules explain`.
struct ExplainedFlow: Encodable {
  /// One rule's answer.
  struct Row: Encodable {
    let rule: String
    let action: String
    let matches: Bool
    let why: String
  }

  let subject: String
  let candidates: [String]
  let decision: String
  let rules: [Row]

  /// Explains a URL, or `HOST:PORT`, as the proxy would meet it.
  init(
    url: String,
    device: String,
    policy: PolicySnapshot,
    configuration: Configuration
  ) throws(CommandFailure) {
    guard let target = ExplainedTarget(url) else {
      throw CommandFailure(.usage, "\(url): not an http or https URL, nor HOST:PORT")
    }
    var addresses: [IPAddress] = []
    if case .name(let name) = target.authority.host {
      switch NIOEngine.lookUp(name, hosts: configuration.upstream.hosts) {
      case .success(let found): addresses = found
      case .failure(let failure): throw CommandFailure(.problem, failure.detail)
      }
    }
    let request = ConnectRequest(
      device: device,
      authority: target.authority,
      resolved: addresses
    )
    let decision = policy.decideConnect(request)
    let facts = MessageFacts(
      device: device,
      hosts: [target.authority.host],
      port: target.authority.port,
      address: request.resolved.first,
      candidates: decision.candidates,
      method: "GET",
      path: Bytes(target.path),
      protocols: ["http/1.1"]
    )
    self.subject = url
    self.candidates = Self.candidates(decision.candidates)
    self.decision = Self.text(decision)
    self.rules = policy.explain(facts).map(Row.init)
  }

  /// Explains a flow of a case, with the findings that were made in it.
  init(flow: String, in path: String, policy: PolicySnapshot) throws(CommandFailure) {
    let id = try CaseOption.flow(flow)
    do throws(EvidenceFailure) {
      let detail = try CaseReader(path).flow(id)
      let record = detail.record
      let addresses = record.candidates.compactMap { IPAddress($0.address) }
      let candidates = addresses.map(policy.candidate)
      var hosts = [record.host, record.sni].compactMap { $0.flatMap { TideCore.Host($0) } }
      if hosts.isEmpty { hosts = addresses.map { .address($0) } }
      let facts = MessageFacts(
        device: record.device,
        hosts: hosts,
        port: record.port,
        address: record.address.flatMap { IPAddress($0) },
        candidates: candidates,
        method: Bytes(record.method),
        path: Bytes(ExplainedTarget(record.url)?.path ?? "/"),
        size: .exactly(record.requestBytes ?? 0),
        protocols: record.protocolName == "grpc" ? ["h2", "grpc"] : [record.protocolName]
      )
      let findings = detail.findings.map { finding in
        Finding(
          kind: FindingKind(finding.kind),
          certainty: Certainty(rawValue: finding.certainty) ?? .possible,
          location: FindingLocation(rawValue: finding.location) ?? .body,
          direction: Direction(rawValue: finding.direction) ?? .request,
          path: finding.path,
          encoding: finding.encoding,
          range: 0..<0,
          value: Bytes(),
          inspector: ""
        )
      }
      self.subject = "\(record.flow) \(record.method) \(record.url)"
      self.candidates = Self.candidates(candidates)
      let verdict = policy.verdict(for: facts, findings: findings)
      self.decision =
        "decided \(verdict.decided.rawValue), applied \(verdict.applied.rawValue)"
        + (verdict.rule.map { ", rule \($0)" } ?? "")
      self.rules = policy.explain(facts, findings: findings).map(Row.init)
    } catch {
      throw CommandFailure(error)
    }
  }

  var text: String {
    var lines = [self.subject]
    lines += self.candidates.map { "  \($0)" }
    lines.append("  \(self.decision)")
    for row in self.rules {
      lines.append("\(row.matches ? "match" : "no   ")  \(row.rule) (\(row.action)): \(row.why)")
    }
    return lines.joined(separator: "\n")
  }

  private static func candidates(_ candidates: [Candidate]) -> [String] {
    candidates.map { candidate in
      let region = candidate.region
      let others = region.countries.filter { $0 != region.name }
      let also = others.isEmpty ? "" : " (\(others.joined(separator: ", ")))"
      return "\(candidate.address) \(region.name)\(also)"
    }
  }

  private static func text(_ decision: ConnectDecision) -> String {
    let verdict =
      "decided \(decision.verdict.decided.rawValue), applied \(decision.verdict.applied.rawValue)"
    switch decision.outcome {
    case .dial(let targets):
      return "dial \(targets.map(\.address.description).joined(separator: ", ")); \(verdict)"
    case .sinkhole(let rule): return "sinkhole by rule \(rule); \(verdict)"
    case .refuse(.rule(let rule)): return "refuse by rule \(rule); \(verdict)"
    case .refuse(.specialUse(let address, let use)):
      return "refuse: \(address) is a \(use) address"
    case .refuse(.loop(let address)): return "refuse: \(address) is this proxy"
    case .refuse(.noAddress): return "refuse: no address"
    }
  }
}

extension ExplainedFlow.Row {
  init(_ explanation: RuleExplanation) {
    let why: String
    let matches: Bool
    switch explanation.outcome {
    case .matched: (matches, why) = (true, "every key holds")
    case .excepted: (matches, why) = (false, "its unless holds")
    case .missed(let key, let seen):
      (matches, why) = (false, "\(key) does not hold: \(seen.isEmpty ? "nothing" : seen)")
    case .waiting(let key): (matches, why) = (false, "\(key) is not known yet")
    }
    self.init(
      rule: explanation.rule.text,
      action: explanation.action.rawValue,
      matches: matches,
      why: why
    )
  }
}

/// A URL's authority and path.
struct ExplainedTarget {
  let authority: Authority
  let path: String

  init?(_ url: String) {
    var rest = url[...]
    var port: UInt16?
    if url.hasPrefix("https://") {
      (rest, port) = (url.dropFirst(8), 443)
    } else if url.hasPrefix("http://") {
      (rest, port) = (url.dropFirst(7), 80)
    }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard let authority = Authority(rest[..<end], defaultPort: port) else { return nil }
    self.authority = authority
    let path = rest[end...].prefix { $0 != "?" && $0 != "#" }
    self.path = path.isEmpty ? "/" : String(path)
  }
}
