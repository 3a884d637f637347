import Foundation
import TideConfig
import TideCore
import TideEvidence
import TidePolicy

/// What each rule says of a URL or a recorded flow, key by key, for `rules explain`.
struct ExplainedFlow: Encodable {
  /// One rule's answer to one message.
  struct Row: Encodable {
    let rule: String
    let action: String
    let direction: String
    let description: String
    let location: String
    let matches: Bool
    let why: String
    let conditions: [Condition]
  }

  /// One key of a rule.
  struct Condition: Encodable {
    let key: String
    /// Whether it is one of the exception's.
    let exception: Bool
    let asked: String
    let seen: String
    /// `holds`, `fails` or `unknown`.
    let answer: String
  }

  let subject: String
  let candidates: [String]
  let decision: String
  let modes: [PolicyModes.Outcome]
  let rules: [Row]

  /// Explains a URL, or `HOST:PORT`, as the proxy would meet it.
  init(
    url: String,
    device: String,
    policies: PolicyModes,
    configuration: Configuration
  ) throws {
    guard let target = ExplainedTarget(url) else {
      throw CommandFailure(.usage, "\(url): not an http or https URL, nor HOST:PORT")
    }
    let found = try RegionCommand.resolution(of: target.authority.host, configuration)
    let request = ConnectRequest(
      device: device,
      authority: target.authority,
      resolved: found.addresses,
      aliases: found.aliases
    )
    let policy = policies.current
    let decision = policy.decideConnect(request)
    let facts = MessageFacts(
      device: device,
      hosts: [target.authority.host],
      aliases: request.aliases,
      port: target.authority.port,
      address: request.resolved.first,
      candidates: decision.candidates,
      path: Bytes(target.path)
    )
    let explained = policy.explain(
      facts,
      unknown: Set(MessageFact.allCases).subtracting(target.hasPath ? [.path] : [])
    )
    self.subject = url
    self.candidates = Self.candidates(decision.candidates)
    self.decision = Self.text(decision.verdict) + "; " + decision.outcome.words
    self.modes = policies.outcomes(request)
    self.rules = explained.map { Row($0, direction: .request) }
  }

  /// Explains a flow of a case, with the findings that were made in it.
  init(flow: FlowDetail, policies: PolicyModes) {
    let policy = policies.current
    let recorded = RecordedFlow(flow, policy)
    let record = flow.record
    self.subject =
      "\(record.flow) \(record.method.isEmpty ? "tunnel" : record.method) \(record.url)"
    self.candidates = Self.candidates(recorded.messages.first?.facts.candidates ?? [])
    self.decision = Self.text(policies.verdict(on: recorded))
    self.modes = policies.outcomes(recorded)
    self.rules = recorded.messages.flatMap { message in
      policy.explain(message.facts, findings: message.findings, unknown: message.unknown)
        .map { Row($0, direction: message.facts.direction) }
    }
    .filter { row in
      // Every rule of the request's; of the response's those that are about responses.
      row.direction == Direction.request.rawValue || row.matches
        || row.conditions.contains { $0.key == "direction" && $0.answer == "holds" }
    }
  }

  var text: String {
    var lines = [self.subject]
    lines += self.candidates.map { "  \($0)" }
    lines.append("  \(self.decision)")
    for row in self.rules {
      let way = row.direction == Direction.response.rawValue ? ", response" : ""
      lines.append("")
      lines.append(
        "\(row.matches ? "match" : "no   ")  \(row.rule) (\(row.action)\(way)): \(row.why)"
      )
      if !row.description.isEmpty { lines.append("       \(row.description)") }
      lines.append("       \(row.location)")
      lines += row.conditions.map { "       \($0.text)" }
    }
    lines.append("")
    lines += self.modes.map { "mode \($0.text)" }
    return lines.joined(separator: "\n")
  }

  private static func candidates(_ candidates: [Candidate]) -> [String] {
    candidates.map { candidate in
      let region = candidate.region
      let others = region.countries.filter { $0 != region.name }
      let also = others.isEmpty ? "" : " (\(others.joined(separator: ", ")))"
      let system = region.asn.map { " AS\($0)" } ?? ""
      return "\(candidate.address) \(region.name)\(also)\(system)"
    }
  }

  private static func text(_ verdict: Verdict) -> String {
    "decided \(verdict.decided.rawValue), applied \(verdict.applied.rawValue)"
      + (verdict.rule.map { ", rule \($0) decides" } ?? ", no rule applies")
  }
}

extension ExplainedFlow.Row {
  init(_ explanation: RuleExplanation, direction: Direction) {
    let why: String
    let matches: Bool
    switch explanation.outcome {
    case .matched: (matches, why) = (true, "every key holds")
    case .excepted: (matches, why) = (false, "its unless holds")
    case .missed(let key, let seen):
      (matches, why) = (false, "\(key) does not hold: \(seen.isEmpty ? "nothing" : seen)")
    case .waiting(let key): (matches, why) = (false, "\(key) is not known")
    }
    self.init(
      rule: explanation.rule.text,
      action: explanation.action.rawValue,
      direction: direction.rawValue,
      description: explanation.description,
      location: explanation.location.description,
      matches: matches,
      why: why,
      conditions: explanation.conditions.map {
        ExplainedFlow.Condition(
          key: $0.key,
          exception: $0.isException,
          asked: $0.asked,
          seen: $0.seen,
          answer: $0.answer.rawValue
        )
      }
    )
  }
}

extension ExplainedFlow.Condition {
  /// In one line, for people.
  fileprivate var text: String {
    let name = self.exception ? "unless \(self.key)" : self.key
    let answer =
      switch self.answer {
      case "holds": "yes"
      case "fails": "no"
      default: "?"
      }
    let seen = self.seen.isEmpty ? "not known" : self.seen
    return "\(answer.padded(to: 4))\(name.padded(to: 14)) \(self.asked)  <-  \(seen.printable)"
  }
}

/// A URL's authority and path.
struct ExplainedTarget {
  let authority: Authority
  let path: String
  /// Whether a path was given, rather than a host alone.
  let hasPath: Bool

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
    self.hasPath = port != nil
    self.path = path.isEmpty ? "/" : String(path)
  }
}
