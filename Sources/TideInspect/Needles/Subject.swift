import TideCore

/// What a profile's value is, taken apart as far as its spellings need.
enum Subject: Hashable, Sendable {
  /// Digits alone: IMEI, IMSI, ICCID.
  case digits([UInt8])
  /// Hexadecimal digits in lower case: MEID, Android id, advertising ids without hyphens.
  case hex([UInt8])
  /// The 32 hexadecimal digits of a UUID (RFC 9562), in lower case.
  case uuid([UInt8])
  /// The 12 hexadecimal digits of a link-layer address, in lower case.
  case mac([UInt8])
  /// A telephone number.
  case phone(PhoneNumber)
  /// A mail address.
  case email([UInt8])
  /// Anything else, as written, in UTF-8.
  case text([UInt8])
  /// Several identifiers of one device, which are hashed as one.
  case joined([Part])

  /// An identifier among those that are joined.
  struct Part: Hashable, Sendable {
    let kind: FindingKind
    let subject: Subject
  }

  /// Reads a profile's value; nil if nothing is left to search for.
  ///
  /// A value that does not have its kind's form is searched for as it is written: a profile may hold
  /// what a device really sends, not what it should send.
  init?(_ kind: FindingKind, _ value: String) {
    let written = Self.trimmed(Array(value.utf8))
    let digits = written.filter(ASCII.isDigit)
    let hex = written.map(ASCII.lowercased).filter { ASCII.hexValue($0) != nil }
    let separators: [UInt8] = [0x20, 0x2D, 0x2E, 0x2F, 0x3A]
    let bare = written.filter { !separators.contains($0) }
    let isAllHex = hex.count == bare.count
    guard !written.isEmpty else { return nil }
    switch kind.name {
    case "imei", "imsi", "iccid":
      self = digits.count == bare.count ? .digits(digits) : .text(written)
    case "msisdn", "contact_phone":
      self = PhoneNumber(written).map { .phone($0) } ?? .text(written)
    case "wifi_mac", "bt_mac", "bssid":
      self = isAllHex && hex.count == 12 ? .mac(hex) : .text(written)
    case "gaid", "oaid":
      self = !isAllHex ? .text(written) : hex.count == 32 ? .uuid(hex) : .hex(hex)
    case "android_id", "meid": self = isAllHex ? .hex(hex) : .text(written)
    case "email": self = .email(written.map(ASCII.lowercased))
    // A position is matched by distance, opacity by measure: not by text.
    case "gps", "opaque": return nil
    default: self = .text(written)
    }
  }

  /// The canonical spelling, as findings carry it: digits only, lower case.
  var canonical: Bytes {
    switch self {
    case .digits(let bytes), .hex(let bytes), .uuid(let bytes), .mac(let bytes),
      .email(let bytes), .text(let bytes):
      Bytes(bytes)
    case .phone(let number): Bytes(number.canonical)
    case .joined(let parts):
      Bytes(Array(parts.map { $0.subject.canonical.array }.joined(separator: [0x2B])))
    }
  }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 &- 0x09 < 5 }
    return Array(bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}
