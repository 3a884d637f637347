import Testing
import TideCore

@testable import TideDecoding

@Suite struct DelimitedDecoderTests {
  private let decoder = DelimitedDecoder()

  @Test(
    "Fields that could hold a layer, or have a name, are leaves",
    arguments: [
      ("Bearer eyJhbGciOi.eyJpbWVpIjo.c2ln", ["$.Bearer=eyJhbGciOi.eyJpbWVpIjo.c2ln"]),
      ("Basic T0RZMzE=", ["$.Basic=T0RZMzE="]),
      (
        "ev|tap|1408012345678|225004496505723",
        ["$[0]=ev", "$[1]=tap", "$[2]=1408012345678", "$[3]=225004496505723"]
      ),
      ("started imei=490154203237518, ok", ["$.imei=490154203237518"]),
      ("12:00:01 device: 94:ce:c4:87:67:0f up", ["$.device=94:ce:c4:87:67:0f"]),
      ("event={\"a\":\"b, c\",\"d\":[1]} done", ["$.event={\"a\":\"b, c\",\"d\":[1]}"]),
      ("sent ODY3NTMwMDEyODIxMzQy today", ["$[1]=ODY3NTMwMDEyODIxMzQy"]),
      ("sent ODY3NTMwMDEyODIxMw== today", ["$[1]=ODY3NTMwMDEyODIxMw=="]),
      ("q=\"my home 5\" x", ["$.q=my home 5"]),
      ("a\tb c\t%E6%9E%97", ["$[0]=a", "$[1]=b c", "$[2]=%E6%9E%97"]),
      ("see https://x.example/p?a=b now", ["$[1]=https://x.example/p?a=b"]),
      ("2\u{1}sync\u{1}H4sIAAAAAAACAws=", ["$[0]=2", "$[1]=sync", "$[2]=H4sIAAAAAAACAws="]),
      ("a\u{3}50455872\u{2}b\u{3}1", ["$[0]=a\u{3}50455872", "$[1]=b\u{3}1"]),
      ("v1^x^GYZTCZTFGMZDA", ["$[0]=v1", "$[1]=x", "$[2]=GYZTCZTFGMZDA"]),
      ("v1~x~50455872", ["$[0]=v1", "$[1]=x", "$[2]=50455872"]),
      ("v1#x#50455872", ["$[0]=v1", "$[1]=x", "$[2]=50455872"]),
    ] as [(String, [String])]
  )
  func fields(_ text: String, _ wanted: [String]) {
    let bytes = Bytes(text)
    #expect(leaves(opened(self.decoder, bytes), bytes) == wanted)
  }

  @Test("Of all bytes these separate fields, and none where brackets do")
  func separators() {
    let wanted = Set<UInt8>([1, 2, 3, 9, 0x1C, 0x1D, 0x1E, 0x1F]).union("#,;^|~".utf8)
    for byte in 0...UInt8.max {
      let text = [0x61, byte, 0x62, byte, 0x63]
      #expect(DelimitedScanner.separator(of: text.span) == (wanted.contains(byte) ? byte : 0))
    }
    for bracket in "[{".utf8 {
      let text = [bracket] + Array("a,b,c".utf8)
      #expect(DelimitedScanner.separator(of: text.span) == 0)
    }
  }

  @Test("A first line of names names the columns, quoted fields are one")
  func columns() {
    let text: Bytes = "imei,name,n\n490154203237518,\"Lee, \"\"Bo\"\"\",1\n490154203237519,Ada,2\n"
    #expect(
      leaves(opened(self.decoder, text), text) == [
        "$.lines[1].imei=490154203237518", "$.lines[1].name=Lee, \"Bo\"", "$.lines[1].n=1",
        "$.lines[2].imei=490154203237519", "$.lines[2].name=Ada", "$.lines[2].n=2",
      ]
    )
  }

  @Test(
    "Prose, user agents and single values are left alone",
    arguments: [
      "See you at lunch tomorrow, then; it is at 12:30 (or later).",
      "Mozilla/5.0 (Linux; Android 4.4; HM 1SW) AppleWebKit/537.36 (KHTML, like Gecko)",
      "490154203237518", "ODY3NTMwMDEyODIxMzQy",
      "\u{660E}\u{5929}\u{665A}\u{4E0A}\u{89C1}\u{FF0C}\u{597D}\u{5417}",
      "Mon, 23 Nov 2026 03:00:00 GMT",
      "&#51;&#53;&#51;&#57;&#49;&#56;", "a\u{1}b\u{8}50455872\u{1}c",
      "gzip, deflate, br", "text/html; charset=utf-8", "zh-TW,zh;q=0.9,en;q=0.8",
    ]
  )
  func prose(_ text: String) {
    #expect(opened(self.decoder, Bytes(text), .field) == nil)
  }

  @Test("Fields keep their quotes, and what would be cut elsewhere is refused")
  func closing() throws {
    let csv: Bytes = "a,\"b \"\"c\",490154203237518"
    let layer = try #require(opened(self.decoder, csv))
    #expect(
      self.decoder.close(layer, over: csv, replacing: [0: "x,y", 1: "p\"q", 2: "12"])
        == "\"x,y\",\"p\"\"q\",12"
    )
    let words: Bytes = "imei=490154203237518 v={\"a\":\"b\"} end"
    let other = try #require(opened(self.decoder, words))
    #expect(
      self.decoder.close(other, over: words, replacing: [0: "35-4", 1: "{\"a\":\"c d\"}"])
        == "imei=35-4 v={\"a\":\"c d\"} end"
    )
    #expect(self.decoder.close(other, over: words, replacing: [0: "a b"]) == nil)
    #expect(self.decoder.close(other, over: words, replacing: [1: "{\"a\""]) == nil)
  }

  @Test("Fields survive being opened, changed and closed")
  func property() {
    for text: Bytes in [
      "imei,name,n\n490154203237518,\"Lee, \"\"Bo\"\"\",1\n490154203237519,Ada,2\n",
      "ev|tap|1408012345678|225004496505723\nev|x|y|z\n",
      "t=1408012345678 imei=490154203237518 tok=ODY3NTMwMDEyODIxMzQy\n",
    ] {
      for seed: UInt64 in 1...8 {
        #expect(
          roundTripFaults(self.decoder, text, seed: seed) { _, _, numbers in
            Bytes(String(490_154_203_237_518 + numbers.next() % 1000))
          } == []
        )
      }
    }
  }

  @Test("No bytes make it trap, and brackets without end cost one look")
  func hostile() {
    var numbers = SeededNumbers(13)
    let alphabet = Array("a=:\"{}[] ,|\t\n%\\(1;".utf8) + [0xFF]
    for _ in 0..<400 {
      let count = 10 + Int(numbers.next() % 30)
      let bytes = Bytes(
        (0..<count).map { _ in alphabet[Int(numbers.next() % UInt64(alphabet.count))] }
      )
      guard let layer = opened(self.decoder, bytes) else { continue }
      #expect(self.decoder.close(layer, over: bytes, replacing: [:]) == bytes)
      for index in layer.nodes.indices where !layer.nodes[index].isGroup {
        _ = self.decoder.close(layer, over: bytes, replacing: [index: "x y"])
      }
    }
    let open = Bytes(Array(repeating: Array("{ ".utf8), count: 50_000).flatMap { $0 })
    #expect(opened(self.decoder, open) == nil)
    let many = Bytes(Array(repeating: Array("a|".utf8), count: 10_000).flatMap { $0 })
    var budget = DecodingBudget(bytes: 1 << 20, nodes: 1_000, depth: 8, ratio: 100)
    #expect(self.decoder.open(many, LayerContext(place: .content), &budget) == nil)
    #expect(budget.exceeded == nil)
  }
}
