import TideConfig
import TideCore
import Testing

@Suite struct DeviceDocumentTests {
  private func parse(_ yaml: String) throws -> DeviceProfile {
    try DeviceDocument.parse(yaml: yaml, path: "devices/d.yaml")
  }

  private func values(_ profile: DeviceProfile, _ kind: String) -> [String] {
    profile.identifiers.filter { $0.kind.name == kind }.map(\.value)
  }

  @Test("The profile of PRODUCT.md section 8 reads whole, canaries among the identifiers")
  func example() throws {
    let profile = try self.parse(Examples.device)
    #expect(profile.name == "redmi")
    #expect(profile.addresses.map(\.description) == ["192.168.1.23/32"])
    #expect(self.values(profile, "imei") == ["490154203237518"])
    #expect(self.values(profile, "imsi") == ["466920123456789"])
    #expect(self.values(profile, "iccid") == ["8988692000000000001"])
    #expect(self.values(profile, "msisdn") == ["+886912345678"])
    #expect(self.values(profile, "android_id") == ["9774d56d682e549c"])
    #expect(self.values(profile, "contact_name") == ["Tide Waiter QX7"])
    #expect(self.values(profile, "contact_phone") == ["+886955555501"])
    #expect(self.values(profile, "sms_text") == ["TW-CANARY-7F3K"])
    #expect(profile.identifiers.count == 8)
  }

  @Test("A number without quotes keeps every digit as written")
  func digits() throws {
    let profile = try self.parse(
      "name: a\nidentifiers: { imei: [490154203237518, 0o17], serial: 00123, meid: 1e10, ssid: [no, ~x] }"
    )
    #expect(self.values(profile, "imei") == ["490154203237518", "0o17"])
    #expect(self.values(profile, "serial") == ["00123"])
    #expect(self.values(profile, "meid") == ["1e10"])
    #expect(self.values(profile, "ssid") == ["no", "~x"])
  }

  @Test("A device may have several addresses, blocks, or none")
  func addresses() throws {
    let several = try self.parse("name: a\nmatch: { ip: [192.0.2.1, \"2001:db8::/64\"] }")
    #expect(several.addresses.map(\.description) == ["192.0.2.1/32", "2001:db8::/64"])
    #expect(try self.parse("name: a").addresses.isEmpty)
  }

  @Test("A device may be known by its proxy users")
  func users() throws {
    #expect(try self.parse("name: a\nmatch: { user: redmi }").users == ["redmi"])
    #expect(try self.parse("name: a\nmatch: { user: [a, b] }").users == ["a", "b"])
    #expect(try self.parse("name: a").users.isEmpty)
  }

  @Test("What is wrong in a profile is told with its place")
  func refused() {
    let yaml = """
      nam: a
      match: { mac: "02:00:00:00:00:01", user: "a:b", ip: phone }
      identifiers: { imie: [1], opaque: [x], imsi: [~, [1]], email: "" }
      canary: { contact: [x, { nick: a }], sms: {} }
      sdk_keys: [{ name: a }, { name: b, alg: AES-128-GCM, key_hex: xy }, { name: c, alg: DES-ECB, key_hex: 00 }]
      """
    #expect(
      problems(device: yaml) == [
        "devices/d.yaml:1:1: the key \"name\" is missing",
        "devices/d.yaml:1:1: unknown key \"nam\"; did you mean \"name\"?",
        "devices/d.yaml:2:15: match.mac other than null is not available in this version",
        "devices/d.yaml:2:42: match.user: expected a name without blanks and / : , of at most 64 characters, found \"a:b\"",
        "devices/d.yaml:2:53: match.ip: expected an address or a block such as 192.0.2.0/24, found \"phone\"",
        "devices/d.yaml:3:16: unknown key \"imie\" under identifiers; did you mean \"imei\"?",
        "devices/d.yaml:3:27: unknown key \"opaque\" under identifiers",
        "devices/d.yaml:3:47: identifiers.imsi: expected text, found nothing",
        "devices/d.yaml:3:50: identifiers.imsi: expected text, found a list",
        "devices/d.yaml:3:63: identifiers.email: expected text, found \"\"",
        "devices/d.yaml:4:21: canary.contact: expected a contact: { name: …, phone: … }, found \"x\"",
        "devices/d.yaml:4:26: unknown key \"nick\" under canary.contact",
        "devices/d.yaml:4:43: canary.sms: expected text, found a mapping",
        "devices/d.yaml:5:12: the key \"sdk_keys.alg\" is missing",
        "devices/d.yaml:5:12: the key \"sdk_keys.key_hex\" is missing",
        "devices/d.yaml:5:41: sdk_keys.alg: expected a cipher: AES-128, AES-192, AES-256, DES, 3DES, TEA or XTEA, then -ECB or -CBC, then -PKCS7, -ZERO or -NONE: AES-128-ECB-PKCS7, found \"AES-128-GCM\"",
        "devices/d.yaml:5:63: sdk_keys.key_hex: expected the key: bytes in hexadecimal digits, found \"xy\"",
        "devices/d.yaml:5:103: sdk_keys.key_hex: expected the key: 8 bytes in hexadecimal digits, found \"00\"",
      ]
    )
    #expect(
      problems(device: "name: a b") == [
        "devices/d.yaml:1:7: name: expected a name without blanks and / : , of at most 64 characters, found \"a b\""
      ]
    )
  }

  @Test("Keys of SDKs are read with their ciphers, and a vector if they have one")
  func keys() throws {
    let profile = try self.parse(
      """
      name: a
      sdk_keys:
        - { name: vendor-sdk, alg: AES-128-ECB-PKCS7, key_hex: 000102030405060708090a0b0c0d0e0f }
        - { name: old, alg: DES-CBC, key_hex: 0123456789abcdef, iv_hex: "0000000000000000" }
      """
    )
    #expect(profile.sdkKeys.map(\.name) == ["vendor-sdk", "old"])
    #expect(profile.sdkKeys.first?.key == Array(0...15))
    #expect(profile.sdkKeys.map(\.iv) == [nil, [UInt8](repeating: 0, count: 8)])
  }

  @Test("No device has the name under which the proxy's own requests are recorded")
  func ownName() throws {
    #expect(
      problems(device: "name: tidewaiter") == [
        "devices/d.yaml:1:7: name: \"tidewaiter\" is what the proxy's own requests are recorded as"
      ]
    )
    let failure = #expect(throws: ConfigFailure.self) {
      try DeviceDocument.template(name: "tidewaiter", ip: nil)
    }
    #expect(failure?.description.contains("the proxy's own requests") == true)
    #expect(try self.parse("name: tidewaiter2").name == "tidewaiter2")
  }

  @Test("The template of a new device is a profile with its name and address and no values")
  func template() throws {
    for name in ["redmi", "手機", "a\"b\\c"] {
      let address = try #require(IPAddress("192.0.2.7"))
      let profile = try self.parse(DeviceDocument.template(name: name, ip: address))
      #expect(profile.name == name && profile.identifiers.isEmpty)
      #expect(profile.addresses.map(\.description) == ["192.0.2.7/32"])
    }
    let without = try self.parse(DeviceDocument.template(name: "a", ip: nil))
    #expect(without.addresses.isEmpty)
    #expect(throws: ConfigFailure.self) { try DeviceDocument.template(name: "../x", ip: nil) }
  }
}
