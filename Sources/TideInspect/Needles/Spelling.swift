import TideCore

/// One way to write a value; a function, so that a pseudonym can be written the same way.
indirect enum Spelling: Hashable, Sendable {
  /// The canonical spelling itself.
  case canonical
  /// Its ASCII letters in upper case.
  case upper
  /// Its ASCII letters in lower case.
  case lower
  /// Its first bytes: an IMEI without its check digit.
  case prefix(Int)
  /// Its last bytes: how a long message ends.
  case suffix(Int)
  /// With the Luhn digit that it lacks.
  case checked
  /// Groups with one separator between them, in either case.
  case grouped([Int], separator: UInt8, isUpper: Bool)
  /// A telephone number after `+`, `00` or nothing, the national number in groups.
  case international(prefix: String, afterCountry: UInt8, groups: [Int], separator: UInt8)
  /// A telephone number as dialled at home, in groups.
  case national(groups: [Int], separator: UInt8)
  /// A telephone number without country code and trunk prefix.
  case subscriber
  /// A telephone number as dialled at home, its first group in parentheses: `(02) 2345-6789`.
  case parenthesized(groups: [Int], separator: UInt8, isSpaced: Bool)
  /// A name's words, perhaps the last one first, with something between them.
  case words(isLastFirst: Bool, separator: String)
  /// An address without its scheme, or without its query.
  case url(hasScheme: Bool, hasQuery: Bool)
  /// Another spelling after these characters.
  case after(String, Spelling)
  /// Another spelling in another coding.
  case coded(Spelling, ValueCoding)
  /// Identifiers one after the other, each in a spelling of its own.
  case joined([Spelling], separator: String)

  /// The bytes of `subject` written this way; nil if it cannot be.
  func bytes(of subject: Subject) -> [UInt8]? {
    let canonical = subject.canonical.array
    switch self {
    case .canonical: return canonical
    case .upper: return canonical.map { $0 &- 0x61 < 26 ? $0 - 0x20 : $0 }
    case .lower: return canonical.map(ASCII.lowercased)
    case .prefix(let count): return canonical.count > count ? Array(canonical.prefix(count)) : nil
    case .suffix(let count): return canonical.count > count ? Array(canonical.suffix(count)) : nil
    case .checked: return canonical + [Luhn.checkDigit(after: canonical)]
    case .grouped(let groups, let separator, let isUpper):
      let text = Self.grouped(canonical, groups, separator)
      return isUpper ? text?.map { $0 &- 0x61 < 26 ? $0 - 0x20 : $0 } : text
    case .international(let prefix, let afterCountry, let groups, let separator):
      guard case .phone(let phone) = subject, !phone.country.isEmpty else { return nil }
      if groups.isEmpty { return Array(prefix.utf8) + phone.country + phone.number }
      guard let rest = Self.grouped(phone.number, groups, separator) else { return nil }
      return Array(prefix.utf8) + phone.country + [afterCountry] + rest
    case .national(let groups, let separator):
      guard case .phone(let phone) = subject else { return nil }
      let number = phone.trunkPrefix + phone.number
      return groups.isEmpty ? number : Self.grouped(number, groups, separator)
    case .subscriber:
      guard case .phone(let phone) = subject, !phone.country.isEmpty else { return nil }
      return phone.number
    case .parenthesized(let groups, let separator, let isSpaced):
      guard case .phone(let phone) = subject, let first = groups.first,
        let text = Self.grouped(phone.trunkPrefix + phone.number, groups, separator)
      else { return nil }
      let rest = text.dropFirst(first + 1)
      return [0x28] + text.prefix(first) + (isSpaced ? [0x29, 0x20] : [0x29]) + rest
    case .words(let isLastFirst, let separator):
      var words = canonical.split(separator: 0x20)
      guard words.count > 1 else { return nil }
      if isLastFirst, let last = words.popLast() { words.insert(last, at: 0) }
      return Array(words.joined(separator: Array(separator.utf8)))
    case .url(let hasScheme, let hasQuery):
      return Self.url(canonical, hasScheme: hasScheme, hasQuery: hasQuery)
    case .after(let text, let spelling):
      return spelling.bytes(of: subject).map { Array(text.utf8) + $0 }
    case .coded(let spelling, let coding):
      return spelling.bytes(of: subject).flatMap(coding.bytes(of:))
    case .joined(let spellings, let separator):
      guard case .joined(let parts) = subject, parts.count == spellings.count else { return nil }
      let texts = zip(parts, spellings).compactMap { $1.bytes(of: $0.subject) }
      guard texts.count == parts.count else { return nil }
      return Array(texts.joined(separator: Array(separator.utf8)))
    }
  }

  /// The names that findings show between a layer's and the value.
  var names: [String] {
    switch self {
    case .coded(_, let coding): coding.names
    case .joined: ["joined"]
    case .after(_, let spelling): spelling.names
    case .canonical, .upper, .lower, .prefix, .suffix, .checked, .grouped, .international,
      .national, .subscriber, .parenthesized, .words, .url:
      []
    }
  }

  /// What the bytes are, if the spelling is not simply UTF-8.
  var nature: ValueCoding.Nature {
    if case .coded(_, let coding) = self { return coding.nature }
    return .text
  }

  /// The parts of an address that are wanted; nil if only a host would be left, or nothing is missing.
  private static func url(_ text: [UInt8], hasScheme: Bool, hasQuery: Bool) -> [UInt8]? {
    let slashes = Array("://".utf8)
    guard let sign = text.indices.first(where: { text[$0...].starts(with: slashes) }) else {
      return nil
    }
    let query = text.firstIndex { $0 == 0x3F || $0 == 0x23 }
    var end = hasQuery ? text.count : query ?? text.count
    // `/` alone is the same as nothing.
    if end == text.count || !hasQuery, end > 0, text[end - 1] == 0x2F { end -= 1 }
    guard end > sign + 3 else { return nil }
    let path = text[(sign + 3)..<end].firstIndex(of: 0x2F)
    guard path != nil || (hasQuery && query != nil) else { return nil }
    return Array(text[(hasScheme ? 0 : sign + 3)..<end])
  }

  private static func grouped(
    _ bytes: [UInt8],
    _ groups: [Int],
    _ separator: UInt8
  ) -> [UInt8]? {
    guard groups.reduce(0, +) == bytes.count else { return nil }
    var text: [UInt8] = []
    var start = 0
    for group in groups {
      if start > 0 { text.append(separator) }
      text += bytes[start..<start + group]
      start += group
    }
    return text
  }
}
