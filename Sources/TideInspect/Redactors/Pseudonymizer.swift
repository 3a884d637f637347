import TideCore

/// Makes pseudonyms: values of the same kind, length and shape that belong to nobody.
///
/// HMAC-SHA-256(case secret, kind ‖ value) drives every choice (DETECTION.md section 4), so that a
/// value has one pseudonym in a case, and pseudonyms of two cases cannot be joined.
struct Pseudonymizer: Sendable {
  private let secret: [UInt8]
  /// The profiles' own values, none of which may stand for another.
  private let real: Set<Bytes>

  /// How often other choices are tried where one gave the value itself, another real one, or one that
  /// takes more or fewer bytes in binary.
  private static let attempts = UInt8(64)

  init(secret: [UInt8], profiles: [DeviceProfile] = []) {
    self.secret = secret
    var real = Set<Bytes>()
    for identifier in profiles.flatMap(\.identifiers) {
      guard let subject = Subject(identifier.kind, identifier.value) else { continue }
      for spelling in Self.spellings(subject) { real.insert(spelling) }
    }
    self.real = real
  }

  /// The pseudonym of a value; nil if the shape leaves no room for another one.
  func pseudonym(_ kind: FindingKind, _ subject: Subject) -> Subject? {
    if case .joined(let parts) = subject {
      let others = parts.compactMap { part in
        self.pseudonym(part.kind, part.subject).map { Subject.Part(kind: part.kind, subject: $0) }
      }
      return others.count == parts.count ? .joined(others) : nil
    }
    let canonical = subject.canonical
    let size = BinarySize(subject)
    var second: Subject?
    for attempt in 0..<Self.attempts {
      var choices = self.choices(kind, canonical, attempt: attempt)
      let candidate = Redactors.pseudonym(kind, subject, &choices)
      let written = candidate.canonical
      guard written != canonical, written.count == canonical.count,
        self.real.isDisjoint(with: Self.spellings(candidate))
      else { continue }
      if BinarySize(candidate) == size { return candidate }
      second = second ?? candidate
    }
    return second
  }

  /// The choices that the case's secret makes for a value.
  func choices(_ kind: FindingKind, _ value: Bytes, attempt: UInt8 = 0) -> Choices {
    Choices(key: self.secret, seed: Array(kind.name.utf8) + [0] + value.array + [attempt])
  }

  /// The ways to write a value by which it is known as someone's.
  private static func spellings(_ subject: Subject) -> [Bytes] {
    switch subject {
    case .phone(let phone): [subject.canonical, Bytes(phone.number)]
    case .text(let text): [Bytes(text.map(ASCII.lowercased)), subject.canonical]
    case .digits, .hex, .uuid, .mac, .email, .joined: [subject.canonical]
    }
  }
}

/// How much room an identifier takes where it travels as a number.
private struct BinarySize: Equatable {
  private let varint: Int
  private let decimal: Int
  private let hexadecimal: Int
  private let isNegative: Bool

  /// Nil if it is no number.
  init?(_ subject: Subject) {
    let value: UInt64?
    switch subject {
    case .digits(let digits): value = UInt64(String(decoding: digits, as: UTF8.self))
    case .hex(let digits), .mac(let digits):
      value = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    case .uuid, .phone, .email, .text, .joined: value = nil
    }
    guard let value else { return nil }
    self.varint = (UInt64.bitWidth - value.leadingZeroBitCount + 6) / 7
    self.decimal = String(value).utf8.count
    self.hexadecimal = String(value, radix: 16).utf8.count
    self.isNegative = value >> 63 == 1
  }
}
