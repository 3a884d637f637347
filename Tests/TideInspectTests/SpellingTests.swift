import Testing
import TideCore
import TideCrypto

@testable import TideInspect

@Suite struct SpellingTests {
  private func spellings(_ kind: String, _ value: String) -> Set<String> {
    let kind = FindingKind(kind)
    guard let subject = Subject(kind, value) else { return [] }
    return Set(
      SpellingUse.all(of: kind, subject)
        .compactMap { $0.spelling.bytes(of: subject).map { String(decoding: $0, as: UTF8.self) } }
    )
  }

  @Test("A number is spelled as each country dials it")
  func phones() {
    let taiwan = self.spellings("msisdn", "+886 912 345 678")
    #expect(
      taiwan.isSuperset(of: [
        "+886912345678", "886912345678", "00886912345678", "0912345678", "912345678",
        "0912-345-678", "+886-912-345-678", "+886 912-345-678", "0912 345 678",
      ])
    )
    let china = self.spellings("contact_phone", "0086-139-1234-5678")
    #expect(china.isSuperset(of: ["13912345678", "139-1234-5678", "+86 139 1234 5678"]))
    #expect(!china.contains("013912345678"))
    #expect(self.spellings("msisdn", "+79161234567").contains("89161234567"))
    // Without a country nothing is guessed.
    #expect(self.spellings("msisdn", "0912345678").allSatisfy { !$0.hasPrefix("+") })
  }

  @Test("Separators and cases of the other kinds")
  func others() {
    #expect(
      self.spellings("imei", "35-209900-176148-1").isSuperset(of: [
        "352099001761481", "35209900176148", "35-209900-176148-1", "35 209900 176148 1",
      ])
    )
    #expect(
      self.spellings("wifi_mac", "E4-34-F1-2F-5B-17").isSuperset(of: [
        "e4:34:f1:2f:5b:17", "E434F12F5B17", "e4-34-f1-2f-5b-17", "e434.f12f.5b17",
      ])
    )
    #expect(
      self.spellings("gaid", Phone.gaid).isSuperset(of: [
        Phone.gaid, Phone.gaid.uppercased(), "f863bff5564848c0be98b209e5c95708",
      ])
    )
  }

  @Test("What is matched otherwise, or means nothing, makes no needles")
  func none() throws {
    let identifiers = [
      ("gps", "25.05,121.52"), ("opaque", "x"),
      ("contact_name", " "), ("account_id", "ab"), ("contact_name", ""),
    ].map { DeviceProfile.Identifier(kind: FindingKind($0), value: $1) }
    let profile = DeviceProfile(name: "x", addresses: [], identifiers: identifiers)
    #expect(try makeContext([profile]).plan.needleCount == 0)
    // A profile that says something twice says it once.
    let twice = try makeContext([Phone.profile, Phone.profile]).plan.needleCount
    #expect(twice == (try makeContext().plan.needleCount))
    #expect(twice > 1_000)
  }

  @Test("Short values stay possible")
  func short() throws {
    let identifiers = [("contact_name", "Ann"), ("account_id", "48213")]
      .map { DeviceProfile.Identifier(kind: FindingKind($0), value: $1) }
    let context = try makeContext([
      DeviceProfile(name: "x", addresses: [], identifiers: identifiers)
    ])
    #expect(
      context.findings("to=Ann&id=48213&x=Anna&y=148213").map(\.line)
        == ["contact_name possible body to", "account_id possible body id"]
    )
  }

  @Test("The digits that a value owns in base64 are those that never change", arguments: 0..<3)
  func base64Shape(offset: Int) {
    let value = Array("490154203237518".utf8)
    let shape = Base64Shape(offset: offset, count: value.count)
    var seen = Set<String>()
    for filler in [UInt8(0x00), 0x41, 0xFF] {
      let text = Base64.standard.encode(
        [UInt8](repeating: filler, count: offset) + value + [filler, filler]
      )
      seen.insert(String(Array(text)[shape.core]))
    }
    #expect(seen.count == 1)
    #expect(shape.occupied.lowerBound <= shape.core.lowerBound)
    #expect(shape.occupied.upperBound - shape.core.upperBound <= 1)
  }
}
