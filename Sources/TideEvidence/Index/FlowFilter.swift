public import TideCore

/// Which flows or findings to show: words such as `region:CN finding:imei -host:*.example since:10m`.
///
/// Keys are joined by AND, values of one key (repeated, or separated by commas) by OR; `size` alone is
/// joined by AND, to give a range. A word with `-` in front leaves out what it matches.
public struct FlowFilter: Sendable {
  /// Leaves nothing out.
  public static let all = FlowFilter(terms: [])

  /// The keys that a word may begin with.
  enum Key: String, CaseIterable, Sendable {
    case device, host, ip, port, region, asn
    case protocolName = "protocol"
    case direction, method, path, header, type, size, finding, certainty, decided, applied, rule
    case status, treatment, text, since, until
  }

  /// What a value of a word asks.
  enum Test: Sendable {
    case text(String)
    case pattern(String)
    case host(String)
    case block(CIDR)
    case numbers(ClosedRange<UInt64>)
    case time(String)
    /// Words next to each other, as the index is asked for them.
    case words(String)
  }

  struct Term: Sendable {
    let key: Key
    /// The field's name if the key is `header`, else empty.
    let field: String
    let isNegated: Bool
    var tests: [Test]
  }

  let terms: [Term]

  /// Reads the words of a filter.
  ///
  /// - Parameters:
  ///   - words: as typed, split at spaces.
  ///   - now: what `since:10m` counts back from.
  ///   - watched: the regions that `region:watched` stands for.
  /// - Returns: the filter.
  /// - Throws: `badFilter`, naming the word and what it could have been.
  public static func parse(
    _ words: [String],
    at now: WallTime,
    watched: [String] = []
  ) throws(EvidenceFailure) -> FlowFilter {
    var terms: [Term] = []
    for word in words where !word.isEmpty {
      let term = try FlowFilterParser(word: word, now: now, watched: watched).term()
      // Only sizes and times are narrowed by a second word; any other key is widened by it.
      let isWidened = !term.isNegated && ![.size, .since, .until].contains(term.key)
      let index = terms.firstIndex {
        $0.key == term.key && $0.field == term.field && !$0.isNegated
      }
      if isWidened, let index {
        terms[index].tests += term.tests
      } else {
        terms.append(term)
      }
    }
    return FlowFilter(terms: terms)
  }

  /// Whether a flow is shown, as far as its record tells: `CaseReader.shows` asks its heads and contents too.
  ///
  /// `finding`, `certainty` and `direction` together ask for one finding that has all of it. `direction`
  /// also says which way's `size` and `type` count; alone it asks nothing, as every flow has both ways.
  public func matches(_ flow: FlowRecord) -> Bool {
    self.terms.allSatisfy { term in
      term.isOfFinding || term.isOfContent || term.isNegated != self.matches(term, flow)
    } && self.matches(flow.tags)
  }

  /// What the words about findings say of all findings of a flow.
  func matches(_ tags: [FlowRecord.FindingTag]) -> Bool {
    let ofFinding = self.terms.filter(\.isOfFinding)
    let negated = ofFinding.filter(\.isNegated)
    guard negated.allSatisfy({ term in !tags.contains { Self.matches(term, $0) } }) else {
      return false
    }
    let asked = ofFinding.filter { !$0.isNegated }
    return asked.allSatisfy { $0.key == .direction }
      || tags.contains { tag in asked.allSatisfy { Self.matches($0, tag) } }
  }

  /// Whether a finding of a flow is shown.
  ///
  /// The words about findings ask of this one, `since`, `until`, `decided`, `applied` and `rule` too; the
  /// others ask of its flow.
  public func matches(_ finding: FindingRecord, of flow: FlowRecord) -> Bool {
    let tag = FlowRecord.FindingTag(
      kind: finding.kind,
      certainty: finding.certainty,
      direction: finding.direction
    )
    return self.terms.allSatisfy { term in
      if term.isOfContent { return true }
      let isMatch =
        switch term.key {
        case .finding, .certainty, .direction: Self.matches(term, tag)
        case .since: term.tests.allSatisfy { $0.accepts(from: finding.time) }
        case .until: term.tests.allSatisfy { $0.accepts(to: finding.time) }
        case .decided: term.accepts(finding.decided)
        case .applied: term.accepts(finding.applied)
        case .rule: term.accepts(finding.rule)
        case .device, .host, .ip, .port, .region, .asn, .protocolName, .method, .path, .header,
          .type, .size, .status, .treatment, .text:
          self.matches(term, flow)
        }
      return isMatch != term.isNegated
    }
  }

  static func matches(_ term: Term, _ tag: FlowRecord.FindingTag) -> Bool {
    switch term.key {
    case .finding: term.accepts(tag.kind)
    case .certainty: term.accepts(tag.certainty)
    case .direction: term.accepts(tag.direction)
    case .device, .host, .ip, .port, .region, .asn, .protocolName, .method, .path, .header, .type,
      .size, .decided, .applied, .rule, .status, .treatment, .text, .since, .until:
      true
    }
  }

  private func matches(_ term: Term, _ flow: FlowRecord) -> Bool {
    switch term.key {
    case .device: return term.accepts(flow.device)
    case .host:
      return [flow.host, flow.sni, flow.urlHost].contains { name in term.accepts(name) }
    case .ip:
      let addresses = [flow.address] + flow.candidates.map(\.address)
      return addresses.contains { term.accepts($0) }
    case .port: return term.accepts(UInt64(flow.port))
    case .region: return flow.regionLabels.contains { term.accepts($0) }
    case .asn: return flow.systems.contains { term.accepts(UInt64($0)) }
    case .protocolName: return term.accepts(flow.protocolName)
    case .method: return term.accepts(flow.method)
    case .path: return term.accepts(flow.urlPath)
    case .type:
      return self.ways(request: flow.requestType, response: flow.responseType).contains {
        term.accepts($0)
      }
    case .size:
      return self.ways(request: flow.requestBytes, response: flow.responseBytes).contains { size in
        size.map { size in term.tests.allSatisfy { $0.accepts(size) } } ?? false
      }
    case .decided: return term.accepts(flow.decided)
    case .applied: return term.accepts(flow.applied)
    case .rule: return term.accepts(flow.rule)
    case .status: return flow.status.map { term.accepts(UInt64(clamping: $0)) } ?? false
    case .treatment: return term.accepts(flow.treatment)
    case .since: return term.tests.allSatisfy { $0.accepts(from: flow.started) }
    case .until: return term.tests.allSatisfy { $0.accepts(to: flow.started) }
    case .finding, .certainty, .direction, .header, .text: return true
    }
  }

  /// The sides of a flow that a `direction` word, if there is one, lets count.
  func ways<Value>(request: Value, response: Value) -> [Value] {
    guard let term = self.terms.first(where: { $0.key == .direction && !$0.isNegated }) else {
      return [request, response]
    }
    return (term.accepts("request") ? [request] : []) + (term.accepts("response") ? [response] : [])
  }
}

extension FlowFilter.Term {
  /// Whether it asks what heads and contents say, which only the index knows.
  var isOfContent: Bool { self.key == .header || self.key == .text }

  var isOfFinding: Bool {
    switch self.key {
    case .finding, .certainty, .direction: true
    case .device, .host, .ip, .port, .region, .asn, .protocolName, .method, .path, .header, .type,
      .size, .decided, .applied, .rule, .status, .treatment, .text, .since, .until:
      false
    }
  }

  func accepts(_ text: String?) -> Bool {
    guard let text else { return false }
    return self.tests.contains { $0.accepts(text) }
  }

  func accepts(_ number: UInt64) -> Bool { self.tests.contains { $0.accepts(number) } }
}

extension FlowFilter.Test {
  func accepts(_ text: String) -> Bool {
    switch self {
    case .text(let wanted): ASCII.equalsIgnoringCase(text.utf8, wanted.utf8)
    case .pattern(let pattern): Pattern.matches(text.utf8, pattern.utf8)
    case .host(let pattern):
      Hostname(text)?.matches(pattern: pattern) ?? ASCII.equalsIgnoringCase(text.utf8, pattern.utf8)
    case .block(let block): IPAddress(text).map { block.contains($0) } ?? false
    case .numbers, .time, .words: false
    }
  }

  func accepts(_ number: UInt64) -> Bool {
    if case .numbers(let range) = self { return range.contains(number) }
    return false
  }

  /// Times of ours all have the same form, so that text orders as time does.
  fileprivate func accepts(from time: String) -> Bool {
    if case .time(let limit) = self { return time >= limit }
    return false
  }

  fileprivate func accepts(to time: String) -> Bool {
    if case .time(let limit) = self { return time <= limit }
    return false
  }
}

/// Patterns in which `*` stands for any run of bytes; the case of ASCII letters is ignored.
enum Pattern {
  static func matches(_ text: some Collection<UInt8>, _ pattern: some Collection<UInt8>) -> Bool {
    let text = text.map(ASCII.lowercased)
    let pattern = pattern.map(ASCII.lowercased)
    var position = 0
    var index = 0
    // Where to go on after the last `*` if what follows it does not fit: linear in practice, and never
    // worse than text × pattern.
    var retry: (index: Int, position: Int)?
    while position < text.count {
      if index < pattern.count, pattern[index] == 0x2A {
        index += 1
        retry = (index, position)
      } else if index < pattern.count, pattern[index] == text[position] {
        index += 1
        position += 1
      } else if let (afterStar, start) = retry {
        retry = (afterStar, start + 1)
        index = afterStar
        position = start + 1
      } else {
        return false
      }
    }
    return pattern[index...].allSatisfy { $0 == 0x2A }
  }
}

extension FlowRecord {
  /// The host inside the URL; what `:authority` or `Host` said.
  var urlHost: String? { Self.host(ofOrigin: self.origin) }

  /// The URL's part before its path; empty for a tunnel.
  var origin: String {
    guard let start = self.url.firstRange(of: "://")?.upperBound else { return "" }
    return String(self.url[..<start]) + self.url[start...].prefix { $0 != "/" && $0 != "?" }
  }

  static func host(ofOrigin origin: String) -> String? {
    guard let start = origin.firstRange(of: "://")?.upperBound else { return nil }
    // Which port is meant without one does not matter here.
    return Authority(origin[start...], defaultPort: 443)?.host.description
  }

  /// The URL's path, without the query.
  var urlPath: String {
    guard let start = self.url.firstRange(of: "://")?.upperBound else { return "" }
    let path = self.url[start...].drop { $0 != "/" && $0 != "?" }.prefix { $0 != "?" }
    return path.isEmpty ? "/" : String(path)
  }
}
