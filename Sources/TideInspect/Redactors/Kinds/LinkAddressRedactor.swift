import TideCore

/// Link-layer addresses: locally administered ones, which no maker gives (IEEE 802 §8.2.2).
struct LinkAddressRedactor: Redactor {
  static let kinds = ["wifi_mac", "bt_mac", "bssid"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .mac = subject else { return nil }
    return .mac(Self.address(&choices))
  }

  static func address(_ choices: inout Choices) -> [UInt8] {
    var digits = choices.hexDigits(12)
    digits[1] = Array("26ae".utf8)[choices.below(4)]  // local bit set, group bit clear
    return digits
  }
}
