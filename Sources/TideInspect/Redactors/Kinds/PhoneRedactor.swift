import TideCore

/// Telephone numbers: of the same country and length, in a range that nobody is called in.
struct PhoneRedactor: Redactor {
  static let kinds = ["msisdn", "contact_phone"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .phone(let phone) = subject else { return nil }
    return .phone(Self.number(phone, &choices))
  }

  static func number(_ phone: PhoneNumber, _ choices: inout Choices) -> PhoneNumber {
    if phone.country.isEmpty, let known = self.international(phone.number) {
      let other = self.number(known, &choices)
      return PhoneNumber(country: [], number: other.canonical)
    }
    let country = String(decoding: phone.country, as: UTF8.self)
    let count = phone.number.count
    if country == "1", count == 10 {
      // 555-0100 to 555-0199 of any area are for fiction (ATIS-0300115).
      let area = [0x32 + UInt8(choices.below(8)), 0x30 + UInt8(choices.below(8))]
      let number = Array(area) + choices.digits(1) + Array("55501".utf8) + choices.digits(2)
      return PhoneNumber(country: phone.country, number: number)
    }
    if let range = self.unusedRanges[country], range.count == count {
      let prefix = Array(range.prefix.utf8)
      if prefix.count + 2 <= count {
        let number = prefix + choices.digits(count - prefix.count)
        return PhoneNumber(country: phone.country, number: number)
      }
    }
    // The first digits say what kind of line it is; a block that begins with zeros is seldom given.
    let kept = min(3, max(1, count - 5))
    let zeros = [UInt8](repeating: 0x30, count: min(2, max(0, count - kept - 3)))
    let number =
      Array(phone.number.prefix(kept)) + zeros + choices.digits(count - kept - zeros.count)
    return PhoneNumber(country: phone.country, number: number)
  }

  /// Country code and number of digits that begin with a country code and have its numbers' length.
  ///
  /// A pattern gives digits alone.
  private static func international(_ digits: [UInt8]) -> PhoneNumber? {
    if digits.count == 11, digits.first == 0x31, digits[1] > 0x31, digits[3] > 0x31 {
      return PhoneNumber(country: [0x31], number: Array(digits.dropFirst()))
    }
    for (country, range) in self.unusedRanges.sorted(by: { $0.key < $1.key })
    where digits.count == country.utf8.count + range.count && digits.starts(with: country.utf8) {
      return PhoneNumber(
        country: Array(country.utf8),
        number: Array(digits.dropFirst(country.utf8.count))
      )
    }
    return nil
  }

  /// A range, and how many digits a mobile number has.
  private struct Range {
    let prefix: String
    let count: Int
  }

  /// Ranges for fiction (ARCEP, Ofcom, PTS, BNetzA, ACMA) or that were given to no operator (MIIT,
  /// NCC), by country code.
  private static let unusedRanges: [String: Range] = [
    "33": Range(prefix: "63998", count: 9), "44": Range(prefix: "7700900", count: 10),
    "46": Range(prefix: "7017406", count: 9), "49": Range(prefix: "176040690", count: 11),
    "61": Range(prefix: "491570", count: 9), "86": Range(prefix: "154", count: 11),
    "886": Range(prefix: "94", count: 9),
  ]
}
