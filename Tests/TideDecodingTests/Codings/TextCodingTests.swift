import Testing
import TideCore
import TideCrypto
import TideDecoding

@Suite struct PercentCodingTests {
  private let coding = PercentCoding()

  @Test(
    "Escapes open, once at a time, and close as they were",
    arguments: [
      ("%7B%22imei%22%3A%22490154203237518%22%7D", "{\"imei\":\"490154203237518\"}"),
      ("%7b%22imei%22%3a1%7d", "{\"imei\":1}"),
      ("%257B%2522a%2522%257D", "%7B%22a%22%7D"),
      ("https%3A%2F%2Fa.example%2Fb", "https://a.example/b"),
      ("%E7%8E%8B%E5%B0%8F%E6%98%8E", "王小明"),
      ("a+b%26c", "a b&c"),
      ("a+b%20c", "a+b c"),
      ("100%%41", "100%A"),
      ("%34%39%30", "490"),
      ("50%zz%41%", "50%zzA%"),
    ]
  )
  func opens(text: String, expected: String) throws {
    let written = Bytes(text)
    #expect(value(self.coding, written) == Bytes(expected))
    let closed = try replaced(self.coding, written, by: Bytes(expected))
    // A stray percent sign is the only thing that is written otherwise.
    if !text.contains("%%"), !text.contains("%z") { #expect(closed == written) }
  }

  @Test("Nothing escaped is nothing to open")
  func nearMisses() {
    #expect(value(self.coding, "100% sure") == nil)
    #expect(value(self.coding, "%4") == nil)
    #expect(value(self.coding, "abc") == nil)
  }

  @Test("Fields that are escaped each by itself are not read as one text")
  func fields() {
    #expect(value(self.coding, "2,sync,%28%2C,ok") == nil)
    #expect(value(self.coding, "a|%E6%9E%97|b") == nil)
    // What encodeURI makes of a document is one.
    #expect(
      value(self.coding, "%7B%22a%22:1,%22b%22:2,%22c%22:3%7D") == "{\"a\":1,\"b\":2,\"c\":3}"
    )
  }

  @Test("Other values are escaped like the old one, and open again whatever is in them")
  func changes() throws {
    #expect(
      try replaced(self.coding, "%7b%22a%22%3a1%7d", by: "{\"b\":\"/\"}")
        == "%7b%22b%22%3a%22%2f%22%7d"
    )
    #expect(try replaced(self.coding, "%34%39%30", by: "3598") == "%33%35%39%38")
    #expect(try replaced(self.coding, "a%2Fb", by: "plain") == "plai%6E")
    #expect(try replaced(self.coding, "a/b%3D", by: "%/=") == "%25/%3D")
    var numbers = SeededRandom(3)
    for _ in 0..<200 {
      let (text, other) = (sampleText(&numbers), sampleText(&numbers))
      let isLower = Bool.random(using: &numbers)
      let written = text.map { byte in
        (0x61...0x7A).contains(byte)
          ? String(UnicodeScalar(byte))
          : "%" + (isLower ? ASCII.hex([byte]) : ASCII.hex([byte]).uppercased())
      }.joined()
      #expect(value(self.coding, Bytes(written)) == text)
      #expect(try replaced(self.coding, Bytes(written), by: text) == Bytes(written))
      _ = try replaced(self.coding, Bytes(written), by: other)
    }
  }
}

@Suite struct EntitiesCodingTests {
  private let coding = EntitiesCoding()

  @Test("References open and are written again")
  func opens() throws {
    let written: Bytes = "tel&#x3A;886912345678 &amp; &#29579;"
    #expect(value(self.coding, written) == "tel:886912345678 & 王")
    #expect(try replaced(self.coding, written, by: "tel:886912345678 & 王") == written)
    #expect(try replaced(self.coding, "a&amp;b;", by: "plain") == "plai&#110;")
    #expect(try replaced(self.coding, "a&amp;b;", by: "<王>") == "&lt;王&gt;")
  }

  @Test("What did not change stays as it is written, also where the text becomes longer or shorter")
  func differences() throws {
    let written: Bytes = "1,&#51;x,&#52;&#57;0;2,&amp;"
    #expect(value(self.coding, written) == "1,3x,490;2,&")
    #expect(
      try replaced(self.coding, written, by: "1,3x,490777;2,&")
        == "1,&#51;x,&#52;&#57;0777;2,&amp;"
    )
    #expect(try replaced(self.coding, written, by: "1,3x,0;2,&") == "1,&#51;x,0;2,&amp;")
  }

  @Test("Ampersands that refer to nothing do not open")
  func nearMisses() {
    #expect(value(self.coding, "a=1&b=2;c=3") == nil)
    #expect(value(self.coding, "&unknown; & co; &#xFFFFFFFF;") == nil)
  }
}

@Suite struct UTF16CodingTests {
  private let coding = UTF16Coding()

  private func utf16(_ text: String, isBig: Bool, mark: Bool = false) -> Bytes {
    Bytes(
      ((mark ? [0xFEFF] : []) + Array(text.utf16)).flatMap { unit in
        let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
        return isBig ? [high, low] : [low, high]
      }
    )
  }

  @Test(
    "Latin, Chinese and mixed text open in both orders and are replaced in the same",
    arguments: [
      "imei=490154203237518", "王小明你好", "打電話給 0912-345-678", "{\"a\":\"Ünal 😀\"}", "TW-CANARY",
    ]
  )
  func opens(text: String) throws {
    for (isBig, mark) in [(true, false), (false, false), (true, true), (false, true)] {
      let written = self.utf16(text, isBig: isBig, mark: mark)
      #expect(value(self.coding, written) == Bytes(text))
      #expect(layer(self.coding, written)?.names == [isBig ? "utf16be" : "utf16le"])
      let changed = try replaced(self.coding, written, by: "Tide Waiter 潮水 😀")
      #expect(changed == self.utf16("Tide Waiter 潮水 😀", isBig: isBig, mark: mark))
    }
  }

  @Test("A short message in hexadecimal opens although its bytes are all printable")
  func printable() throws {
    // 你好你好 in big-endian order is O`Y}O`Y}.
    #expect(value(self.coding, "O`Y}O`Y}", around: ["hex"]) == "你好你好")
    #expect(value(self.coding, "O`Y}O`Y}") == nil)
  }

  @Test("Other text, random bytes and half of a pair do not open; ill-formed text is not written")
  func nearMisses() throws {
    #expect(value(self.coding, "plain text here!", around: ["hex"]) == nil)
    #expect(value(self.coding, "日本語のテキスト") == nil)
    #expect(value(self.coding, Bytes([0xFE, 0xFF, 0xD8, 0x3D, 0, 0x41])) == nil)
    var numbers = SeededRandom(5)
    for _ in 0..<500 {
      let noise = Bytes((0..<48).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      #expect(value(self.coding, noise) == nil)
    }
    let written = self.utf16("imei", isBig: true)
    let opened = try #require(layer(self.coding, written))
    #expect(self.coding.close(opened, over: written, replacing: [0: Bytes([0xC3, 0x28])]) == nil)
  }
}

@Suite struct CharsetCodingTests {
  private let coding = CharsetCoding()

  @Test(
    "Names and sentences open in their set, and are replaced in it",
    arguments: [
      (Charset.gb18030, "cdf5d0a1c3f7", "王小明"),
      (.big5, "a4fda470a9fa", "王小明"),
      (.gb18030, "c4e3bac3a3acceD2cac7313233", "你好，我是123"),
      (.big5, "a741a66ea141a7dac04f313233", nil),
    ] as [(Charset, String, String?)]
  )
  func opens(charset: Charset, hex: String, expected: String?) throws {
    let written = try unhex(hex)
    let text = try #require(value(self.coding, written))
    if let expected { #expect(text == Bytes(expected)) }
    #expect(layer(self.coding, written)?.names == [charset.rawValue])
    #expect(try replaced(self.coding, written, by: text) == written)
    _ = try replaced(self.coding, written, by: "測人二".isEmpty ? "" : "人二中")
  }

  @Test(
    "UTF-8, Latin-1 and random bytes do not open; a character that the set lacks is not written"
  )
  func nearMisses() throws {
    #expect(value(self.coding, "王小明") == nil)
    #expect(value(self.coding, Bytes([0x63, 0x61, 0x66, 0xE9, 0x20, 0x61])) == nil)
    #expect(
      value(self.coding, Bytes(Array("M".utf8) + [0xFC] + Array("ller Stra".utf8) + [0xDF, 0x65]))
        == nil
    )
    var numbers = SeededRandom(9)
    for _ in 0..<500 {
      let noise = Bytes((0..<32).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      #expect(value(self.coding, noise) == nil)
    }
    let written = try unhex("a4fda470a9fa")
    let opened = try #require(layer(self.coding, written))
    #expect(self.coding.close(opened, over: written, replacing: [0: "😀"]) == nil)
  }
}

@Suite struct ReversedCodingTests {
  private let coding = ReversedCoding()

  @Test(
    "What begins where it should end is turned round",
    arguments: [
      "{\"imei\":\"490154203237518\"}", "[{\"a\":1},2]", "https://a.example/p?imei=490154203237518",
      "eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0=", "{\"name\":\"王小明\"}",
    ]
  )
  func opens(text: String) throws {
    let written = Bytes(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
    #expect(value(self.coding, written) == Bytes(text))
    #expect(try replaced(self.coding, written, by: Bytes(text)) == written)
  }

  @Test("Bytes turned round instead of characters are turned back")
  func bytewise() {
    let text = Bytes("{\"name\":\"王小明\"}")
    #expect(value(self.coding, Bytes(Array(text.reversed()))) == text)
  }

  @Test(
    "Other text does not open",
    arguments: [
      "{\"imei\":\"490154203237518\"}", "= value", "==", "a path/to: english", "}{", "=abc=def",
      "815732302451094",
    ]
  )
  func nearMisses(text: String) {
    #expect(value(self.coding, Bytes(text)) == nil)
  }
}

@Suite struct JWTCodingTests {
  private let coding = JWTCoding()

  private func token(_ header: String, _ payload: String, _ signature: String) -> Bytes {
    Bytes(
      Base64.url.encode(Bytes(header)) + "." + Base64.url.encode(Bytes(payload)) + "." + signature
    )
  }

  @Test("Header and payload are leaves by name, and the layer tells whether a change breaks it")
  func opens() throws {
    let payload = "{\"sub\":\"490154203237518\"}"
    let signed = self.token("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", payload, "dBjftJeZ4CVP")
    let opened = try #require(layer(self.coding, signed))
    #expect(opened.detail == JWTCoding.isSigned)
    #expect(opened.path(of: 1, in: signed) == "$.payload")
    #expect(opened.nodes[1].value(in: signed) == Bytes(payload))
    let changed = try #require(
      self.coding.close(opened, over: signed, replacing: [1: "{\"sub\":\"359881030314356\"}"])
    )
    #expect(
      changed
        == self.token(
          "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}",
          "{\"sub\":\"359881030314356\"}",
          "dBjftJeZ4CVP"
        )
    )
    let unsigned = self.token("{\"alg\": \"none\"}", payload, "")
    #expect(layer(self.coding, unsigned)?.detail == JWTCoding.isUnsigned)
  }

  @Test(
    "Names with dots, other numbers of parts and headers that are none do not open",
    arguments: [
      "example.app.package", "eyJhbGciOiJub25lIn0.eyJh", "eyJh.eyJh.eyJh.eyJh.eyJh", "e.f.g.......",
      "exampleexample.example.example",
    ]
  )
  func nearMisses(text: String) {
    #expect(value(self.coding, Bytes(text)) == nil)
  }
}
