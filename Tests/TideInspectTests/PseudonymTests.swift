import Testing
import TideCore
import TideDecoding

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
      // A reporting body that does not exist, and as many bytes as a varint or in hexadecimal digits.
      #expect(imei.hasPrefix("47") && imei.utf8.count == 15)
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

  @Test("An identifier's pseudonym takes as much room in binary and in decimal digits")
  func sizes() throws {
    for round in UInt8(0)..<20 {
      #expect(try self.pseudonym("imei", "868123045678909", secret: round).hasPrefix("77"))
      for (kind, value, radix) in [
        ("imei", "353918057012342", 10), ("imei", "867530021234561", 10),
        ("imsi", "460001234567890", 10), ("android_id", "9774d56d682e549c", 16),
        ("android_id", "7fffd1d2e3f40516", 16), ("wifi_mac", "40:31:3c:aa:bb:cc", 16),
      ] {
        let subject = try #require(Subject(FindingKind(kind), value))
        let before = try #require(UInt64(subject.canonical.text, radix: radix))
        let after = try #require(
          UInt64(try self.pseudonym(kind, value, secret: round), radix: radix)
        )
        #expect(
          IntegerForm.varint.bytes(of: before)?.count == IntegerForm.varint.bytes(of: after)?.count
        )
        #expect("\(before)".count == "\(after)".count)
        #expect(before >> 63 == after >> 63)
      }
    }
  }

  @Test("A pseudonym is no other value of the profiles")
  func real() throws {
    let secret = [UInt8](repeating: 7, count: 32)
    let kind = FindingKind.contactName
    let subject = Subject.text(Array("Al".utf8))
    var profile: [DeviceProfile.Identifier] = [.init(kind: kind, value: "Al")]
    var seen = Set<Bytes>()
    for _ in 0..<8 {
      let maker = Pseudonymizer(
        secret: secret,
        profiles: [DeviceProfile(name: "a", addresses: [], identifiers: profile)]
      )
      let pseudonym = try #require(maker.pseudonym(kind, subject)).canonical
      #expect(seen.insert(pseudonym).inserted)
      // The next profile has what stood for Al as someone else's name.
      profile.append(.init(kind: FindingKind("ssid"), value: pseudonym.text))
    }
  }

  @Test("Numbers of other countries, apps, pages and names of other scripts keep their form")
  func forms() throws {
    for round in UInt8(0)..<20 {
      #expect(try self.pseudonym("msisdn", "+8613912345678", secret: round).hasPrefix("86154"))
      // As a pattern gives it, without the plus.
      #expect(
        try self.pseudonym("contact_phone", "8613912345678", secret: round).hasPrefix("86154")
      )
      let other = try self.pseudonym("msisdn", "+351912345678", secret: round)
      #expect(other.hasPrefix("35191") && other.utf8.count == 12)
      let app = try self.pseudonym("app_list", "com.tencent.mm", secret: round)
      #expect(app.hasPrefix("com.") && app.split(separator: ".").map(\.utf8.count) == [3, 7, 2])
      let page = try self.pseudonym(
        "browsing_url",
        "https://me:pw@www.long-name-of-news.example:8443/a/b?q=secret#top",
        secret: round
      )
      #expect(page.hasPrefix("https://") && page.contains(".redacted.invalid:8443/"))
      #expect(!page.contains("secret") && !page.contains("me:pw"))
      let vietnamese = try self.pseudonym("contact_name", "Nguyễn Thị Hương", secret: round)
      #expect(!vietnamese.contains("ễ") || !vietnamese.contains("ị"))
      #expect(vietnamese.utf8.count == "Nguyễn Thị Hương".utf8.count)
      let han = Array(try self.pseudonym("contact_name", Phone.hanName, secret: round).utf8)
      for charset in Charset.allCases { #expect(charset.encode(Bytes(han))?.count == 6) }
      let meid = try self.pseudonym("meid", "A0000027AB12CD", secret: round)
      #expect(meid.hasPrefix("ff") && meid.utf8.count == 14)
    }
  }
}
