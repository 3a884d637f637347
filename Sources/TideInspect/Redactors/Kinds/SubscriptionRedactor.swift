import TideCore

/// Subscriber and card identities: of the same operator, which is no secret and which apps check.
struct SubscriptionRedactor: Redactor {
  static let kinds = ["imsi", "iccid"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .digits(let digits) = subject, digits.count > 8 else { return nil }
    if kind == .imsi {
      // MCC and MNC stay (3GPP TS 23.003 §2.2).
      let kept = digits.prefix(Self.hasThreeDigitNetworks(digits) ? 6 : 5)
      // Three zeros, by which the inspectors know that it is nobody's.
      let zeros = [UInt8](repeating: 0x30, count: min(3, digits.count - kept.count))
      return .digits(kept + zeros + choices.digits(digits.count - kept.count - zeros.count))
    }
    // 89, country and issuer stay: at most seven digits (ITU-T E.118 §4.1).
    let body = digits.prefix(7) + choices.digits(digits.count - 8)
    return .digits(body + [Luhn.checkDigit(after: body)])
  }

  /// Whether the country's network codes have three digits, all or some (ITU-T E.212 annex).
  private static func hasThreeDigitNetworks(_ digits: [UInt8]) -> Bool {
    let country = String(decoding: digits.prefix(3), as: UTF8.self)
    return country.hasPrefix("31") || self.countries.contains(country)
  }

  private static let countries: Set<String> = [
    "302", "334", "338", "342", "344", "346", "348", "350", "352", "354", "356", "358", "360",
    "364", "365", "366", "374", "376", "405", "708", "714", "722", "732", "738", "750",
  ]
}
