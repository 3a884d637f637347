import Testing
import TideCore

@testable import TideInspect

@Suite struct GroupedNumberTests {
  private static let phone = DeviceProfile(
    name: "phone",
    addresses: [],
    identifiers: [
      ("msisdn", "+919835513796"), ("contact_phone", "+5511944539899"), ("imsi", "460011234567890"),
      ("imei", Phone.imei), ("contact_phone", "+442079460123"),
    ].map { DeviceProfile.Identifier(kind: FindingKind($0), value: $1) }
  )

  private func lines(_ text: String) throws -> [String] {
    try makeContext([Self.phone], inspectors: ["grouped"])
      .findings("{\"v\":\"\(text)\"}").map { "\($0.kind.name) \($0.value.text)" }
  }

  @Test(
    "A number is known in groups of any size, with any separator",
    arguments: [
      ("+91-983-5513796", "msisdn 919835513796"), ("983 551 3796", "msisdn 919835513796"),
      ("(0983) 5513796", "msisdn 919835513796"), ("tel 0983/551/3796 or", "msisdn 919835513796"),
      ("+91 (983) 551-3796", "msisdn 919835513796"), ("0091 983551 3796", "msisdn 919835513796"),
      ("11944-539-899", "contact_phone 5511944539899"),
      ("11944.539.899", "contact_phone 5511944539899"),
      ("+44 (0)2079 460123", "contact_phone 442079460123"),
      ("460 01 1234567 890", "imsi 460011234567890"),
      ("490154 203237-518", "imei 490154203237518"), ("4901542 0323751", "imei 490154203237518"),
    ]
  )
  func found(text: String, expected: String) throws {
    #expect(try self.lines(text) == [expected])
  }

  @Test(
    "A part of something longer, another number and one in a piece are none of it",
    arguments: [
      "9835513796", "1983 551 3796", "983 551 37961", "7-983-551-3796", "983-551-3796-2",
      "ab-983-551-3796", "983 551 3797", "983 551, 3796", "983    551 3796", "551 3796",
      "2026-11-23 10:00:00.123", "550e8400-e29b-4128-8716-446655440000", "192.168.100.101",
    ]
  )
  func none(text: String) throws {
    #expect(try self.lines(text) == [])
  }

  @Test("It is written with its pseudonym, the one that it has without separators too")
  func redacted() throws {
    let context = try makeContext([Self.phone])
    let body: Bytes = "{\"a\":\"+91-983-5513796\",\"b\":\"919835513796\",\"c\":\"0983/551/3796\"}"
    let found = context.findings([body])
    #expect(found.map(\.kind.name) == ["msisdn", "msisdn", "msisdn"])
    let result = try #require(
      context.redact(body: body, head: request(), direction: .request, findings: found)
    )
    let digits = result.body.text.split(separator: "\"").filter { $0.contains { $0.isNumber } }
      .map { $0.filter(\.isNumber) }
    #expect(digits.count == 3 && digits[0] == digits[1] && digits[0] != "919835513796")
    #expect(digits[2] == "0" + digits[0].dropFirst(2))
    #expect(result.body.text.contains("\"+91-"))
    #expect(context.findings([result.body]).isEmpty)
  }

  @Test("Without numbers in a profile there is nothing to look for")
  func empty() {
    #expect(GroupedNumberInspector([]).interest.directions.isEmpty)
  }
}
