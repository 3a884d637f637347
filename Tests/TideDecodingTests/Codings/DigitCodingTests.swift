import Testing
import TideCore
import TideCrypto
import TideDecoding

@Suite struct HexCodingTests {
  private let coding = HexCoding()

  @Test(
    "Text in hexadecimal opens in either case",
    arguments: [
      ("343930313534323033323337353138", "490154203237518"),
      ("7b22696d6569223a22343930227d", "{\"imei\":\"490\"}"),
      ("7B22696D6569223A2234393031227D30", "{\"imei\":\"4901\"}0"),
      ("666f6f6261722d666f6f626172", "foobar-foobar"),
      ("4237333745304432", "B737E0D2"),
    ]
  )
  func opens(text: String, expected: String) throws {
    let bytes = Bytes(text)
    #expect(value(self.coding, bytes) == Bytes(expected))
    let changed = try replaced(self.coding, bytes, by: "{\"imei\":\"359881030314356\"}")
    #expect(changed.count == 52)
    #expect(changed.text == (text.contains("B") ? changed.text.uppercased() : changed.text))
  }

  @Test(
    "What is no hexadecimal text does not open",
    arguments: [
      "49015420323751", "490154203237518", "1700000000000000", "89886920000000000010",
      "550e8400e29b41d4a716446655440000", "7b22696d65692", "deadbeef", "0x7b22696d6569223a",
      "DeadBeefDeadBeef00",
    ]
  )
  func nearMisses(text: String) {
    #expect(value(self.coding, Bytes(text)) == nil)
  }

  @Test("UTF-16 in hexadecimal digits that are all numerals opens")
  func wide() throws {
    let text: Bytes = "003400390030003100350034"
    #expect(value(self.coding, text) == (try unhex(text.text)))
  }

  @Test("Binary in hexadecimal opens without certainty")
  func binary() throws {
    let text: Bytes = "1f2e3d4c5b6a79880011223344556677ff"
    let opened = try #require(layer(self.coding, text))
    #expect(!opened.isCertain)
    let other = try unhex("ff77665544332211008879b6a5c4d3e2f1")
    #expect(try replaced(self.coding, text, by: other).array == Array(Hex.encode(other.array).utf8))
  }
}

@Suite struct Base32CodingTests {
  private let coding = Base32Coding()

  @Test("RFC 4648's text opens, in either case, padded or not")
  func opens() throws {
    // "foobar" thrice and an IMEI.
    for (text, expected) in [
      ("MZXW6YTBOJTG633CMFZGM33PMJQXE===", "foobarfoobarfoobar"),
      ("mzxw6ytbojtg633cmfzgm33pmjqxe", "foobarfoobarfoobar"),
      ("GYZTCZTFGMZDA===", "631fe320"), ("gyztcztfgmzda", "631fe320"),
    ] {
      #expect(value(self.coding, Bytes(text)) == Bytes(expected))
      let changed = try replaced(self.coding, Bytes(text), by: "490154203237518")
      #expect(changed.text.uppercased() == "GQ4TAMJVGQZDAMZSGM3TKMJY")
      #expect((changed.text == changed.text.uppercased()) == text.hasSuffix("="))
    }
  }

  @Test(
    "Words, digests and numbers do not open",
    arguments: [
      "abcdefghijklmnop", "internationalization", "234567234567234567",
      "d41d8cd98f00b204e9800998ecf8427e", "MZXW6YTBOJTG633C=", "MZXW6YTB", "CONNECTIONTIMEOUTS",
      "DISCONNECTED", "CONNECTIVITY", "notification",
    ]
  )
  func nearMisses(text: String) {
    #expect(value(self.coding, Bytes(text)) == nil)
  }
}

@Suite struct BCDCodingTests {
  private let coding = BCDCoding()

  @Test("An IMEI, an IMSI and an ICCID open as a SIM card keeps them, and are replaced")
  func opens() throws {
    for (hex, digits, other) in [
      ("94104502237315f8", "490154203237518", "359881030314356"),
      ("64962910325476f8", "466992012345678", "466929999999999"),
      ("98889602000000000010", "89886920000000000001", "89886920000000000019"),
      ("490154203237518f", "490154203237518", "359881030314356"),
    ] {
      let bytes = try unhex(hex)
      #expect(value(self.coding, bytes) == Bytes(digits))
      #expect(try replaced(self.coding, bytes, by: Bytes(digits)) == bytes)
      let changed = try replaced(self.coding, bytes, by: Bytes(other))
      #expect(changed.count == bytes.count)
    }
  }

  @Test("Text, other lengths and other half bytes do not open; nor is what is no number written")
  func nearMisses() throws {
    #expect(value(self.coding, "12345678") == nil)
    #expect(value(self.coding, try unhex("941045022373")) == nil)
    #expect(value(self.coding, try unhex("94104502a37315f8")) == nil)
    #expect(value(self.coding, "17000000000000000000") == nil)
    let bytes = try unhex("94104502237315f8")
    let opened = try #require(layer(self.coding, bytes))
    #expect(self.coding.close(opened, over: bytes, replacing: [0: "4901542032375"]) == nil)
    #expect(self.coding.close(opened, over: bytes, replacing: [0: "49015420323751x"]) == nil)
  }
}
