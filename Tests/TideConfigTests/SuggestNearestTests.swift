import Testing

@testable import TideConfig

@Suite struct SuggestNearestTests {
  @Test(
    "One edit of each kind is counted as one",
    arguments: [
      ("region", "regoin", 1), ("mode", "mod", 1), ("mode", "modes", 1), ("mode", "made", 1),
      ("mode", "mode", 0), ("", "ab", 2), ("ca", "abc", 3),
    ]
  )
  func distances(a: String, b: String, expected: Int) {
    #expect(SuggestNearest.distance(Array(a), Array(b)) == expected)
    #expect(SuggestNearest.distance(Array(b), Array(a)) == expected)
  }

  @Test("The nearest word is suggested, whatever its place in the list and the case")
  func nearest() {
    let keys = ["host", "port", "path", "region"]
    #expect(SuggestNearest.to("hosst", among: keys) == "host")
    #expect(SuggestNearest.to("Regoin", among: keys) == "region")
    #expect(SuggestNearest.to("prot", among: keys) == "port")
  }

  @Test("Nothing is suggested for a word that is far from all, short or very long")
  func nothingNear() {
    #expect(SuggestNearest.to("banana", among: ["host", "region"]) == nil)
    #expect(SuggestNearest.to("ip", among: ["id", "ui"]) == nil)
    #expect(SuggestNearest.to(String(repeating: "a", count: 10_000), among: ["aaa"]) == nil)
  }
}
