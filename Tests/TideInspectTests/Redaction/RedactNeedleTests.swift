import Testing
import TideCore
import TideCrypto

@testable import TideInspect

/// Every way in which a value of a profile is searched for can be written with its pseudonym.
@Suite struct RedactNeedleTests {
  private static let more = DeviceProfile(
    name: "more",
    addresses: [],
    identifiers: [
      ("account_id", "2728115890"), ("ssid", "Harbour-Keeper-5G"), ("serial", "22e76e44"),
      ("meid", "A02726EC3E16A1"), ("oaid", "be31d6d6be37ce20"), ("msisdn", "+8613912345678"),
      ("browsing_url", "https://news.example/2014/09/permit?id=88213"),
      ("contact_name", "Nguyễn Thị Hương"), ("clipboard", "tide-Pass!2931 seed=orbit lemon"),
    ].map { DeviceProfile.Identifier(kind: FindingKind($0), value: $1) }
  )

  @Test("What is searched for in a string or in binary is replaced there, at the same length")
  func all() throws {
    let context = try makeContext([Phone.profile, Self.more])
    let set = context.plan.needles
    // A prime stride goes through all kinds, spellings and layers.
    for index in stride(from: 0, to: set.needles.count, by: max(1, set.needles.count / 150) | 1) {
      let needle = set.needles[index]
      let value = set.values[needle.value]
      let spelled = try #require(needle.spelling.bytes(of: value.subject))
      let body = try #require(Self.body(needle, spelled))
      let found = context.findings([body])
      let way = Comment(rawValue: "\(value.kind) \(needle.spelling) \(needle.layer)")
      #expect(!found.isEmpty, way)
      let result = context.redact(
        body: body,
        head: request(),
        direction: .request,
        findings: found
      )
      #expect(result?.body.count == body.count, way)
      let left = context.findings([result?.body ?? body]).map { Seen($0) }
      #expect(Set(left).isDisjoint(with: found.map { Seen($0) }), way)
    }
  }

  /// A body with the needle's string in it as a sender would write it.
  private static func body(_ needle: Needle, _ spelled: [UInt8]) -> Bytes? {
    guard var text = needle.layer.bytes(of: spelled) else { return nil }
    switch needle.layer {
    case .base64(let alphabet, let offset):
      let whole = [UInt8](repeating: 0x2E, count: offset + 3) + spelled + [0x2E, 0x2E]
      text = Array(alphabet.encode(whole).utf8)
    case .jsonEscapes: break
    case .none, .exact, .percent, .entities, .hex, .base32, .digest, .digestTwice:
      let isText =
        String(validating: text, as: UTF8.self) != nil && text.allSatisfy { $0 >= 0x20 }
      guard isText else {
        return Bytes([0x01, 0x80, 0x02, 0xFF, 0xFE, 0x00] + text + [0x00, 0xC1, 0x81, 0x02])
      }
      text = text.flatMap { $0 == 0x22 || $0 == 0x5C ? [0x5C, $0] : [$0] }
    }
    return Bytes(Array("{\"a\":1,\"zz\":\"".utf8) + text + Array("\"}".utf8))
  }
}
