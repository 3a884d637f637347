import TideCore

/// Finds link-layer addresses that are in no profile, under a name that says whose they are.
struct MACInspector: Inspector {
  static let id = "mac"
  let interest = Interest.everything
  let maxMatchLength = 17
  let trigger: Trigger? = Trigger(
    (0..<17).map { $0 % 3 == 2 ? ":-" : ByteSet.hexDigits }
  )

  private static let accessPoint = [
    "bssid", "bssids", "apmac", "routermac", "wlanap", "gatewaymac", "aps", "aplist", "wifilist",
    "wifiscan",
  ]
  /// Lists of what is received around the device: whatever an address is called there, it is a
  /// neighbour's.
  private static let neighbours = [
    "aps", "aplist", "accesspoints", "wifilist", "wifis", "wifiscan", "wifiscans", "scan", "scans",
    "scanresult", "scanresults", "scanlist", "neighbors", "neighbours", "nearby", "nearbywifi",
    "hotspots", "wifiaps",
  ]
  private static let bluetooth = ["bt", "btmac", "btaddr", "bluetooth", "bluetoothmac", "ble"]
  private static let own = [
    "mac", "macs", "macaddr", "macaddress", "wifi", "wifimac", "wlan", "wlanmac", "hwaddr", "ether",
    "ethernet", "lladdr",
  ]
  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    window.bytes.withSpan { span in
      var index = window.starts.lowerBound
      while index + 17 <= span.count {
        defer { index += 1 }
        let separator = span[index + 2]
        guard separator == 0x3A || separator == 0x2D, Self.isWhole(span, index, separator),
          let value = Self.digits(span, index, separator)
        else { continue }
        let names = window.names(at: index)
        let kind: FindingKind
        if names.include(Self.accessPoint) {
          kind = FindingKind("bssid")
        } else if names.include(Self.own), window.groupNames(at: index).include(Self.neighbours) {
          kind = FindingKind("bssid")
        } else if LinkAddress.isLocal(value) {
          continue
        } else if names.include(Self.bluetooth) {
          kind = FindingKind("bt_mac")
        } else if names.include(Self.own) {
          kind = .wifiMAC
        } else {
          continue
        }
        sink.report(kind, .likely, at: index..<index + 17, value: Bytes(value))
      }
    }
  }

  /// Whether nothing of the same kind goes on before or after: a key's fingerprint, an IPv6 address.
  private static func isWhole(_ span: Span<UInt8>, _ index: Int, _ separator: UInt8) -> Bool {
    if let before = Neighbour.before(span, index),
      ASCII.hexValue(before) != nil || before == separator && self.isGroup(span, index - 3)
    {
      return false
    }
    guard index + 17 < span.count else { return true }
    let after = span[index + 17]
    return ASCII.hexValue(after) == nil && !(after == separator && self.isHex(span, index + 18))
  }

  /// Whether two digits stand alone at `index`; the `ac` of `mac:` does not.
  private static func isGroup(_ span: Span<UInt8>, _ index: Int) -> Bool {
    self.isHex(span, index) && self.isHex(span, index + 1)
      && (index == 0 || Boundary.word.allows(span[index - 1]))
  }

  private static func isHex(_ span: Span<UInt8>, _ index: Int) -> Bool {
    index >= 0 && index < span.count && ASCII.hexValue(span[index]) != nil
  }

  /// The twelve digits in lower case; nil if it is no address, or one that stands for none.
  private static func digits(_ span: Span<UInt8>, _ start: Int, _ separator: UInt8) -> [UInt8]? {
    var digits: [UInt8] = []
    for index in 0..<17 {
      let byte = span[start + index]
      if index % 3 == 2 {
        guard byte == separator else { return nil }
      } else {
        guard ASCII.hexValue(byte) != nil else { return nil }
        digits.append(ASCII.lowercased(byte))
      }
    }
    return LinkAddress.isHardware(digits) ? digits : nil
  }
}

/// Link-layer addresses by their twelve hexadecimal digits in lower case.
enum LinkAddress {
  /// Addresses that stand for none.
  private static let placeholders: Set<String> = [
    "020000000000", "001122334455", "0123456789ab", "123456789abc", "aabbccddeeff", "010203040506",
    "deadbeefcafe",
  ]

  /// Whether one device has it: neither a group's nor a placeholder.
  static func isHardware(_ digits: [UInt8]) -> Bool {
    guard digits.count == 12 else { return false }
    let isGroup = (ASCII.hexValue(digits[1]) ?? 0) & 1 != 0
    let octets = Set(stride(from: 0, to: 12, by: 2).map { [digits[$0], digits[$0 + 1]] })
    return !isGroup && octets.count > 2
      && !self.placeholders.contains(String(decoding: digits, as: UTF8.self))
  }

  /// Whether it is a random address, which names no hardware (IEEE 802-2014 §8.2.2); an access point
  /// keeps what it announces.
  static func isLocal(_ digits: [UInt8]) -> Bool { (ASCII.hexValue(digits[1]) ?? 0) & 2 != 0 }
}
