import Testing
import TideCore

@testable import TideDecoding

@Suite struct XMLDecoderTests {
  private let decoder = XMLDecoder()

  @Test("Text, attributes, CDATA and comments are leaves under their elements")
  func leavesOfXML() {
    let text: Bytes = """
      <?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE r [<!ENTITY x "expanded">]>
      <req a:v='1'><dev id="34:b4:1a"><name> 94&#58;ce &amp; &x; </name><os/></dev>
      <!-- note 7 --><![CDATA[<raw>]]><e></e></req>
      """
    let layer = opened(self.decoder, text)
    #expect(
      leaves(layer, text) == [
        "$.req[\"a:v\"]=1", "$.req.dev.id=34:b4:1a", "$.req.dev.name=94:ce & &x;",
        "$.req.comment=note 7", "$.req=<raw>",
      ]
    )
    #expect(layer?.isCertain == true)
  }

  @Test("HTML with elements that never end is read all the same")
  func html() {
    let text: Bytes =
      "<html><body class=x><p>one<br>two<p>three<script>if (a<b) {}</script><img src='/i?a=1'></body></html>"
    #expect(
      leaves(opened(self.decoder, text), text) == [
        "$.html.body.class=x", "$.html.body.p=one", "$.html.body.p=two", "$.html.body.p.p=three",
        "$.html.body.p.p.script.raw=if (a<b) {}", "$.html.body.p.p.img.src=/i?a=1",
      ]
    )
  }

  @Test(
    "What only begins like a tag is no XML",
    arguments: [
      "<3 you all", "<user@x.example> wrote", "< a > b </ a", "<b> is bold", "a < b > c",
      "<<<<<<<<",
      "<!---------", "<?????????",
    ]
  )
  func notXML(_ text: String) {
    let bytes = Bytes(text)
    #expect(leaves(opened(self.decoder, bytes), bytes) == [])
  }

  @Test("Values are written with the entities that their place needs, or had")
  func style() throws {
    let text: Bytes = "<r a=\"x\" b='y'>1<c>&#x4e2d;</c><![CDATA[z]]><!--k--></r>"
    let layer = try #require(opened(self.decoder, text))
    let closed = self.decoder.close(
      layer,
      over: text,
      replacing: [1: "\"<'", 2: "\"<'", 3: " <>", 5: "\u{6797}", 6: "<&>", 7: "l"]
    )
    #expect(
      closed
        == "<r a=\"&quot;&lt;'\" b='\"&lt;&#39;'>&#32;&lt;&gt;<c>&#x6797;</c><![CDATA[<&>]]><!--l--></r>"
    )
    #expect(self.decoder.close(layer, over: text, replacing: [6: "]]>"]) == nil)
    #expect(self.decoder.close(layer, over: text, replacing: [7: "-->"]) == nil)
  }

  @Test("Documents survive being opened, changed and closed")
  func property() {
    let text: Bytes = """
      <?xml version="1.0"?><r xmlns:a="urn:x"><a:b c="1" d='&quot;'>t&amp;u</a:b><![CDATA[raw]]>
      tail &#26519; <e f="g"/><!-- c --></r>
      """
    for seed: UInt64 in 1...10 {
      #expect(
        roundTripFaults(self.decoder, text, seed: seed, value: otherValue) == []
      )
    }
  }

  @Test("Hostile markup neither traps nor costs more than the budget")
  func hostile() {
    var numbers = SeededNumbers(5)
    let pieces = [
      "<", ">", "</", "/>", "<a", " b=", "\"", "'", "<!--", "-->", "<![CDATA[", "]]>", "&", ";",
      "&#x", "<!",
      "[", "<?", "?>", "a", "\u{0}", " ",
    ]
    for _ in 0..<400 {
      var text = "<a>"
      for _ in 0..<Int(numbers.next() % 16) {
        text += pieces[Int(numbers.next() % UInt64(pieces.count))]
      }
      let bytes = Bytes(text + "</a>")
      guard let layer = opened(self.decoder, bytes) else { continue }
      for index in layer.nodes.indices where !layer.nodes[index].isGroup {
        guard let closed = self.decoder.close(layer, over: bytes, replacing: [index: "q&<9"]) else {
          continue
        }
        let again = opened(self.decoder, closed)
        #expect(again?.nodes.count == layer.nodes.count, "\(bytes) \(closed)")
        #expect(again?.nodes.last { _ in true } != nil)
      }
    }
    let deep = Bytes(Array(repeating: Array("<a>".utf8), count: 200_000).flatMap { $0 })
    var budget = DecodingBudget(bytes: 8 << 20, nodes: 50_000, depth: 8, ratio: 100)
    #expect(self.decoder.open(deep, LayerContext(place: .content), &budget) == nil)
    #expect(budget.exceeded == .nodes)
  }
}

@Suite struct PlistDecoderTests {
  private static let text: Bytes = """
    <?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
    <plist version="1.0"><dict>
    <key>device</key><dict><key>imei</key><string>49&amp;0</string><key>n</key><integer>15</integer></dict>
    <key>on</key><true/><key>none</key><dict/><key>apps</key><array><string>a</string><true/><real>1.5</real>
    </array><key>blob</key><data>
      aGVsbG8gd29ybGQ
      gaGVsbG8=
    </data><key>+886905621583</key><date>2026-11-23T00:00:00Z</date></dict></plist>
    """

  @Test("Members are named by their keys, data is decoded, numbers are numbers")
  func plist() {
    let layer = opened(PlistDecoder(), Self.text)
    #expect(
      leaves(layer, Self.text) == [
        "$.device.imei=49&0", "$.device.n=15", "$.apps[0]=a", "$.apps[2]=1.5",
        "$.blob=hello world hello", "$[\"{key}\"]=+886905621583",
        "$[\"+886905621583\"]=2026-11-23T00:00:00Z",
      ]
    )
    #expect(opened(PlistDecoder(), "<r><dict><key>a</key></dict></r>") == nil)
  }

  @Test("A list survives being opened, changed and closed, data in lines too")
  func property() throws {
    for seed: UInt64 in 1...10 {
      #expect(roundTripFaults(PlistDecoder(), Self.text, seed: seed, value: otherValue) == [])
    }
    let layer = try #require(opened(PlistDecoder(), Self.text))
    let data = try #require(layer.nodes.firstIndex { $0.form == .bytes })
    let closed = PlistDecoder().close(
      layer,
      over: Self.text,
      replacing: [data: "HELLO WORLD HELLO"]
    )
    #expect(closed?.text.contains("<data>\n  SEVMTE8gV09STEQ\n  gSEVMTE8=\n</data>") == true)
    #expect(PlistDecoder().close(layer, over: Self.text, replacing: [3: "x"]) == nil || data == 3)
  }
}
