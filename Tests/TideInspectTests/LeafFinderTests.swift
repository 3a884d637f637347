import TideCore
import TideDecoding
import Testing

@testable import TideInspect

/// Leaves that are searched all at once, and are seen each by itself nevertheless.
@Suite struct LeafFinderTests {
  private static let form = [("Content-Type", "application/x-www-form-urlencoded")]

  @Test(
    "A value that stands across two decoded leaves is in neither, and one in a leaf is in that leaf"
  )
  func decoded() throws {
    let context = try makeContext()
    let head = Phone.name.prefix(8).replacing(" ", with: "%20")
    let tail = Phone.name.dropFirst(8).replacing(" ", with: "%20")
    #expect(context.findings("a=\(head)&b=\(tail)&c=%20", Self.form).isEmpty)
    let whole = Phone.name.replacing(" ", with: "%20")
    let found = context.findings("a=\(head)&b=x%20\(whole)&c=\(tail)", Self.form)
    #expect(found.map(\.line) == ["contact_name certain body b"])
  }

  @Test("Of hits that overlap, those count that lie wholly in what is asked for")
  func hits() throws {
    let context = try makeContext()
    let scanner = try #require(context.scanner)
    let text = Array("--\(Phone.imei)--\(Phone.imsi)".utf8)
    let map = NeedleHitMap(scanner, context.plan.needles.needles, text.span)
    #expect(!map.isEmpty)
    #expect(map.hasHit(in: 0..<text.count))
    #expect(map.hasHit(in: 2..<17))
    #expect(map.hasHit(in: 17..<text.count))
    #expect(!map.hasHit(in: 3..<17))
    #expect(!map.hasHit(in: 2..<15))
    #expect(!map.hasHit(in: 17..<text.count - 1))
    let empty = NeedleHitMap(scanner, context.plan.needles.needles, Array("0123".utf8).span)
    #expect(empty.isEmpty && !empty.hasHit(in: 0..<4))
  }

  @Test("Whether a trigger may be in a leaf, its shape never denies wrongly")
  func triggers() {
    var chance = SeededGenerator(state: 20)
    let pieces = [
      "490154203237518", "a@bc.de", "a%40bc.de", "e4:34:f1:2f:5b:17", "x", "%", "-", " ",
    ]
    let groups = Builtins.inspectors(InspectorMaterial([])).map {
      TriggerGroup($0.trigger, [0], reach: $0.maxMatchLength)
    }
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...4, using: &chance)
      let text = (0..<count).compactMap { _ in pieces.randomElement(using: &chance) }.joined()
      let bytes = Bytes(text)
      for group in groups {
        let isSeen = bytes.withSpan { group.mayMatch($0) }
        let isSeenByShape = bytes.withSpan { group.mayMatch($0, Shape(bytes)) }
        #expect(isSeen == isSeenByShape, "\(text)")
      }
    }
  }

  @Test("A list of packages under its name counts wherever its leaves stand in the layer")
  func packages() throws {
    let context = try makeContext()
    let found = context.findings(
      #"{"n":"com.alone.here","apps":["Xx.tide.one","io.tide.two","io.tide.three","io.tide.four"]}"#
    )
    #expect(found.map(\.path) == ["$.apps[1]", "$.apps[2]", "$.apps[3]"])
  }

  @Test("A position is found among thousands of leaves that are none")
  func positions() throws {
    let profile = DeviceProfile(
      name: "placed",
      addresses: [],
      identifiers: [.init(kind: FindingKind("gps"), value: "25.056367,121.520610")]
    )
    let context = try makeContext([profile])
    let filler = (0..<3_000).map {
      #"{"t":\#(1_408_012_345_678 + $0),"v":"\#($0).\#($0)","w":"word"}"#
    }
    let place = #"{"t":1408012345678,"a":25.0563,"b":121.5206}"#
    let parts = filler.prefix(2_000) + [place] + filler.suffix(1_000)
    let found = context.findings("[\(parts.joined(separator: ","))]")
    #expect(found.map(\.line) == ["gps certain body $[2000].a", "gps certain body $[2000].b"])
  }
}
