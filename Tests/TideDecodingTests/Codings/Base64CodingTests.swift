import Testing
import TideCore
import TideCrypto
import TideDecoding

@Suite struct Base64CodingTests {
  private let coding = Base64Coding()

  @Test(
    "RFC 4648's texts and an IMEI open, padded or not",
    arguments: [
      ("Zm9vYmFy", "foobar"),
      ("NDkwMTU0MjAzMjM3NTE4", "490154203237518"),
      ("eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0=", "{\"imei\":\"490154203237518\"}"),
      ("eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0", "{\"imei\":\"490154203237518\"}"),
      ("data:text/plain;base64,NDkwMTU0MjAzMjM3NTE4", "490154203237518"),
    ]
  )
  func opens(text: String, expected: String) {
    #expect(value(self.coding, Bytes(text)) == Bytes(expected))
  }

  @Test(
    "What only passes for base64 does not open",
    arguments: [
      "telephone", "getDeviceInformation", "com/example/app", "authorization", "abcdefghijklmnop",
      "1700000000000000", "d41d8cd98f00b204e9800998ecf8427e",
      "550e8400-e29b-41d4-a716-446655440000", "NDkwMTU0MjAzMjM3NTE4N", "NDkwMTU0MjAzMjM3NTE5=",
      "TheQuickBrownFoxJumpsOver", "Lighthouse-Keeper-5G", "SettingsActivity2Main",
      "some_setting_name_in_snake", "2026-11-22",
      "the cat sat on the mat",
      "AAAA", "====", "Zm9v=YmFy",
    ]
  )
  func nearMisses(text: String) {
    #expect(value(self.coding, Bytes(text)) == nil)
  }

  @Test(
    "Few bytes and binary messages open without certainty",
    arguments: [
      ("mBlhc2IVdg==", "98196173621576"), ("mBlhc2IVdhY", "9819617362157616"),
      ("TgBvADEA", "4e006f003100"),
      ("CAISDAoIYXBwLnBpZXIQWRoaGhglQjAl", "0802120c0a086170702e7069657210591a1a1a1825423025"),
    ]
  )
  func binary(text: String, digits: String) throws {
    let opened = try #require(layer(self.coding, Bytes(text)))
    #expect(!opened.isCertain)
    #expect(value(self.coding, Bytes(text)) == (try unhex(digits)))
  }

  @Test("Lines stay as long as they were, with their line ends, and padding stays")
  func lines() throws {
    let long = Bytes(String(repeating: "{\"imei\":\"490154203237518\"}", count: 5))
    for (width, end, last) in [(76, "\r\n", ""), (76, "\n", "\n"), (64, "\n", "")] {
      let digits = Array(Base64.standard.encode(long))
      let lines = stride(from: 0, to: digits.count, by: width).map {
        String(digits[$0..<min($0 + width, digits.count)])
      }
      let text = Bytes(lines.joined(separator: end) + last)
      #expect(value(self.coding, text) == long)
      #expect(try replaced(self.coding, text, by: long) == text)
    }
  }

  @Test("The alphabet, the padding and the prefix are kept when the value changes")
  func manner() throws {
    let text = Bytes("{\"a\":\"??>>~~ÿÿ\",\"imei\":\"490154203237518\"}")
    let other = Bytes("{\"a\":\"??>>~~ÿÿ\",\"imei\":\"359881030314356\",\"b\":1}")
    let url = Bytes(Base64.url.encode(text))
    #expect(layer(self.coding, url)?.names == ["base64url"])
    #expect(try replaced(self.coding, url, by: other) == Bytes(Base64.url.encode(other)))
    let standard = Bytes(Base64.standard.encode(text))
    #expect(layer(self.coding, standard)?.names == ["base64"])
    #expect(try replaced(self.coding, standard, by: other) == Bytes(Base64.standard.encode(other)))
    let prefixed = Bytes("data:;base64," + Base64.standard.encode(text))
    #expect(
      try replaced(self.coding, prefixed, by: other)
        == Bytes("data:;base64," + Base64.standard.encode(other))
    )
  }

  @Test("Blanks where a form had a bare plus are read as plus and written as blanks")
  func blanks() throws {
    let text = Bytes("~~~>>>{\"imei\":\"490154203237518\",\"model\":\"Redmi\"}>>>>")
    let digits = Base64.standard.encode(text)
    try #require(digits.contains("+"))
    let blank = Bytes(digits.map { $0 == "+" ? " " : String($0) }.joined())
    #expect(value(self.coding, blank) == text)
    #expect(try replaced(self.coding, blank, by: text) == blank)
  }

  @Test("Binary values open where digits alternate as in base64 of anything, without certainty")
  func binary() throws {
    var numbers = SeededRandom(7)
    var opened = 0
    for _ in 0..<200 {
      let bytes = Bytes((0..<48).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      let text = Bytes(Base64.standard.encode(bytes))
      guard let opening = layer(self.coding, text) else { continue }
      #expect(opening.nodes.first?.value(in: text) == bytes)
      #expect(!opening.isCertain)
      opened += 1
    }
    #expect(opened >= 198)
  }

  @Test("A budget without bytes left opens nothing")
  func budget() {
    var budget = DecodingBudget(bytes: 5, nodes: 10, depth: 8, ratio: 100)
    let context = LayerContext(place: .leaf)
    #expect(self.coding.open("Zm9vYmFy", context, &budget) == nil)
    #expect(budget.exceeded == .bytes)
  }

  @Test("Any text, in any manner, is replaced by any other")
  func roundTrips() throws {
    var numbers = SeededRandom(1)
    for _ in 0..<100 {
      let (text, other) = (sampleText(&numbers), sampleText(&numbers))
      for manner in [Base64.standard, .url] {
        let written = Bytes(manner.encode(text))
        #expect(value(self.coding, written) == text)
        _ = try replaced(Base64Coding(), written, by: other, anyName: true)
      }
    }
  }
}
