import Testing
import TideCore

@testable import TideInspect

/// Names of places do not depend on how many bytes the tracker is given at a time.
@Suite struct TrackerTests {
  @Test("A name is the same wherever the text is cut", arguments: 0..<200)
  func anyCut(seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\"k\":", "\"a\\\"b\":", "7", "\"v\"", "&", "=",
      ";",
    ]
    let text = Bytes(
      (0..<Int.random(in: 1...120, using: &generator)).map { _ in
        pieces.randomElement(using: &generator) ?? ""
      }.joined()
    )
    for syntax in [PartSyntax.json, .form, .cookie] {
      var whole = PathTracker(syntax)
      text.withSpan { whole.consume($0, 0..<text.count) }
      var single = PathTracker(syntax)
      for index in 0..<text.count {
        // Bytes of their own each time: a tracker may not rely on those it has passed.
        let byte = text.slice(index..<index + 1)
        byte.withSpan { single.consume($0, 0..<1) }
      }
      #expect(single.path == whole.path)
      #expect(single.key == whole.key)
      let cut = Int.random(in: 0...text.count, using: &generator)
      var halves = PathTracker(syntax)
      text.slice(0..<cut).withSpan { halves.consume($0, 0..<cut) }
      text.dropping(first: cut).withSpan { halves.consume($0, 0..<text.count - cut) }
      #expect(halves.path == whole.path)
      #expect(halves.key == whole.key)
    }
  }

  @Test("Deep, unbalanced and overlong text gives a bounded path and no trap")
  func deep() {
    var tracker = PathTracker(.json)
    let text = Bytes(
      "]}{\"\(String(repeating: "n", count: 100))\":" + String(repeating: "[{\"a\":", count: 50)
    )
    text.withSpan { tracker.consume($0, 0..<text.count) }
    #expect(tracker.path.utf8.count < JSONTracker.deepest * 4 + 70)
    #expect(tracker.key == "a")
    let close = Bytes(String(repeating: "}]", count: 50) + ",\"last\":1")
    close.withSpan { tracker.consume($0, 0..<close.count) }
    #expect(tracker.path == "$.last")
  }
}
