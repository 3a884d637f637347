import TideCore

/// Equipment identities: with a right check digit, and a type code that nobody was given.
struct EquipmentRedactor: Redactor {
  static let kinds = ["imei", "meid"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    switch subject {
    case .digits(let digits) where kind == .imei && (14...16).contains(digits.count):
      return .digits(Self.imei(digits.count, &choices))
    case .hex(let digits) where kind == .meid && digits.count == 14:
      // Regional codes are A0 to FF in use order (3GPP2 S.R0048 §3.2); decimal ones are IMEIs' (99).
      let isDecimal = digits.allSatisfy(ASCII.isDigit)
      return .hex(
        isDecimal ? Array(Self.imei(14, &choices)) : Array("ff".utf8) + choices.hexDigits(12)
      )
    case .digits, .hex, .uuid, .mac, .phone, .email, .text, .joined: return nil
    }
  }

  /// Type code, serial number, and the check digit or the two of a software version.
  ///
  /// 47 and 77 are reporting bodies that do not exist (GSMA TS.06 annex A). The codes for test equipment
  /// begin with 00, which a JSON number cannot, and a value has one pseudonym wherever it stands. Of two,
  /// since in binary one of them takes as many bytes as what it stands for.
  private static func imei(_ count: Int, _ choices: inout Choices) -> [UInt8] {
    let body = Array((choices.below(2) == 0 ? "47" : "77").utf8) + choices.digits(12)
    switch count {
    case 14: return body
    case 15: return body + [Luhn.checkDigit(after: body)]
    default: return body + choices.digits(count - 14)
    }
  }
}
