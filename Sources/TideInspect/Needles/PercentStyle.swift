import TideCore

/// Which bytes stay as they are under percent-encoding: encoders differ.
enum PercentStyle: CaseIterable {
  /// `encodeURIComponent`: letters, digits and `-_.~!*'()`.
  case component
  /// Forms (WHATWG URL, "application/x-www-form-urlencoded"): letters, digits, `-_.*`, space as `+`.
  case form
  /// RFC 3986 unreserved characters alone.
  case unreserved
  /// As `unreserved`, and `/` stays.
  case path

  func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 3)
    for byte in bytes {
      if self.keeps(byte) {
        text.append(byte)
      } else if self == .form, byte == 0x20 {
        text.append(0x2B)
      } else {
        text.append(0x25)
        text.append(Self.digit(byte >> 4))
        text.append(Self.digit(byte & 15))
      }
    }
    return text
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? 0x30 + value : 0x41 + value - 10
  }

  private func keeps(_ byte: UInt8) -> Bool {
    if ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 { return true }
    let others: StaticString =
      switch self {
      case .component: "-_.~!*'()"
      case .form: "-_.*"
      case .unreserved: "-_.~"
      case .path: "-_.~/"
      }
    return others.withUTF8Buffer { unsafe $0.contains(byte) }
  }
}
