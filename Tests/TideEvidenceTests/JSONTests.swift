import Foundation
import Testing
import TideCore

@testable import TideEvidence

@Suite struct JSONTests {
  @Test("Any text written is read back the same, by us and by others")
  func strings() throws {
    var all = String((0..<0x250).compactMap { Unicode.Scalar($0 as UInt32).map(Character.init) })
    all += "\u{2028}\u{FFFF}😀\"\\/"
    var json = JSONWriter()
    json.beginObject()
    json.member("text", all)
    json.member("number", UInt64(1) << 62)
    json.member("negative", -42)
    json.member("none", nil as String?)
    json.member("list", ["a", "b"])
    json.member("flag", true)
    json.member("flow", FlowID(1_234_567))
    json.endObject()
    let object = try #require(JSONValue(Bytes(json.bytes))?.object)
    #expect(object["text"]?.string == all)
    #expect(object["number"]?.unsigned == 1 << 62)
    #expect(object["negative"]?.integer == -42)
    #expect(object["none"] == .null)
    #expect(object["list"] == .array([.string("a"), .string("b")]))
    #expect(object["flow"]?.string == "f-1234567")
    let other = try #require(
      try JSONSerialization.jsonObject(with: Data(json.bytes)) as? [String: Any]
    )
    #expect(other["text"] as? String == all)
  }

  @Test(
    "Identifiers have at least six digits",
    arguments: [1, 42, 99_999, 100_000, 999_999, 1_000_000]
  )
  func identifiers(number: UInt64) {
    var json = JSONWriter()
    json.identifier(0x66, number)
    #expect(String(decoding: json.bytes, as: UTF8.self) == "\"\(FlowID(number))\"")
  }

  @Test(
    "What is not JSON is refused and never traps",
    arguments: [
      "", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"", "\"\\", "\"\\u12\"",
      "\"\\ud800\"",
      "tru", "nul", "1 2", "-", "--1", "1e", "\"\n\"", "{\"a\":1,}", "[1 2]", "\u{FEFF}1",
    ]
  )
  func refused(text: String) {
    #expect(JSONValue(Bytes(text)) == nil)
  }

  @Test(
    "Every prefix of a line, and every line with one byte changed, is read or refused, not trapped on"
  )
  func robust() {
    let line = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",null,true],"b":{"c":{}},"d":"ÿ"}"#.utf8)
    for length in line.indices {
      #expect(JSONValue(Bytes(Array(line[..<length]))) == nil)
      for byte in [0, 0x22, 0x5C, 0x7B, 0xFF] as [UInt8] {
        var changed = line
        changed[length] = byte
        _ = JSONValue(Bytes(changed))
      }
    }
    let deep = Bytes(String(repeating: "[", count: 100_000))
    #expect(JSONValue(deep) == nil)
  }

  @Test("A surrogate pair is one character")
  func surrogates() {
    #expect(JSONValue(#""\ud83d\ude00""#)?.string == "😀")
    #expect(JSONValue(#""\ud83dx""#) == nil)
  }
}
