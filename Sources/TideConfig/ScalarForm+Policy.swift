import TideCore
import TidePolicy

/// The words of rules, regions and cases.
extension ScalarForm where Value == String {
  /// `*.updates.example`, a name, an address, or `*`; in the form that `Hostname.matches` compares.
  static var hostPattern: Self {
    Self(
      expected: "a host name, an address, or a pattern such as *.updates.example",
      objection: { text in
        if text.contains("://") { return "is a URL: only its host name is meant here" }
        if text.dropFirst().contains("*") { return "has a * that is not the first label" }
        return Authority(text, defaultPort: nil) == nil || IPAddress(text) != nil
          ? nil : "has a port: name it under port"
      }
    ) { text in
      if text == "*" { return text }
      if text.hasPrefix("*.") { return Hostname(text.dropFirst(2)).map { "*." + $0.text } }
      return IPAddress(text)?.unmapped.description ?? Hostname(text)?.text
    }
  }

  /// A country, a set's name, or `watched`, `local`, `unknown`; which sets there are is not known here.
  static var region: Self {
    Self(expected: "a country code, the name of a set, watched, local or unknown") { text in
      let isLegal = text.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2D
      }
      return isLegal && (1...64).contains(text.utf8.count) ? text : nil
    }
  }

  /// What `watched` can stand for; if it is open, a set that another file may have too.
  static func watchable(
    sets: [String],
    orElsewhere isOpen: Bool = false
  ) -> Self {
    let words = sets + ["local", "unknown"]
    return Self(
      expected: "a country code of two letters, the name of a set, local or unknown",
      words: words
    ) { text in
      if words.contains(text) { return text }
      let other = isOpen ? Self.setName.read(text) : nil
      return Self.country.read(text) ?? other
    }
  }

  /// ISO 3166-1 alpha-2, made upper case.
  static var country: Self {
    Self(expected: "a country code of two letters, such as CN") { text in
      text.utf8.count == 2 && text.utf8.allSatisfy { ASCII.lowercased($0) &- 0x61 < 26 }
        ? text.uppercased() : nil
    }
  }

  /// The name of a set, which must not look like a country or one of the regions that always exist.
  static var setName: Self {
    let identifier = Self.identifier("the name of a set")
    let taken = ["watched", "local", "unknown"]
    return Self(
      expected: identifier.expected,
      objection: { text in
        if taken.contains(text) { return "has a meaning of its own in rules" }
        return Self.country.read(text) == nil ? nil : "would be taken for a country"
      }
    ) { text in
      guard !taken.contains(text), Self.country.read(text) == nil else { return nil }
      return identifier.read(text)
    }
  }

  /// The name of a folder below the folder of cases.
  static var caseName: Self {
    Self(expected: "a name of letters, digits, -, _ and .") { text in
      let isLegal = text.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
          || byte == 0x2D || byte == 0x2E || byte == 0x5F
      }
      return isLegal && (1...100).contains(text.utf8.count) && text.utf8.first != 0x2E ? text : nil
    }
  }

  /// A pattern of the request target's path.
  static var pathPattern: Self {
    Self(
      expected: "a path or a pattern such as /api/*",
      objection: { $0.contains("?") ? "has a ?, but the query is not part of the path" : nil }
    ) { text in
      (text.hasPrefix("/") || text.hasPrefix("*")) && !text.contains("?") ? text : nil
    }
  }

  /// A media type (RFC 9110 §8.3.1) without parameters; `*` may stand for the subtype.
  static var mediaType: Self {
    Self(expected: "a media type such as application/json or image/*") { text in
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ Token.isToken($0.utf8) }) else { return nil }
      return String(decoding: text.utf8.map(ASCII.lowercased), as: UTF8.self)
    }
  }

  /// A method (RFC 9110 §9.1), made upper case as all registered ones are.
  static var method: Self {
    Self(expected: "a method such as POST") { Token.isToken($0.utf8) ? $0.uppercased() : nil }
  }
}

extension ScalarForm where Value == ClosedRange<UInt16> {
  /// A port or a range of ports.
  static var ports: Self {
    let port = ScalarForm<UInt16>.number(1...UInt16.max)
    return Self(expected: "a port such as 443, or a range such as 8000-8999") { text in
      let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        .map { port.read(String($0)) }
      guard ends.count <= 2, case .some(.some(let low)) = ends.first,
        case .some(.some(let high)) = ends.last, low <= high
      else { return nil }
      return low...high
    }
  }
}

extension ScalarForm where Value == SizeCondition {
  /// A relation and a size.
  static var sizeCondition: Self {
    let size = ScalarForm<UInt64>.byteSize(0...UInt64.max >> 1)
    return Self(expected: "a comparison of sizes such as \">=256KiB\"") { text in
      // `>=` before `>`: the order of the cases.
      for relation in SizeCondition.Relation.allCases where text.hasPrefix(relation.rawValue) {
        let figure = text.dropFirst(relation.rawValue.count).drop { $0 == " " }
        return size.read(String(figure)).map { SizeCondition(relation: relation, bytes: $0) }
      }
      return nil
    }
  }
}

extension ScalarForm where Value == UInt64 {
  /// A duration in nanoseconds, as `Timeouts` has them.
  static func nanoseconds(_ range: ClosedRange<Duration>) -> Self {
    let duration = ScalarForm<Duration>.duration(range)
    return Self(expected: duration.expected) { text in
      guard let components = duration.read(text)?.components else { return nil }
      let (seconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
      return overflow ? nil : UInt64(exactly: seconds + components.attoseconds / 1_000_000_000)
    }
  }
}
