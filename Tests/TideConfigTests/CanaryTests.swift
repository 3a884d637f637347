import TideConfig
import TideCore
import Testing

/// SplitMix64: the same sequence for the same seed.
private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}

@Suite struct CanaryTests {
  private func canary(_ seed: UInt64 = 1, besides profiles: [DeviceProfile] = []) throws -> Canary {
    var generator = Seeded(state: seed)
    return try #require(Canary.random(besides: profiles, using: &generator))
  }

  private func adding(_ canary: Canary, to yaml: String) throws -> String {
    try DeviceDocument.adding(canary, to: yaml, path: "devices/d.yaml")
  }

  private func values(_ yaml: String) throws -> [String] {
    try DeviceDocument.parse(yaml: yaml, path: "devices/d.yaml").identifiers.map {
      "\($0.kind) \($0.value)"
    }
  }

  @Test("Canaries are a name, a number of the range kept for drama, and a word for a message")
  func form() throws {
    let canary = try self.canary()
    #expect(canary.contactName.hasPrefix("Tide Waiter ") && canary.contactName.count == 17)
    #expect(canary.contactPhone.hasPrefix("+447700900") && canary.contactPhone.count == 13)
    #expect(canary.nationalPhone == "07700 900" + canary.contactPhone.suffix(3))
    #expect(canary.message.hasPrefix("TW-CANARY-") && canary.message.count == 18)
  }

  @Test("No canary repeats a value of any profile, until the numbers are used up")
  func unique() throws {
    var generator = Seeded(state: 7)
    var identifiers: [DeviceProfile.Identifier] = []
    for _ in 0..<1_000 {
      let profile = DeviceProfile(name: "a", addresses: [], identifiers: identifiers)
      let canary = try #require(Canary.random(besides: [profile], using: &generator))
      identifiers.append(.init(kind: .contactName, value: canary.contactName))
      identifiers.append(.init(kind: .contactPhone, value: canary.contactPhone))
    }
    #expect(Set(identifiers).count == 2_000)
    let full = DeviceProfile(name: "a", addresses: [], identifiers: identifiers)
    #expect(Canary.random(besides: [full], using: &generator) == nil)
  }

  @Test("They are added to whatever canary there is, and everything else stays, comments too")
  func added() throws {
    let canary = try self.canary()
    let own = [
      "contact_name \(canary.contactName)", "contact_phone \(canary.contactPhone)",
      "sms_text \(canary.message)",
    ]
    let yaml = """
      # the phone on the desk
      name: redmi   # its name
      canary:  # planted on Monday
        # the first one
        contact:
          - name: "Tide Waiter QX7"
            phone: "+886955555501"   # Taiwan
          - { name: 'A # B' }
        sms: [TW-1, "TW \\"2\\" # no comment"]

      # keys of SDKs
      sdk_keys: []
      """
    let text = try self.adding(canary, to: yaml)
    for line in [
      "# the phone on the desk", "name: redmi   # its name", "  # planted on Monday",
      "  # the first one", "  # Taiwan", "# keys of SDKs", "sdk_keys: []",
    ] {
      #expect(text.split(separator: "\n").map(String.init).contains(line), "\(line)")
    }
    #expect(Set(try self.values(text)) == Set(try self.values(yaml) + own))
    #expect(text.contains("\n\n# keys of SDKs\nsdk_keys: []"))
    // Once more: what was written by us is read and kept.
    let other = try self.canary(2)
    #expect(try self.values(self.adding(other, to: text)).count == 11)
  }

  @Test(
    "Every form of canary that a profile can have is extended",
    arguments: [
      "name: a", "name: a\n", "name: a\ncanary:\n", "name: a\ncanary: {}\nidentifiers: {}\n",
      "canary: { contact: [], sms: [] }   # x\nname: a\n", "name: a\ncanary: { sms: x }",
      "name: a\r\ncanary:\r\n  contact: { name: b }\r\n",
      "name: a\ncanary:\n  contact:\n  - name: b\n",
      "name: a\ncanary:\n  sms: [\n    a,\n    b ]\nidentifiers:\n  imei: [1]\n",
    ]
  )
  func forms(yaml: String) throws {
    let canary = try self.canary()
    let before = try self.values(yaml)
    let after = try self.values(self.adding(canary, to: yaml))
    #expect(after.count == before.count + 3 && Set(before).isSubset(of: after))
    #expect(after.contains("sms_text \(canary.message)"))
  }

  @Test("The template of a new device takes canaries")
  func template() throws {
    let template = try DeviceDocument.template(name: "a", ip: nil)
    #expect(try self.values(self.adding(self.canary(), to: template)).count == 3)
  }

  @Test("A file without room for a line is left alone, with the line to write")
  func noRoom() throws {
    let canary = try self.canary()
    let failure = #expect(throws: ConfigFailure.self) {
      try self.adding(canary, to: "{ name: a, canary: {} }")
    }
    #expect(failure?.description.contains(canary.message) == true)
    let broken = #expect(throws: ConfigFailure.self) { try self.adding(canary, to: "nam: a") }
    #expect(broken?.description.contains("unknown key \"nam\"") == true)
  }
}
