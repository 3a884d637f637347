import Testing
import TideCore
import TideCrypto

@Suite struct EncodingTests {
  @Test("Base64 gives RFC 4648's examples and reads them back, padded or not")
  func base64() {
    let examples = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in examples {
      let bare = text.filter { $0 != "=" }
      #expect(Base64.standard.encode(Bytes(plain)) == text)
      #expect(Base64.url.encode(Array(plain.utf8)) == bare)
      #expect(Base64.standard.decode(text.utf8) == Array(plain.utf8))
      #expect(Base64.standard.decode(bare.utf8) == Array(plain.utf8))
    }
  }

  @Test("Each alphabet has its own two last digits")
  func alphabets() {
    #expect(Base64.standard.encode([0xFB, 0xFF]) == "+/8=")
    #expect(Base64.url.encode([0xFB, 0xFF]) == "-_8")
    #expect(Base64.url.decode("-_8".utf8) == [0xFB, 0xFF])
    #expect(Base64.url.decode("+/8".utf8) == nil)
    #expect(Base64.standard.decode("-_8=".utf8) == nil)
  }

  @Test(
    "What is not base64 is refused: a lone digit, too much padding, spare bits, foreign bytes",
    arguments: ["A", "=", "Zg=", "Zg===", "Zm9v====", "Zh==", "Zm 9", "Zg==Zg=="]
  )
  func refused(text: String) {
    #expect(Base64.standard.decode(text.utf8) == nil)
  }

  @Test("Hexadecimal is written in lower case and read in both")
  func hex() {
    #expect(Hex.encode([0x00, 0x9F, 0xAB]) == "009fab")
    #expect(Hex.decode("009FaB".utf8) == [0x00, 0x9F, 0xAB])
    #expect(Hex.decode("abc".utf8) == nil)
    #expect(Hex.decode("zz".utf8) == nil)
  }
}
