import Testing
import TideCore

@testable import TideInspect

@Suite struct NamedValueTests {
  private func lines(_ body: String) throws -> [String] {
    try makeContext([], inspectors: ["named"]).findings(body).map(\.line)
  }

  @Test(
    "A value of its kind's form under its kind's name is found",
    arguments: [
      ("imei", "{\"imei\":\"35-391805-701234-2\"}"), ("imei", "{\"imeisv\":\"3539180570123407\"}"),
      ("imei", "{\"imei2\":353918057012342}"), ("imei", "{\"imei\":\"35391805701234\"}"),
      ("meid", "{\"meid\":\"A02726EC3E16A1\"}"), ("imsi", "{\"imsi\":\"466019184910221\"}"),
      ("imsi", "{\"subscriberId\":460001357924680}"),
      ("gaid", "{\"gaid\":\"f863bff5-5648-48c0-be98-b209e5c95708\"}"),
      ("gaid", "{\"advertisingId\":\"F863BFF5564848C0BE98B209E5C95708\"}"),
      ("oaid", "{\"oaid\":\"be31d6d6be37ce20\"}"),
      ("android_id", "{\"android_id\":\"2a89e2f389de05d4\"}"),
      ("serial", "{\"serialNumber\":\"22e76e44ab\"}"), ("account_id", "{\"mi_id\":\"272811589\"}"),
      ("wifi_mac", "{\"mac\":\"94cec487670f\"}"), ("bssid", "{\"bssid\":\"94ce.c487.670f\"}"),
      ("bt_mac", "{\"bt_mac\":\"94CEC487670F\"}"),
      ("ssid", "{\"ssid\":\"Harbour Nest\",\"rssi\":-61}"),
      ("gaid", "gaid=f863bff5564848c0be98b209e5c95708&a=1"),
    ]
  )
  func found(kind: String, body: String) throws {
    let lines = try self.lines(body)
    #expect(lines.count == 1 && lines.allSatisfy { $0.hasPrefix(kind + " ") }, "\(body) \(lines)")
  }

  @Test(
    "Placeholders, values of other forms, and ids of sessions are none",
    arguments: [
      "{\"imei\":\"000000000000000\"}", "{\"imei\":\"123456789012345\"}",
      "{\"imei\":\"353918057012343\"}",
      "{\"imsi\":\"999019184910221\"}", "{\"imsi\":\"46601\"}", "{\"imsi\":\"466010000000000\"}",
      "{\"gaid\":\"00000000-0000-0000-0000-000000000000\"}",
      "{\"android_id\":\"0000000000000000\"}",
      "{\"sid\":\"f863bff5-5648-48c0-be98-b209e5c95708\",\"uuid\":\"f863bff5-5648-48c0-be98-b209e5c95708\"}",
      "{\"nonce\":\"be31d6d6be37ce20\",\"request_id\":\"2a89e2f389de05d4\"}",
      "{\"serial_no\":\"7735391805701234212\"}", "{\"serial\":\"12345678\"}",
      "{\"mac\":\"020000000000\"}",
      "{\"mac\":\"0123456789ab\"}", "{\"hmac\":\"94cec487670f\"}", "{\"ssid\":\"ab12\"}",
      "{\"ssid_count\":14,\"rssi\":-3}", "{\"ssid\":\"<unknown ssid>\",\"rssi\":-61}",
      "{\"imei_md5\":\"353918057012342\"}", "{\"tac\":\"35391805\",\"mccmnc\":\"46601\"}",
      "{\"meid\":\"12345678901234\"}", "{\"account_id\":\"12\"}",
    ]
  )
  func negatives(body: String) throws {
    #expect(try self.lines(body).isEmpty)
  }

  @Test("What a name ends in is what it is about; digits only number it")
  func topics() {
    #expect(LeafTopics(name: "X-Peer-Phone") == .phone.union(.partner).intersection(.phone))
    #expect(LeafTopics(name: "phoneNumber2").contains(.phone))
    #expect(!LeafTopics(name: "phoneModel").contains(.phone))
    #expect(LeafTopics(name: "support_tel").isSuperset(of: [.service, .phone]))
    #expect(LeafTopics(name: "tel_support").contains(.service))
    #expect(LeafTopics(name: "line1Number").isSuperset(of: [.own, .phone]))
    #expect(LeafTopics(name: "IMEI").contains(.imei))
    #expect(LeafTopics(name: "latE7").contains(.latitude))
    #expect(LeafTopics(name: "").isEmpty)
    #expect(LeafTopics(name: "_-_9").isEmpty)
  }
}
