/// What was found: one of DETECTION's kinds, or one that an inspector of the operator's adds.
public struct FindingKind: Hashable, Sendable {
  /// The name used in rules, records and reports, such as `imei`.
  public let name: String

  /// Makes a kind.
  public init(_ name: String) { self.name = name }

  /// An equipment identity: 14 digits and a check digit (3GPP TS 23.003 §6.2.1).
  public static let imei = FindingKind("imei")
  /// A CDMA equipment identity: 14 hexadecimal digits.
  public static let meid = FindingKind("meid")
  /// A subscriber identity: 15 digits (3GPP TS 23.003 §2.2).
  public static let imsi = FindingKind("imsi")
  /// A SIM card's number: 19 or 20 digits from 89, with a Luhn digit (ITU-T E.118).
  public static let iccid = FindingKind("iccid")
  /// The device's own telephone number.
  public static let msisdn = FindingKind("msisdn")
  /// A telephone number of a contact.
  public static let contactPhone = FindingKind("contact_phone")
  /// A name from the address book.
  public static let contactName = FindingKind("contact_name")
  /// A mail address.
  public static let email = FindingKind("email")
  /// The address of the Wi-Fi interface.
  public static let wifiMAC = FindingKind("wifi_mac")
  /// A network operator's name.
  public static let carrier = FindingKind("carrier")

  /// The kinds that a device profile may list and a rule may name (DETECTION.md section 2).
  public static let known: [String] = [
    "imei", "meid", "imsi", "iccid", "msisdn", "contact_phone", "contact_name", "sms_text",
    "clipboard", "android_id", "gaid", "oaid", "serial", "wifi_mac", "bt_mac", "bssid", "ssid",
    "gps", "email", "account_id", "app_list", "browsing_url", "carrier", "opaque",
  ]
}

extension FindingKind: CustomStringConvertible {
  /// The name.
  public var description: String { self.name }
}

/// How sure a finding is.
public enum Certainty: String, Comparable, CaseIterable, Sendable {
  /// A pattern alone.
  case possible
  /// A pattern with a check sum and context.
  case likely
  /// A value of the device's profile, plain or as a digest.
  case certain

  private var rank: Int {
    switch self {
    case .possible: 0
    case .likely: 1
    case .certain: 2
    }
  }

  /// Orders from `possible` to `certain`.
  public static func < (a: Certainty, b: Certainty) -> Bool { a.rank < b.rank }
}

/// The part of a message in which something was found.
public enum FindingLocation: String, CaseIterable, Sendable {
  /// The request target before `?`.
  case path
  /// The request target after `?`.
  case query
  /// A header field other than Cookie and Set-Cookie.
  case header
  /// A Cookie or Set-Cookie field.
  case cookie
  /// The content.
  case body
  /// A trailer field.
  case trailer
  /// A WebSocket message.
  case websocket
}

/// Which way a message goes.
public enum Direction: String, CaseIterable, Sendable {
  /// From the device to the server.
  case request
  /// From the server to the device.
  case response
}

/// One identifier seen in one place.
public struct Finding: Hashable, Sendable {
  /// What it is.
  public let kind: FindingKind
  /// How sure.
  public let certainty: Certainty
  /// In which part of the message.
  public let location: FindingLocation
  /// Which way the message goes.
  public let direction: Direction
  /// Where inside the part: a field's name, a query key, a JSON path; empty if the part has no inside.
  public let path: String
  /// The layers around the value, outermost first (`gzip`, `base64`, `md5`); empty if plain.
  public let encoding: [String]
  /// The bytes it occupies, counted from the part's start: of the decoded body (after content coding),
  /// the target, or the field's value.
  public let range: Range<Int>
  /// The identifier itself in its canonical spelling: digits only, lower case.
  ///
  /// Evidence keeps its HMAC.
  public let value: Bytes
  /// The inspector that reported it.
  public let inspector: String

  /// Joins a finding.
  public init(
    kind: FindingKind,
    certainty: Certainty,
    location: FindingLocation,
    direction: Direction,
    path: String,
    encoding: [String],
    range: Range<Int>,
    value: Bytes,
    inspector: String
  ) {
    self.kind = kind
    self.certainty = certainty
    self.location = location
    self.direction = direction
    self.path = path
    self.encoding = encoding
    self.range = range
    self.value = value
    self.inspector = inspector
  }
}
