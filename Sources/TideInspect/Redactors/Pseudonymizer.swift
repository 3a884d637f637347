import TideCore
import TideCrypto

/// Makes pseudonyms: values of the same kind, length and shape that belong to nobody.
///
/// HMAC-SHA-256(case secret, kind ‖ value) drives every choice (DETECTION.md section 4), so that a
/// value has one pseudonym in a case, and pseudonyms of two cases cannot be joined.
struct Pseudonymizer: Sendable {
  let secret: [UInt8]

  /// The pseudonym of a value; nil if the shape leaves no room for another one.
  func pseudonym(_ kind: FindingKind, _ subject: Subject) -> Subject? {
    // The second try is for the rare case that chance gave the value itself.
    for attempt in UInt8(0)..<8 {
      var choices = Choices(
        key: self.secret,
        seed: Array(kind.name.utf8) + [0] + subject.canonical.array + [attempt]
      )
      let candidate = self.candidate(kind, subject, &choices)
      if candidate.canonical != subject.canonical { return candidate }
    }
    return nil
  }

  private func candidate(
    _ kind: FindingKind,
    _ subject: Subject,
    _ choices: inout Choices
  ) -> Subject {
    switch subject {
    case .digits(let digits): return .digits(Self.digits(kind, digits, &choices))
    case .hex(let digits): return .hex(Filler.hexadecimal(digits, &choices))
    case .uuid: return .uuid(Self.uuid(&choices))
    case .mac: return .mac(Self.mac(&choices))
    case .phone(let phone): return .phone(Self.phone(phone, &choices))
    case .email(let text): return .email(Filler.email(text, &choices))
    case .text(let text): return .text(Filler.text(text, &choices))
    }
  }

  private static func digits(
    _ kind: FindingKind,
    _ digits: [UInt8],
    _ choices: inout Choices
  ) -> [UInt8] {
    switch kind.name {
    case "imei" where digits.count == 15:
      // A type code no reporting body was given (GSMA TS.06 annex A). The test range begins with 00,
      // which a JSON number cannot.
      let body = Array("77".utf8) + choices.digits(12)
      return body + [Luhn.checkDigit(after: body)]
    case "imsi" where digits.count > 6:
      // MCC and MNC stay (3GPP TS 23.003 §2.2); North America's MNCs have three digits.
      let isThree = digits.starts(with: [0x33, 0x31]) || digits.starts(with: [0x33, 0x30, 0x32])
      let kept = digits.prefix(isThree ? 6 : 5)
      return kept + choices.digits(digits.count - kept.count)
    case "iccid" where digits.count > 8:
      // 89, country and issuer stay: at most seven digits (ITU-T E.118 §4.1).
      let body = digits.prefix(7) + choices.digits(digits.count - 8)
      return body + [Luhn.checkDigit(after: body)]
    default: return Filler.hexadecimal(digits, &choices)
    }
  }

  private static func uuid(_ choices: inout Choices) -> [UInt8] {
    var digits = choices.hexDigits(32)
    digits[12] = 0x34  // version 4
    digits[16] = Array("89ab".utf8)[choices.below(4)]  // RFC 9562's variant
    return digits
  }

  private static func mac(_ choices: inout Choices) -> [UInt8] {
    var digits = choices.hexDigits(12)
    digits[1] = Array("26ae".utf8)[choices.below(4)]  // local bit set, group bit clear
    return digits
  }

  /// A number of the same country and length in a range that nobody is called in.
  private static func phone(_ phone: PhoneNumber, _ choices: inout Choices) -> PhoneNumber {
    let country = String(decoding: phone.country, as: UTF8.self)
    let count = phone.number.count
    var number: [UInt8]
    if country == "1", count == 10 {
      // 555-0100 to 555-0199 of any area are for fiction (ATIS-0300115).
      number = [0x32 + UInt8(choices.below(8)), 0x30 + UInt8(choices.below(8))]
      number += choices.digits(1) + Array("55501".utf8) + choices.digits(2)
    } else if let prefix = self.unusedRanges[country], prefix.utf8.count + 3 <= count {
      number = Array(prefix.utf8) + choices.digits(count - prefix.utf8.count)
    } else {
      // The first digits say what kind of line it is; a block that begins with zeros is seldom given.
      let kept = min(3, max(1, count - 5))
      let zeros = [UInt8](repeating: 0x30, count: min(2, max(0, count - kept - 3)))
      number = phone.number.prefix(kept) + zeros + choices.digits(count - kept - zeros.count)
    }
    return PhoneNumber(country: phone.country, number: number)
  }

  /// Ranges for fiction (Ofcom, ARCEP, ACMA, PTS) or without subscribers, by country code.
  private static let unusedRanges = [
    "33": "63998", "44": "7700900", "46": "701740", "61": "491570", "86": "120", "886": "94",
  ]
}

/// Choices that look random and are the same for the same seed.
struct Choices {
  private let key: [UInt8]
  private let seed: [UInt8]
  private var block: [UInt8] = []
  private var position = 0
  private var counter: UInt32 = 0

  init(key: [UInt8], seed: [UInt8]) {
    self.key = key
    self.seed = seed
  }

  /// A number from 0 up to, not including, `bound`; for bounds so small that the bias is nothing.
  mutating func below(_ bound: Int) -> Int {
    if self.position + 4 > self.block.count {
      let number = (0..<4).map { UInt8(truncatingIfNeeded: self.counter >> UInt32(24 - 8 * $0)) }
      self.block = HMAC.sha256(key: self.key, self.seed + number)
      self.counter &+= 1
      self.position = 0
    }
    var value = 0
    for byte in self.block[self.position..<self.position + 4] { value = value << 8 | Int(byte) }
    self.position += 4
    return value % max(bound, 1)
  }

  /// Decimal digits.
  mutating func digits(_ count: Int) -> [UInt8] {
    (0..<max(0, count)).map { _ in 0x30 + UInt8(self.below(10)) }
  }

  /// Hexadecimal digits in lower case.
  mutating func hexDigits(_ count: Int) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return (0..<count).map { _ in digits[self.below(16)] }
  }
}
