import TideCore

/// How the text of a scalar becomes a value, and what to tell who wrote something else.
struct ScalarForm<Value> {
  /// What is expected, to follow "expected".
  let expected: String
  /// The words that are accepted, if it is a matter of words: the nearest is suggested.
  var words: [String] = []
  /// What is wrong with a text that is not accepted, where that can be told better than by `expected`.
  var objection: (String) -> String? = { _ in nil }
  /// The value; `nil` if the text is not of this form.
  let read: (String) -> Value?
}

// MARK: Text and words

extension ScalarForm where Value == String {
  /// Any text but an empty one.
  static var text: Self {
    Self(expected: "text") { $0.isEmpty ? nil : $0 }
  }

  /// A file or folder, seen from `base` unless absolute.
  static func path(in base: String) -> Self {
    Self(expected: "a path") { $0.isEmpty || $0.utf8.contains(0) ? nil : Paths.join(base, $0) }
  }

  /// The URL of an authority for time-stamps: `http` or `https`, without a user.
  static var timestampAuthority: Self {
    Self(expected: "an http or https URL") { text in
      let rest = ["http://", "https://"].lazy.filter { text.hasPrefix($0) }
        .map { text.dropFirst($0.count) }.first
      guard let rest, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
      let authority = rest.prefix { !"/?#".contains($0) }
      return authority.isEmpty || authority.contains("@") ? nil : text
    }
  }

  /// One of some words, letter by letter.
  static func word(of words: [String]) -> Self {
    Self(expected: Self.alternatives(words), words: words) { words.contains($0) ? $0 : nil }
  }

  /// A name of letters, digits and `-`, as rules and sets have.
  static func identifier(_ what: String) -> Self {
    Self(expected: "\(what) of a-z, 0-9 and -, at most 64 characters") { text in
      let isLegal = text.utf8.allSatisfy { ASCII.isDigit($0) || $0 &- 0x61 < 26 || $0 == 0x2D }
      return isLegal && (1...64).contains(text.utf8.count) ? text : nil
    }
  }

  /// `a, b or c`.
  static func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "nothing" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }
}

extension ScalarForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of an enumeration's words.
  static var word: Self {
    let words = Value.allCases.map(\.rawValue)
    return Self(expected: ScalarForm<String>.alternatives(words), words: words) {
      Value(rawValue: $0)
    }
  }
}

extension ScalarForm where Value == Bool {
  /// `true` or `false`; the other words of YAML 1.1 are refused, since YAML 1.2 reads them as text.
  static var boolean: Self {
    Self(expected: "true or false", words: ["true", "false"]) {
      switch $0 {
      case "true": true
      case "false": false
      default: nil
      }
    }
  }
}

// MARK: Numbers

extension ScalarForm where Value: FixedWidthInteger {
  /// A decimal number in a range, digits only.
  static func number(_ range: ClosedRange<Value>, _ what: String = "a number") -> Self {
    Self(expected: "\(what) from \(range.lowerBound) to \(range.upperBound)") { text in
      guard (1...19).contains(text.utf8.count), text.utf8.allSatisfy(ASCII.isDigit),
        let value = Value(text), range.contains(value)
      else { return nil }
      return value
    }
  }

  /// A count of bytes in a range: `65536`, `64KiB`, `20GiB`, `10MB`.
  static func byteSize(_ range: ClosedRange<Value>) -> Self {
    let bounds = "\(Units.sizeText(range.lowerBound)) to \(Units.sizeText(range.upperBound))"
    return Self(expected: "a size such as 64KiB, from \(bounds)") { text in
      guard let bytes = Units.bytes(text), let value = Value(exactly: bytes),
        range.contains(value)
      else { return nil }
      return value
    }
  }
}

extension ScalarForm where Value == Duration {
  /// A duration with its unit, in a range: `250ms`, `5s`, `90d`.
  static func duration(_ range: ClosedRange<Duration>) -> Self {
    let bounds =
      "\(Units.durationText(range.lowerBound)) to \(Units.durationText(range.upperBound))"
    return Self(expected: "a duration such as 250ms, 5s, 10m, 1h or 90d, from \(bounds)") { text in
      guard let duration = Units.duration(text), range.contains(duration) else { return nil }
      return duration
    }
  }
}

// MARK: Names and numbers of the network

extension ScalarForm where Value == ListenAddress {
  /// An address and a port to listen on.
  static var listenAddress: Self {
    Self(expected: "ADDRESS:PORT such as 0.0.0.0:8080 or [::1]:8080") { ListenAddress($0) }
  }
}

extension ScalarForm where Value == IPAddress {
  /// An address.
  static var address: Self {
    Self(expected: "an IP address") { IPAddress($0)?.unmapped }
  }
}

extension ScalarForm where Value == CIDR {
  /// A block of addresses, or one address.
  static var block: Self {
    Self(expected: "an address or a block such as 192.0.2.0/24") { CIDR($0) }
  }
}

extension ScalarForm where Value == Hostname {
  /// A host's name.
  static var hostname: Self { Self(expected: "a host name") { Hostname($0) } }
}

extension ScalarForm where Value == UInt32 {
  /// The number of an autonomous system (RFC 6793), with or without `AS` before it (RFC 5396).
  static var autonomousSystem: Self {
    let number = Self.number(1...UInt32.max)
    return Self(expected: "the number of an autonomous system, such as 64496 or AS64496") { text in
      number.read(text.lowercased().hasPrefix("as") ? String(text.dropFirst(2)) : text)
    }
  }
}
