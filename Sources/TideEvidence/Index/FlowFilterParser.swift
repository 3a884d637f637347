internal import TideCore

/// Reads one word of a filter.
struct FlowFilterParser {
  let word: String
  let now: WallTime
  let watched: [String]
  private static let headerPrefix = "header."

  init(word: String, now: WallTime, watched: [String]) {
    self.word = word
    self.now = now
    self.watched = watched
  }

  func term() throws(EvidenceFailure) -> FlowFilter.Term {
    let isNegated = self.word.hasPrefix("-")
    let body = isNegated ? self.word.dropFirst() : self.word[...]
    guard let colon = body.firstIndex(of: ":") else {
      throw self.failure("a word is key:value, as in finding:imei")
    }
    let name = body[..<colon].lowercased()
    let field =
      name.hasPrefix(Self.headerPrefix) ? String(name.dropFirst(Self.headerPrefix.count)) : ""
    if name == "header" || name == Self.headerPrefix {
      throw self.failure("a header word names its field, as in header.user-agent:*sdk*")
    }
    guard let key = field.isEmpty ? FlowFilter.Key(rawValue: name) : .header else {
      let keys = FlowFilter.Key.allCases.map(\.rawValue)
      throw self.failure("there is no key `\(name)`" + Self.suggestion(for: name, among: keys))
    }
    let text = body[body.index(after: colon)...]
    // Times hold no comma, and all else that does is a list.
    let values = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    var tests: [FlowFilter.Test] = []
    for value in values {
      guard !value.isEmpty else { throw self.failure("a value is missing") }
      tests += try self.tests(key, value)
    }
    return FlowFilter.Term(key: key, field: field, isNegated: isNegated, tests: tests)
  }

  private func tests(
    _ key: FlowFilter.Key,
    _ value: String
  ) throws(EvidenceFailure) -> [FlowFilter.Test] {
    switch key {
    case .device, .method, .path, .header, .rule, .type: return [.pattern(value)]
    case .finding:
      return [value.contains("*") ? .pattern(value) : .text(value)]
    case .protocolName: return [.text(value)]
    case .host: return [.host(value.lowercased())]
    case .region:
      return value.lowercased() == "watched" ? self.watched.map { .text($0) } : [.text(value)]
    case .ip:
      guard let block = CIDR(value) else { throw self.failure("`\(value)` is no address or CIDR") }
      return [.block(block)]
    case .port: return [try self.range(value, limit: 65_535)]
    case .asn:
      let digits = value.lowercased().hasPrefix("as") ? String(value.dropFirst(2)) : value
      return [try self.range(digits, limit: UInt64(UInt32.max))]
    case .status:
      if value.count == 3, value.lowercased().hasSuffix("xx"),
        let hundreds = UInt64(value.prefix(1))
      {
        return [.numbers(hundreds * 100...hundreds * 100 + 99)]
      }
      return [try self.range(value, limit: 999)]
    case .size: return [try self.size(value)]
    case .direction: return [try self.oneOf(value, Direction.allCases.map(\.rawValue))]
    case .certainty: return [try self.oneOf(value, Certainty.allCases.map(\.rawValue))]
    case .decided, .applied: return [try self.oneOf(value, Action.allCases.map(\.rawValue))]
    case .treatment: return [try self.oneOf(value, FlowTreatment.allCases.map(\.rawValue))]
    case .text:
      guard let query = SearchText.query(value) else {
        throw self.failure("`\(value)` has neither letters nor digits")
      }
      return [.words(query)]
    case .since, .until: return [.time(try self.time(value))]
    }
  }

  private func oneOf(
    _ value: String,
    _ allowed: [String]
  ) throws(EvidenceFailure) -> FlowFilter.Test {
    let value = value.lowercased()
    guard allowed.contains(value) else {
      throw self.failure(
        "`\(value)` is not one of \(allowed.joined(separator: ", "))"
          + Self.suggestion(for: value, among: allowed)
      )
    }
    return .text(value)
  }

  /// `443`, `8000-8999`, `>=400`.
  private func range(_ value: String, limit: UInt64) throws(EvidenceFailure) -> FlowFilter.Test {
    if let (relation, rest) = Self.relation(value), let number = UInt64(rest), number <= limit {
      return .numbers(Self.range(relation, number))
    }
    let ends = value.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
    guard let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2, low <= high,
      high <= limit
    else { throw self.failure("`\(value)` is not a number up to \(limit), or a range of them") }
    return .numbers(low...high)
  }

  /// `>=256KiB`, `<1MiB`; a number alone is that very size.
  private func size(_ value: String) throws(EvidenceFailure) -> FlowFilter.Test {
    let (relation, text) = Self.relation(value) ?? ("=", value)
    let digits = text.prefix { $0.isNumber }
    let units: [String: UInt64] = [
      "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1_000, "mb": 1_000_000,
      "gb": 1_000_000_000,
    ]
    guard let number = UInt64(digits), let unit = units[text.dropFirst(digits.count).lowercased()],
      case (let bytes, let overflow) = number.multipliedReportingOverflow(by: unit), !overflow
    else { throw self.failure("`\(value)` is not a size such as >=256KiB") }
    return .numbers(Self.range(relation, bytes))
  }

  /// `10m` back from now, or a time: RFC 3339 in UTC, `Z` and the time of day may be left out.
  private func time(_ value: String) throws(EvidenceFailure) -> String {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    if let unit = value.last.flatMap({ units[$0] }), let count = Int64(value.dropLast()),
      (0...1_000_000).contains(count)
    {
      return self.now.advanced(bySeconds: -count * unit).rfc3339
    }
    let upper = value.uppercased()
    for form in [upper, upper + "Z", upper + ":00Z", upper + "T00:00:00Z"] {
      if let time = WallTime(rfc3339: form) { return time.rfc3339 }
    }
    throw self.failure("`\(value)` is not a time such as 10m, 2h or 2026-11-22T18:00:00Z")
  }

  private static func relation(_ value: String) -> (String, String)? {
    for relation in [">=", "<=", ">", "<", "="] where value.hasPrefix(relation) {
      return (relation, String(value.dropFirst(relation.utf8.count)))
    }
    return nil
  }

  private static func range(_ relation: String, _ number: UInt64) -> ClosedRange<UInt64> {
    switch relation {
    case ">=": number...UInt64.max
    case ">": (number == .max ? number : number + 1)...UInt64.max
    case "<=": 0...number
    case "<": 0...(number == 0 ? 0 : number - 1)
    default: number...number
    }
  }

  private func failure(_ reason: String) -> EvidenceFailure {
    EvidenceFailure(.badFilter, detail: "`\(self.word)`: \(reason)")
  }

  /// `; did you mean …?` for the nearest of `names`, if it is near.
  private static func suggestion(for text: String, among names: [String]) -> String {
    let nearest = names.map { (name: $0, distance: self.distance(Array(text), Array($0))) }
      .min { $0.distance < $1.distance }
    guard let nearest, nearest.distance <= 2 else {
      return "; keys: \(names.joined(separator: " "))"
    }
    return "; did you mean `\(nearest.name)`?"
  }

  /// The least number of letters to insert, delete or replace to make one text of the other.
  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in b.enumerated() {
        let replaced = diagonal + (letter == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }
}
