import Testing
import TideCore

@testable import TideInspect

@Suite struct PathTests {
  private func path(_ syntax: PartSyntax, _ text: String) -> String {
    var tracker = PathTracker(syntax)
    let bytes = Bytes(text)
    let end = bytes.firstIndex(of: 0x21) ?? bytes.count  // up to the mark `!`
    bytes.withSpan { tracker.consume($0, 0..<end) }
    return tracker.path
  }

  @Test(
    "The path leads to the marked place in JSON",
    arguments: [
      ("{\"a\":!", "$.a"), ("{\"a\":1,\"b\":[0,{\"c\":\"!", "$.b[1].c"), ("[[1,2],[!", "$[1][0]"),
      ("{\"a\\\"b\":!", "$[\"a\\\"b\"]"), ("{\"a b\":\"x\\\"},{\",\"d\":!", "$.d"),
      ("{\"a\":{\"b\":1},!", "$"), ("{\"a\":1}\n{\"b\":\"!", "$.b"), ("}}]],{\"x\":!", "$.x"),
      ("{\"k!", "$"),
    ]
  )
  func json(text: String, path: String) {
    #expect(self.path(.json, text) == path)
  }

  @Test("Keys name the values of forms and cookies")
  func pairs() {
    #expect(self.path(.form, "a=1&bc=2!") == "bc")
    #expect(self.path(.form, "a=1&bc!") == "")
    #expect(self.path(.cookie, "a=1; sess=x=y!") == "sess")
    #expect(self.path(.named("X-Id"), "abc!") == "x-id")
  }

  @Test("Depth and key length are bounded")
  func bounds() {
    let deep = String(repeating: "[", count: 10_000)
    #expect(self.path(.json, deep + "!").count == 1 + 64 * 3)
    #expect(
      self.path(.json, deep + String(repeating: "]", count: 10_000) + "{\"a\":!").hasSuffix(".a")
    )
    let long = String(repeating: "k", count: 5_000)
    #expect(self.path(.form, long + "=!").count == 64)
  }
}
