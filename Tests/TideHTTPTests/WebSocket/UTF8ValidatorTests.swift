import TideCore
import Testing

@testable import TideHTTP

@Suite struct UTF8ValidatorTests {
  /// Bytes at the edges of what each rule of RFC 3629 §4 is about.
  private static let edges: [UInt8] = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
  ]

  private func isValid(_ parts: [Bytes]) -> Bool {
    var validator = UTF8Validator()
    return parts.allSatisfy { validator.accepts($0) } && validator.isComplete
  }

  @Test("It accepts what the standard library accepts, byte by byte and at once")
  func agreesWithString() {
    func check(_ bytes: [UInt8]) {
      let expected = String(validating: bytes, as: UTF8.self) != nil
      if self.isValid([Bytes(bytes)]) != expected
        || self.isValid(bytes.map { Bytes([$0]) }) != expected
      {
        Issue.record("\(bytes): the standard library says \(expected)")
      }
    }
    for a in Self.edges {
      check([a])
      for b in Self.edges {
        check([a, b])
        for c in Self.edges {
          check([a, b, c])
          guard a >= 0xF0 else { continue }
          for d in Self.edges { check([a, b, c, d]) }
        }
      }
    }
  }

  @Test("Text stays valid wherever it is cut, and one wrong byte anywhere is found")
  func cuts() {
    let text = Bytes("plain ASCII of more than a word, ελληνικά, 漢字, 🐕, and ASCII again")
    for parts in everyCut(of: text) { #expect(self.isValid(parts)) }
    for index in text.indices {
      var broken = text.array
      broken[index] = 0xFF
      #expect(!self.isValid([Bytes(broken)]))
    }
  }

  @Test("What is not UTF-8 once is never UTF-8 again")
  func sticky() {
    var validator = UTF8Validator()
    let answers = [Bytes([0x80]), "fine"].map { validator.accepts($0) }
    #expect(answers == [false, false])
    #expect(!validator.isComplete)
  }
}
