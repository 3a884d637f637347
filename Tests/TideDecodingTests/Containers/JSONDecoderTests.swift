import Testing
import TideCore

@testable import TideDecoding

@Suite struct JSONDecoderTests {
  private let decoder = JSONDecoder()

  @Test("Strings and numbers are leaves with paths; words of the grammar are none")
  func plain() {
    let text: Bytes = #"{"a": {"b": [1, "x", true, null, {"c": -1.5e3}]}, "imei": 490154203237518}"#
    let layer = opened(self.decoder, text)
    #expect(
      leaves(layer, text) == [
        "$.a.b[0]=1", "$.a.b[1]=x", "$.a.b[4].c=-1.5e3", "$.imei=490154203237518",
      ]
    )
    #expect(layer?.isCertain == true)
    #expect(layer?.nodes.last?.form == .number)
  }

  @Test("Escapes are undone, surrogate pairs joined, and the path's names too")
  func escapes() {
    let text: Bytes = #"{"n\u0061me":"\u6797\ud83d\ude00\/\n\"","x":"\ud800"}"#
    #expect(
      leaves(opened(self.decoder, text), text) == [
        "$[\"{key}\"]=name", "$.name=林😀/\n\"", "$.x=\u{FFFD}",
      ]
    )
  }

  @Test("What stands around values is passed over")
  func surroundings() {
    for text: Bytes in [
      "\u{FEFF}{\"a\":\"b\"}", ")]}'\n{\"a\":\"b\"}", "cb({\"a\":\"b\"});",
      "&&&START&&&{\"a\":\"b\"}",
      "while(1);{\"a\":\"b\"}", " \r\n{\"a\":\"b\"}\n", "/**/jQuery1_2({\"a\":\"b\"})",
    ] {
      #expect(leaves(opened(self.decoder, text), text) == ["$.a=b"], "\(text)")
    }
  }

  @Test("Several values are lines")
  func lines() {
    let text: Bytes = "{\"a\":1}\n{\"a\":2}\r\n[3]\n"
    let layer = opened(self.decoder, text)
    #expect(leaves(layer, text) == ["$.lines[0].a=1", "$.lines[1].a=2", "$.lines[2][0]=3"])
    #expect(layer?.isCertain == true)
    let joined: Bytes = "{\"a\":1}{\"b\":2}"
    #expect(leaves(opened(self.decoder, joined), joined) == ["$.lines[0].a=1", "$.lines[1].b=2"])
  }

  @Test("Loose text keeps its leaves, and is not certain")
  func loose() {
    let cases: [(Bytes, [String])] = [
      ("{\"a\":\"b\",}", ["$.a=b"]),
      ("{a:'b'}", ["$.a=b"]),
      ("{\"a\":\"b\",\"c\":\"d", ["$.a=b", "$.c=d"]),
      ("{\"a\":[\"b\",{\"c\":\"d\"", ["$.a[0]=b", "$.a[1].c=d"]),
      ("{\"a\":\"b\"}trailing", ["$.a=b", "$.rest=trailing"]),
      ("{\"a\":\"b\",\"a\":\"c\"}", ["$.a=b", "$.a=c"]),
      ("{\"a\":0123,\"b\":\"c\"}", ["$.a=0123", "$.b=c"]),
    ]
    for (text, wanted) in cases {
      #expect(leaves(opened(self.decoder, text), text) == wanted, "\(text)")
    }
    #expect(opened(self.decoder, "{a:'b'}")?.isCertain == false)
  }

  @Test("Names that look like values are leaves")
  func keys() {
    let text: Bytes =
      #"{"contacts":{"+886905621583":3,"com.bank.example":1,"identifierForVendor2":2}}"#
    #expect(
      leaves(opened(self.decoder, text), text) == [
        #"$.contacts["{key}"]=+886905621583"#, #"$.contacts["+886905621583"]=3"#,
        #"$.contacts["{key}"]=com.bank.example"#, #"$.contacts["com.bank.example"]=1"#,
        "$.contacts.identifierForVendor2=2",
      ]
    )
  }

  @Test("A string alone opens only if something in it is escaped")
  func string() {
    let text: Bytes = #""{\"imei\":\"490154203237518\"}""#
    #expect(leaves(opened(self.decoder, text), text) == [#"$={"imei":"490154203237518"}"#])
    #expect(opened(self.decoder, "\"plain\"") == nil)
    #expect(opened(self.decoder, #""a\" "b""#) == nil)
  }

  @Test(
    "Prose, dates, identifiers and code in brackets are not JSON",
    arguments: [
      "[INFO] 2026-11-23 started", "[2026-11-23 10:00:00] GET /",
      "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
      "{0}", "{hello}", "[1] see the note", "(a){b}", "hello {name}", "{{{", "[[[[",
      "function(){return 1}",
    ]
  )
  func notJSON(_ text: String) {
    #expect(opened(self.decoder, Bytes(text)) == nil)
  }

  @Test("Replaced leaves come back, everything else stays byte for byte")
  func closing() throws {
    let text: Bytes = #"{ "a" :"x\/y", "n": 12 ,"u":"\u6797","k":{"+886905621583":"v"}, "e":"" }"#
    let layer = try #require(opened(self.decoder, text))
    let closed = self.decoder.close(
      layer,
      over: text,
      replacing: [2: "p/q", 3: "34", 4: "\u{9673}\u{1F600}", 6: "+886900000000"]
    )
    #expect(
      closed
        == #"{ "a" :"p\/q", "n": 34 ,"u":"\u9673\ud83d\ude00","k":{"+886900000000":"v"}, "e":"" }"#
    )
    #expect(self.decoder.close(layer, over: text, replacing: [3: "x"]) == nil)
    #expect(self.decoder.close(layer, over: text, replacing: [3: "012"]) == nil)
    #expect(self.decoder.close(layer, over: text, replacing: [0: "x"]) == nil)
  }

  @Test("Characters that the original escaped without need are escaped again")
  func style() {
    #expect(JSONText.escaped("<b>&", as: #"\u003Ca\u003e"#) == Array(#"\u003Cb\u003E&"#.utf8))
    #expect(JSONText.escaped("12", as: #"\u0033\u0034"#) == Array(#"\u0031\u0032"#.utf8))
    #expect(JSONText.escaped("\u{9673}", as: "\u{6797}") == Array("\u{9673}".utf8))
    #expect(JSONText.escaped("a\u{0}\n\"", as: "b") == Array(#"a\u0000\n\""#.utf8))
  }

  @Test("Random documents survive being opened, changed and closed")
  func property() {
    var numbers = SeededNumbers(7)
    for seed in 0..<60 {
      let text = Bytes(Self.document(&numbers, depth: 0))
      let whole = seed % 3 == 0 ? Bytes(text.array + [0x0A] + Array("{\"z\":\"1\"}".utf8)) : text
      #expect(
        roundTripFaults(self.decoder, whole, seed: UInt64(seed), value: otherValue) == []
      )
    }
  }

  @Test("Hostile text costs no more than the budget, and traps nowhere")
  func hostile() {
    let deep = Bytes([UInt8](repeating: 0x5B, count: 10 << 20))
    var budget = DecodingBudget(bytes: 8 << 20, nodes: 100_000, depth: 8, ratio: 100)
    #expect(self.decoder.open(deep, LayerContext(place: .content), &budget) == nil)
    #expect(budget.exceeded == .nodes)
    let prose = Bytes(
      Array("[not ".utf8) + Array(repeating: Array("one word ".utf8), count: 100_000).flatMap { $0 }
    )
    budget = DecodingBudget(bytes: 8 << 20, nodes: 1_000, depth: 8, ratio: 100)
    #expect(self.decoder.open(prose, LayerContext(place: .content), &budget) == nil)
    #expect(budget.exceeded == nil)
    for text in [
      "{\"", "{\"\\", "{\"a\":\"\\u12", "{\"a\":\"\\ud800\\u", "[", "{", "\"", "\"\\\"", "]",
      "{\"a\":}",
      "{:}", "{,}", "[,]", "{\"a\"\u{0}:\u{0}\"b\"}", "{\"a\":\"\u{0}\"}", ")]}'", "cb(", "cb({",
      "[\"",
    ] {
      for end in [
        Array(text.utf8), Array(text.utf8) + [0xFF, 0xC0, 0x80], [0xFF] + Array(text.utf8),
      ] {
        let bytes = Bytes(end)
        guard let layer = opened(self.decoder, bytes) else { continue }
        let values = layer.nodes.indices.filter { !layer.nodes[$0].isGroup }
        for index in values { _ = self.decoder.close(layer, over: bytes, replacing: [index: "x"]) }
      }
    }
  }

  @Test("Every cut of a document opens to a part of its leaves")
  func cuts() throws {
    let text: Bytes = #"{"a":"b\u6797","c":[1,2,{"d":"e"}],"f":null,"g":"h"}"#
    let all = Set(leaves(opened(self.decoder, text), text).map { $0.prefix { $0 != "=" } })
    for end in 0..<text.count {
      let cut = text.slice(0..<end)
      for leaf in leaves(opened(self.decoder, cut), cut) {
        #expect(
          all.contains(leaf.prefix { $0 != "=" }) || leaf.contains("=n"),
          "\(cut): \(leaf)"
        )
      }
    }
  }

  /// A document with everything that the grammar has.
  private static func document(_ numbers: inout SeededNumbers, depth: Int) -> String {
    let count = Int(numbers.next() % 4) + (depth == 0 ? 1 : 0)
    let space = numbers.next() % 2 == 0 ? " " : ""
    var isObject = numbers.next() % 2 == 0
    if depth == 0 { isObject = true }
    let members = (0..<count).map { place -> String in
      let value: String
      switch numbers.next() % (depth < 4 ? 8 : 6) {
      case 0: value = String(Int(numbers.next() % 1_000_000))
      case 1: value = "-0.5E+7"
      case 2: value = "true"
      case 3: value = #""\u6797\\\/ \t\u0031""#
      case 4: value = "\"\u{6797}'\""
      case 5: value = "\"490154203237518\""
      default: value = Self.document(&numbers, depth: depth + 1)
      }
      let name = ["key", "\u{6797}", "+8869056\(place)21583", #"\u0061b"#][Int(numbers.next() % 4)]
      return isObject ? "\"\(name)\"\(space):\(value)" : value
    }
    let inner = members.joined(separator: space + ",\n")
    return isObject ? "{\(inner)\(space)}" : "[\(inner)]"
  }
}
