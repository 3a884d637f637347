import TideCore

/// Identities that a system or a shop made up: a UUID of version 4, or as many digits as before.
struct DeviceIDRedactor: Redactor {
  static let kinds = ["gaid", "oaid", "android_id", "serial"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    switch subject {
    case .uuid: .uuid(Self.uuid(&choices))
    case .hex(let digits): .hex(Filler.hexadecimal(digits, &choices))
    case .digits, .mac, .phone, .email, .text, .joined: nil
    }
  }

  /// RFC 9562 §5.4.
  static func uuid(_ choices: inout Choices) -> [UInt8] {
    var digits = choices.hexDigits(32)
    digits[12] = 0x34  // version 4
    digits[16] = Array("89ab".utf8)[choices.below(4)]  // RFC 9562's variant
    return digits
  }
}
