import Testing
import TideCore

@Suite struct LuhnTests {
  private func isValid(_ digits: [UInt8]) -> Bool { Luhn.isValid(digits.span, 0..<digits.count) }

  @Test("The check digit of ISO/IEC 7812-1 is verified and made")
  func checkDigits() {
    let imei = Array("490154203237518".utf8)
    #expect(self.isValid(imei))
    #expect(Luhn.checkDigit(after: imei.dropLast()) == 0x38)
    for digit in UInt8(0x30)..<0x3A where digit != 0x38 {
      #expect(!self.isValid(imei.dropLast() + [digit]))
    }
  }
}
