import Testing
import TideCore

@testable import TideInspect

@Suite struct PhoneTests {
  private func lines(_ body: String) throws -> [String] {
    try makeContext([], inspectors: ["phone"]).findings(body).map(\.line)
  }

  @Test(
    "A number under a telephone's name is a contact's",
    arguments: [
      "{\"peer_phone\":\"+886951797493\"}", "{\"phone\":\"+886 951 797 493\"}",
      "{\"phoneNumber\":\"0951797493\"}", "{\"tel\":\"0951-797-493\"}",
      "{\"mobile\":\"13912345670\"}",
      "{\"mobile\":\"+86 139 1234 5670\"}", "{\"callee_number\":\"00491517958263\"}",
      "{\"phone\":\"886951797493\"}", "{\"phone\":886951797493}", "{\"from\":\"+4915179582630\"}",
      "{\"to\":[\"+4915179582630\"]}", "{\"caller\":{\"number\":\"+4915179582630\"}}",
      "{\"phones\":[\"+37255512384\"]}", "phone=%2B886951797493&x=1",
      "{\"tel\":\"(0951) 797-493\"}",
      "{\"cell\":\"+1 202 456 1414\"}", "{\"cell\":\"(202) 456-1414\"}", "{\"phone\":9820413756}",
      "{\"cell\":\"(202) 456-1414\"}", "{\"phone\":9820413756}",
      "{\"contact\":{\"mobile\":\"11 97620 1384\"}}",
      "<call><phone>+5511976201384</phone></call>",
    ]
  )
  func contacts(body: String) throws {
    let lines = try self.lines(body)
    #expect(lines.count == 1, "\(body) \(lines)")
    #expect(lines.allSatisfy { $0.hasPrefix("contact_phone likely body") })
  }

  @Test(
    "The device's own number says so",
    arguments: [
      "{\"msisdn\":\"+886951797493\"}", "{\"line1Number\":\"0951797493\"}",
      "{\"own_phone\":\"+886951797493\"}", "{\"self\":{\"phone\":\"+886951797493\"}}",
    ]
  )
  func own(body: String) throws {
    #expect(try self.lines(body).map { $0.prefix(13) } == ["msisdn likely"])
  }

  @Test(
    "Numbers of companies, for fiction, of orders and of nobody are none",
    arguments: [
      "{\"hotline\":\"0800-080-123\"}", "{\"support_phone\":\"+886951797493\"}",
      "{\"fax\":\"+1-202-555-0143\"}", "{\"phone\":\"+1-202-555-0143\"}",
      "{\"tel\":\"400-100-5678\"}",
      "{\"phone\":\"+18005551234\"}", "{\"phone\":\"95555\"}", "{\"phone\":\"+886940000001\"}",
      "{\"phone\":\"0000000000\"}", "{\"phone\":\"1234567890\"}", "{\"phone\":\"+99912345678\"}",
      "{\"phone\":\"+4912\"}", "{\"order\":\"13912345670\"}", "{\"ts\":1408131103635}",
      "{\"phone_model\":\"13912345670\"}", "{\"from\":\"13912345670\"}", "{\"to\":\"1408131103\"}",
      "{\"phone\":\"HM 1SW\"}", "{\"phone\":\"353918057012342\"}", "{\"phone\":\"3\"}",
      "{\"store\":{\"phone\":\"+886951797493\"}}", "{\"tel_support\":\"400-100-5678\"}",
      "{\"mobile\":true,\"mobile_id\":\"139123456701\"}", "{\"phone\":\"192.0.2.17\"}",
    ]
  )
  func negatives(body: String) throws {
    #expect(try self.lines(body).isEmpty)
  }

  @Test("A number in a field of a head is found too, at home or abroad")
  func head() throws {
    let context = try makeContext([], inspectors: ["phone"])
    let head = request("/", [("X-Phone", "0951797493"), ("X-Msisdn", "+886951797493")])
    #expect(
      context.inspect(head: head, direction: .request).map(\.line)
        == ["contact_phone likely header x-phone", "msisdn likely header x-msisdn"]
    )
  }

  @Test("A pseudonym keeps the separators and belongs to nobody")
  func redaction() throws {
    let context = try makeContext([], inspectors: ["phone"])
    let body = "{\"phone\":\"+886 951-797-493\",\"to\":\"+37255512384\",\"tel\":\"0951797493\"}"
    let redacted = try #require(
      context.redact(
        body: Bytes(body),
        head: request("/"),
        direction: .request,
        findings: context.findings(body)
      )
    )
    #expect(redacted.changes.count == 3)
    #expect(redacted.body.count == body.utf8.count)
    #expect(redacted.body.text.contains("\"phone\":\"+886 "))
    #expect(!redacted.body.text.contains("951-797-493"))
  }

  @Test("Every line of the plans is read, and none allows a number of another length")
  func plans() throws {
    for code in ["1", "44", "86", "372", "886", "998"] {
      let digits = Array((code + "5").utf8)
      let (plan, number) = try #require(PhonePlan.plan(of: digits))
      #expect(plan.code == Array(code.utf8))
      #expect(!plan.allows(number))
    }
    #expect(PhonePlan.plan(of: Array("999123456".utf8)) == nil)
  }
}
