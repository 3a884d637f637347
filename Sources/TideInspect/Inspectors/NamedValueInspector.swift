import TideCore

/// Finds identifiers that only their name tells from any other run of digits or letters: equipment and
/// subscriber identities in unusual spellings, advertising ids, serial numbers, addresses without
/// separators.
///
/// A value counts that has its kind's form from end to end under exactly its kind's name; ids of sessions
/// and requests have other names.
struct NamedValueInspector: LeafInspector {
  static let id = "named"
  let interest = Interest.everything

  private static let wanted: LeafTopics = [
    .imei, .meid, .imsi, .gaid, .oaid, .androidID, .serial, .account, .ssid, .wifiMAC,
    .bluetoothMAC,
    .bssid,
  ]

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    let named = leaves.leaves(about: Self.wanted)
    guard !named.isEmpty else { return }
    // A sibling that tells how well it is received: `ssid` alone may be a session's id.
    let radios = Set(leaves.leaves(about: .radio).compactMap(\.leaf.group))
    for (leaf, topics) in named where (1...64).contains(leaf.value.count) {
      if topics.contains(.ssid) {
        guard leaf.group.map({ radios.contains($0) }) == true, Self.isNetworkName(leaf.value)
        else { continue }
        sink.report(FindingKind("ssid"), .likely, in: leaf, value: leaf.value)
        continue
      }
      let text = leaf.value.array
      guard let found = Self.kind(text, topics) else { continue }
      sink.report(found.kind, found.certainty, in: leaf, value: Bytes(found.value))
    }
  }

  private typealias Found = (kind: FindingKind, certainty: Certainty, value: [UInt8])

  private static func kind(_ text: [UInt8], _ topics: LeafTopics) -> Found? {
    if topics.contains(.imei) {
      return IMEIForm.digits(text).map { (.imei, .likely, $0) }
    }
    if topics.contains(.imsi) {
      return self.isSubscriber(text) ? (.imsi, .likely, text) : nil
    }
    let lower = text.map(ASCII.lowercased)
    if topics.contains(.meid) {
      return self.isMEID(lower) ? (.meid, .likely, lower) : nil
    }
    if !topics.isDisjoint(with: [.gaid, .oaid]) {
      guard let digits = self.advertisingID(lower, isShort: topics.contains(.oaid)) else {
        return nil
      }
      return (FindingKind(topics.contains(.gaid) ? "gaid" : "oaid"), .likely, digits)
    }
    if topics.contains(.androidID) {
      let isID = lower.count == 16 && self.isHex(lower) && Set(lower).count > 4
      return isID ? (FindingKind("android_id"), .likely, lower) : nil
    }
    if topics.contains(.serial) {
      return self.isSerial(text) ? (FindingKind("serial"), .possible, text) : nil
    }
    if topics.contains(.account) {
      let isID = (6...15).contains(text.count) && text.allSatisfy(ASCII.isDigit) && text[0] != 0x30
      return isID && !Placeholder.isOne(text) ? (FindingKind("account_id"), .likely, text) : nil
    }
    return self.address(lower, topics)
  }

  // MARK: Forms

  /// 15 digits of a mobile country code that a country was given (ITU-T E.212).
  private static func isSubscriber(_ text: [UInt8]) -> Bool {
    guard text.count == 15, text.allSatisfy(ASCII.isDigit) else { return false }
    // Pseudonyms have three zeros after a network's two or three digits.
    let zeros = Array("000".utf8)
    if text[5..<8].elementsEqual(zeros) || text[6..<9].elementsEqual(zeros) { return false }
    return MobileCountries.contain(text[0...2]) && !Placeholder.isOne(text.suffix(9))
  }

  /// 14 hexadecimal digits of which the first two are from A0 on, or decimal ones from 99 on (3GPP2 S.R0048).
  private static func isMEID(_ text: [UInt8]) -> Bool {
    guard text.count == 14, self.isHex(text), Set(text).count > 4 else { return false }
    return text[0] >= 0x61 || text.starts(with: [0x39, 0x39])
  }

  /// A UUID with or without hyphens; of `isShort` ids also 16 to 64 hexadecimal digits.
  private static func advertisingID(_ text: [UInt8], isShort: Bool) -> [UInt8]? {
    let digits = text.filter { $0 != 0x2D }
    let isUUID =
      digits.count == 32
      && (text.count == 32 || text.count == 36 && [8, 13, 18, 23].allSatisfy { text[$0] == 0x2D })
    let isID = isUUID || isShort && text.count == digits.count && (16...64).contains(digits.count)
    // Those who declined have zeros.
    return isID && self.isHex(digits) && Set(digits).count > 5 ? digits : nil
  }

  /// Letters and digits, both: a run of digits may be anything.
  private static func isSerial(_ text: [UInt8]) -> Bool {
    (8...16).contains(text.count)
      && text.allSatisfy { ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 }
      && text.contains { ASCII.isDigit($0) } && text.contains { !ASCII.isDigit($0) }
      && Set(text).count > 4
  }

  /// An address without the separators that tell it: `94cec487670f`, `94ce.c487.670f`.
  private static func address(_ text: [UInt8], _ topics: LeafTopics) -> Found? {
    let isDotted = text.count == 14 && text[4] == 0x2E && text[9] == 0x2E
    let digits = isDotted ? text.filter { $0 != 0x2E } : text
    guard digits.count == 12, self.isHex(digits), LinkAddress.isHardware(digits) else { return nil }
    if topics.contains(.bssid) { return (FindingKind("bssid"), .likely, digits) }
    if LinkAddress.isLocal(digits) { return nil }
    return (topics.contains(.bluetoothMAC) ? FindingKind("bt_mac") : .wifiMAC, .likely, digits)
  }

  private static func isHex(_ text: [UInt8]) -> Bool {
    text.allSatisfy { ASCII.hexValue($0) != nil }
  }

  /// Up to 32 bytes (IEEE 802.11 §9.4.2.2), in quotes or not, that do not say that there is none.
  private static func isNetworkName(_ value: Bytes) -> Bool {
    let none = ["<unknown ssid>", "unknown", "null", "none", "0x"]
    return value.count <= 34 && !none.contains(value.text.lowercased())
  }
}

/// The mobile country codes that are given (ITU-T E.212, list of 2023).
enum MobileCountries {
  static func contain(_ digits: ArraySlice<UInt8>) -> Bool {
    let code = digits.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
    return self.ranges.contains { $0.contains(code) } || self.singles.contains(code)
  }

  private static let ranges: [ClosedRange<Int>] = [
    218...222, 225...226, 230...232, 234...235, 246...248, 282...284, 288...290, 292...297,
    310...316,
    362...366, 400...402, 404...406, 410...432, 436...438, 440...441, 454...457, 460...461,
    466...467,
    470...472, 536...537, 539...555, 602...643, 645...655, 657...659,
  ]
  private static let singles: Set<Int> = [
    202, 204, 206, 208, 212, 213, 214, 216, 228, 238, 240, 242, 244, 250, 255, 257, 259, 260, 262,
    266,
    268, 270, 272, 274, 276, 278, 280, 286, 302, 308, 330, 332, 334, 338, 340, 342, 344, 346, 348,
    350,
    352, 354, 356, 358, 360, 368, 370, 372, 374, 376, 434, 450, 452, 502, 505, 510, 514, 515, 520,
    525,
    528, 530, 702, 704, 706, 708, 710, 712, 714, 716, 722, 724, 730, 732, 734, 736, 738, 740, 742,
    744,
    746, 748, 750, 901,
  ]
}
