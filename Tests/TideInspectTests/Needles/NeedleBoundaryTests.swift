import Testing
import TideCore
import TideCrypto

@testable import TideInspect

@Suite struct NeedleBoundaryTests {
  @Test("A number inside a longer number is chance, in whatever it is written")
  func digits() throws {
    let search = try NeedleSearch([("imei", Phone.imei), ("account_id", "272811589")])
    for text in [
      "1\(Phone.imei)", "\(Phone.imei)0", "49015420323751", "2728115890", "1272811589",
    ] where text != "49015420323751" {
      #expect(search.matches("\"\(text)\"").isEmpty, "\(text)")
      #expect(search.matches(ASCII.hex(Array(text.utf8))).isEmpty)
      for isBigEndian in [true, false] {
        let wide = ValueCoding.utf16(isBigEndian: isBigEndian).bytes(of: Array(text.utf8)) ?? []
        #expect(search.matches(wide).isEmpty)
        #expect(search.matches(ASCII.hex(wide)).isEmpty)
        #expect(search.matches(Base64.standard.encode(wide)).isEmpty)
      }
      #expect(search.matches(String(text.reversed())).isEmpty)
      #expect(search.matches(Base64.standard.encode(Array("x\(text)y".utf8))).isEmpty)
    }
    // Three digits more are no version, nor is one.
    #expect(search.matches("49015420323751123").isEmpty)
    #expect(search.matches("490154203237511").isEmpty)
    #expect(search.matches("id=272811589&").count == 1)
  }

  @Test("In UTF-16 and hexadecimal digits, what is no digit may stand beside a number")
  func wide() throws {
    let search = try NeedleSearch([("imei", Phone.imei)])
    for isBigEndian in [true, false] {
      let wide =
        ValueCoding.utf16(isBigEndian: isBigEndian).bytes(of: Array("x\(Phone.imei)林".utf8)) ?? []
      let name = isBigEndian ? "utf16be" : "utf16le"
      #expect(search.matches(wide) == ["imei \(name) 2..<32"])
      #expect(search.matches(ASCII.hex(wide)).contains("imei hex \(name) 4..<64"))
    }
  }

  @Test("Short numbers are less sure, and the shortest bytes are not searched for")
  func short() throws {
    let search = try NeedleSearch([
      ("account_id", "48213"), ("account_id", "482136"), ("account_id", "48213699"),
      ("contact_name", "李"),
    ])
    #expect(search.set.values.map(\.certainty) == [.possible, .likely, .certain, .possible])
    let binary = search.set.needles.filter { $0.spelling.nature != .text && $0.layer == .exact }
    #expect(binary.allSatisfy { $0.length >= 6 })
  }

  @Test("Hits near the ends and beside zeros never trap")
  func arbitrary() throws {
    let search = try NeedleSearch([
      ("imei", Phone.imei), ("wifi_mac", "00:00:00:2f:5b:17"), ("contact_name", Phone.hanName),
      ("gaid", "00000000-0000-0000-0000-000000000000"), ("account_id", "4294967296"),
    ])
    var generator = SeededGenerator(state: 11)
    let needles = search.set.needles
    for _ in 0..<400 {
      guard let needle = needles.randomElement(using: &generator) else { continue }
      let value = search.set.values[needle.value]
      let spelled = needle.spelling.bytes(of: value.subject) ?? []
      var bytes = needle.layer.bytes(of: spelled) ?? []
      #expect(bytes.count == needle.length && spelled.count == needle.spellingLength)
      if Bool.random(using: &generator) {
        bytes.removeLast(Int.random(in: 0...2, using: &generator))
      }
      if Bool.random(using: &generator) {
        bytes.insert(.random(in: 0...255, using: &generator), at: 0)
      }
      _ = search.matches(bytes)
    }
  }
}
