import Testing
import TideCore

@testable import TideInspect

@Suite struct PseudonymTests {
  private func pseudonym(_ kind: String, _ value: String, secret: UInt8 = 7) throws -> String {
    let kind = FindingKind(kind)
    let subject = try #require(Subject(kind, value))
    let maker = Pseudonymizer(secret: [UInt8](repeating: secret, count: 32))
    return try #require(maker.pseudonym(kind, subject)).canonical.text
  }

  @Test("A pseudonym is stable in a case, differs between cases and kinds, and is never the value")
  func stable() throws {
    for (kind, value) in [
      ("imei", Phone.imei), ("imsi", Phone.imsi), ("msisdn", Phone.own), ("email", Phone.email),
      ("contact_name", Phone.hanName), ("android_id", Phone.androidID), ("gaid", Phone.gaid),
    ] {
      let first = try self.pseudonym(kind, value)
      #expect(try self.pseudonym(kind, value) == first)
      #expect(try self.pseudonym(kind, value, secret: 8) != first)
      #expect(Bytes(first) != Subject(FindingKind(kind), value)?.canonical)
    }
    let one = try self.pseudonym("msisdn", "+886912345678")
    #expect(try self.pseudonym("contact_phone", "+886912345678") != one)
    // The one value of its shape has no other to stand for it.
    let maker = Pseudonymizer(secret: [UInt8](repeating: 7, count: 32))
    #expect(maker.pseudonym(.contactName, .text(Array("--".utf8))) == nil)
  }

  @Test("Each kind keeps the shape that its readers check")
  func shapes() throws {
    for round in UInt8(0)..<20 {
      let imei = try self.pseudonym("imei", Phone.imei, secret: round)
      #expect(imei.hasPrefix("77") && imei.utf8.count == 15)
      #expect(Luhn.checkDigit(after: Array(imei.utf8).dropLast()) == imei.utf8.last)
      let imsi = try self.pseudonym("imsi", Phone.imsi, secret: round)
      #expect(imsi.hasPrefix("46692") && imsi.utf8.count == 15)
      let iccid = try self.pseudonym("iccid", Phone.iccid, secret: round)
      #expect(iccid.hasPrefix("8988692") && iccid.utf8.count == 19)
      #expect(Luhn.checkDigit(after: Array(iccid.utf8).dropLast()) == iccid.utf8.last)
      let mac = try self.pseudonym("wifi_mac", Phone.mac, secret: round)
      let first = try #require(UInt8(mac.prefix(2), radix: 16))
      #expect(first & 3 == 2 && mac.utf8.count == 12)
      #expect(try self.pseudonym("msisdn", "+886912345678", secret: round).hasPrefix("88694"))
      #expect(
        try self.pseudonym("msisdn", "+12125550000", secret: round).dropFirst(4).hasPrefix("55501")
      )
      #expect(try self.pseudonym("msisdn", "+447911123456", secret: round).hasPrefix("447700900"))
      let email = try self.pseudonym("email", Phone.email, secret: round)
      #expect(email.hasSuffix(".test") || email.hasSuffix(".invalid"))
      #expect(email.utf8.count == Phone.email.utf8.count)
      let gaid = Array(try self.pseudonym("gaid", Phone.gaid, secret: round))
      #expect(gaid[12] == "4" && "89ab".contains(gaid[16]))
      let han = try self.pseudonym("contact_name", Phone.hanName, secret: round)
      #expect(han.unicodeScalars.allSatisfy { (0x4E00...0x9FFF).contains($0.value) })
      let url = try self.pseudonym(
        "browsing_url",
        "https://news.example.test/a?b=12",
        secret: round
      )
      #expect(url.hasPrefix("https://") && url.dropFirst(8).prefix(17).hasSuffix(".invalid"))
      // A JSON number must not begin with 0.
      #expect(try self.pseudonym("account_id", "272811589", secret: round).first != "0")
    }
  }
}
