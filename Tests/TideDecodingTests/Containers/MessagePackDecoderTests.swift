import Testing
import TideCore
import TideDecoding

@Suite struct MessagePackDecoderTests {
  private static let decoder = MessagePackDecoder()
  private static let declared = LayerContext(place: .content, mediaType: "application/x-msgpack")

  /// A map of 11 entries with every type of item.
  private static let sample: [UInt8] =
    [0x8B] + Self.short("imei") + [0xCF] + Wire.little(352_099_001_761_481, 8).reversed()
    + Self.short("lat") + [0xCB] + Wire.little((39.9042).bitPattern, 8).reversed()
    + Self.short("alt") + [0xCA] + Wire.little(UInt64(Float(43.5).bitPattern), 4).reversed()
    + Self.short("on") + [0xC3] + Self.short("none") + [0xC0]
    + Self.short("apps") + [0x92] + Self.short("com.example.one") + [0xD9, 0x03] + Array("two".utf8)
    + Self.short("raw") + [0xC4, 0x02, 0x00, 0xFF]
    + Self.short("ext") + [0xD6, 0xFF, 1, 2, 3, 4]
    + Self.short("neg") + [0xD1, 0xFF, 0x38] + [0x07] + [0xE0] + [0xC2] + [0x7F]

  private static func short(_ text: String) -> [UInt8] {
    [0xA0 | UInt8(text.utf8.count)] + Array(text.utf8)
  }

  @Test("Every type of item is read, and maps give names")
  func types() throws {
    let opened = try #require(Opened(Self.decoder, Bytes(Self.sample)))
    #expect(
      opened.forms == [
        "$.imei number 352099001761481", "$.lat float64 39.9042", "$.alt float32 43.5",
        "$.apps[0] text com.example.one", "$.apps[1] text two",
        "$.raw bytes \(Bytes([0x00, 0xFF]).text)", "$.ext bytes \u{1}\u{2}\u{3}\u{4}",
        "$.neg number -200", "$.7 number -32", "$. number 127",
      ]
    )
    #expect(opened.layer.isCertain && opened.isOrdered)
  }

  @Test("A value keeps the width of its head where it fits, and gets a wider one where not")
  func widths() throws {
    let opened = try #require(Opened(Self.decoder, Bytes(Self.sample)))
    func close(_ path: String, _ value: Bytes) -> Bytes? {
      opened.index(path)
        .flatMap { Self.decoder.close(opened.layer, over: opened.bytes, replacing: [$0: value]) }
    }
    let wider = String(repeating: "x", count: 40)
    let longest = String(repeating: "y", count: 70_000)
    for (path, value, growth) in [
      ("$.imei", "1", 0), ("$.imei", "-1", -7), ("$.neg", "5", 0), ("$.neg", "40000", 2),
      ("$.7", "-33", 1), ("$.7", "200", 1), ("$.7", "-4000000000", 8), ("$.lat", "1.5", 0),
      ("$.alt", "1.5", 0), ("$.alt", "39.904211", 4), ("$.apps[1]", "t", -2),
      ("$.apps[0]", wider, 26), ("$.apps[1]", longest, 70_000), ("$.raw", longest, 70_001),
      ("$.ext", "abcd", 0), ("$.ext", "abcde", 2), ("$.ext", longest, 70_000),
    ] as [(String, String, Int)] {
      let closed = try #require(close(path, Bytes(value)))
      #expect(closed.count - opened.bytes.count == growth, "\(path) \(value.count)")
      let again = try #require(Opened(Self.decoder, closed))
      let changed = zip(again.leaves, opened.leaves).filter { $0 != $1 }.map(\.0)
      #expect(changed == ["\(path)=\(value)"])
    }
    for (path, value) in [("$.imei", "1.5"), ("$.imei", "x"), ("$.lat", "x"), ("$.lat", "inf")]
      as [(String, Bytes)]
    {
      #expect(close(path, value) == nil)
    }
    #expect(Self.decoder.close(opened.layer, over: opened.bytes, replacing: [0: "x"]) == nil)
  }

  @Test(
    "Cut, trailing, unknown and oversized items are refused, declared or not",
    arguments: [
      [0x81], [0x92, 0x01], [0xC1], [0x91, 0xC1], [0xA5, 0x61], [0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 1],
      [0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1], [0xDB, 0xFF, 0xFF, 0xFF, 0xFF, 1],
      [0xC9, 0, 0, 0, 9, 1],
      [0x81, 0x90, 0x01], [0xD9], [0xCF, 1, 2],
    ] as [[UInt8]]
  )
  func malformed(bytes: [UInt8]) {
    #expect(Opened(Self.decoder, Bytes(bytes), Self.declared) == nil)
    #expect(Opened(Self.decoder, Bytes(Self.sample + bytes)) == nil)
  }

  @Test("A declared body may be any item, or several in a row")
  func declaration() {
    #expect(Opened(Self.decoder, Bytes([0x07]), Self.declared)?.leaves == ["$=7"])
    #expect(
      Opened(Self.decoder, Bytes([0x07, 0x81, 0x01, 0x02]), Self.declared)?.leaves == [
        "$[0]=7", "$[1].1=2",
      ]
    )
    #expect(Opened(Self.decoder, Bytes([0x94, 0x07, 0x08, 0x09, 0x0A])) == nil)
    let two = Bytes(Self.sample + Self.sample)
    let opened = Opened(Self.decoder, two, Self.declared)
    #expect(opened?.leaves.count == 20)
    #expect(opened.flatMap { Self.decoder.close($0.layer, over: two, replacing: [:]) } == two)
  }

  @Test("Random items with random changes open to the changes and nothing else", arguments: 0..<60)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var items = [0x93] + Self.short("a text that is an item")
    for _ in 0..<2 { Self.append(&items, depth: 4, &random) }
    try checkRandomChanges(Self.decoder, Bytes(items), Self.declared, &random)
  }

  private static func append(_ items: inout [UInt8], depth: Int, _ random: inout SeededRandom) {
    switch Int.random(in: 0...(depth > 0 ? 9 : 7), using: &random) {
    case 0: items.append(.random(in: 0x00...0x7F, using: &random))
    case 1: items.append(.random(in: 0xE0...0xFF, using: &random))
    case 2:
      let step = Int.random(in: 0...7, using: &random)
      items += [0xCC + UInt8(step)] + random.bytes(1 << (step & 3))
    case 3:
      items +=
        [0xCB] + Wire.little(Double.random(in: -180...180, using: &random).bitPattern, 8).reversed()
    case 4:
      let bits = Float.random(in: -180...180, using: &random).bitPattern
      items += [0xCA] + Wire.little(UInt64(bits), 4).reversed()
    case 5:
      let step = Int.random(in: 0...2, using: &random)
      let content = random.bytes(.random(in: 0...40, using: &random))
      items +=
        [0xC4 + UInt8(step)] + Wire.little(UInt64(content.count), 1 << step).reversed() + content
    case 6:
      let step = Int.random(in: 0...4, using: &random)
      items += [0xD4 + UInt8(step), 1] + random.bytes(1 << step)
    case 7:
      let text = Array(random.text(.random(in: 0...60, using: &random)).utf8)
      items += [0xDA] + Wire.little(UInt64(text.count), 2).reversed() + text
    case 8:
      let count = Int.random(in: 0...5, using: &random)
      items += [0xDC, 0, UInt8(count)]
      for _ in 0..<count { Self.append(&items, depth: depth - 1, &random) }
    default:
      let count = Int.random(in: 0...5, using: &random)
      items.append(0x80 | UInt8(count))
      for index in 0..<count {
        items += Self.short("key\(index)")
        Self.append(&items, depth: depth - 1, &random)
      }
    }
  }

  @Test("Damaged bodies, chance and depth never trap, and chance makes nothing")
  func hostile() {
    var random = SeededRandom(5)
    checkDamage(Self.decoder, Bytes(Self.sample), Self.declared, &random)
    #expect(countByChance(Self.decoder, &random) == 0)
    let deep = Bytes([UInt8](repeating: 0x91, count: 10_000) + [1])
    #expect(Opened(Self.decoder, deep, Self.declared) == nil)
    #expect(Opened(Self.decoder, Bytes(Self.sample), nodes: 11) == nil)
  }
}
