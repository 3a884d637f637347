import Testing
import TideCore
import TideDecoding

@Suite struct CBORDecoderTests {
  private static let decoder = CBORDecoder()
  private static let declared = LayerContext(place: .content, mediaType: "application/cbor")

  private static func head(_ major: UInt8, _ argument: UInt64, _ step: Int? = nil) -> [UInt8] {
    let step =
      step
      ?? (argument < 24
        ? -1 : argument < 256 ? 0 : argument < 65_536 ? 1 : argument < 1 << 32 ? 2 : 3)
    guard step >= 0 else { return [major << 5 | UInt8(argument)] }
    return [major << 5 | UInt8(24 + step)] + Wire.little(argument, 1 << step).reversed()
  }

  private static func text(_ text: String) -> [UInt8] {
    Self.head(3, UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// A map of no stated length with every type of item.
  private static let sample: [UInt8] =
    [0xBF] + Self.text("imei") + Self.head(0, 352_099_001_761_481)
    + Self.text("neg") + Self.head(1, 199)
    + Self.text("lat") + [0xFB] + Wire.little((39.9042).bitPattern, 8).reversed()
    + Self.text("alt") + [0xFA] + Wire.little(UInt64(Float(43.5).bitPattern), 4).reversed()
    + Self.text("half") + [0xF9, 0x3E, 0x00]
    + Self.text("on") + [0xF5] + Self.text("none") + [0xF6]
    + Self.text("apps") + [0x9F] + Self.text("com.example.one") + Self.text("two") + [0xFF]
    + Self.text("raw") + [0x42, 0x00, 0xFF]
    + Self.text("parts") + [0x7F] + Self.text("in two ") + Self.text("chunks") + [0xFF]
    + Self.text("time") + [0xC0] + Self.text("2026-11-23T00:00:00Z")
    + [0x20] + [0x00] + [0xFF]

  @Test("Every type of item is read, tagged and of no stated length too")
  func types() throws {
    let opened = try #require(Opened(Self.decoder, Bytes(Self.sample)))
    #expect(
      opened.forms == [
        "$.imei number 352099001761481", "$.neg number -200", "$.lat float64 39.9042",
        "$.alt float32 43.5", "$.half float32 1.5", "$.apps[0] text com.example.one",
        "$.apps[1] text two", "$.raw bytes \(Bytes([0x00, 0xFF]).text)",
        "$.parts text in two chunks", "$.time text 2026-11-23T00:00:00Z", "$.-1 number 0",
      ]
    )
    #expect(opened.layer.isCertain && opened.isOrdered)
    let tagged = Opened(Self.decoder, Bytes([0xD9, 0xD9, 0xF7] + Self.sample))
    #expect(tagged?.leaves == opened.leaves)
  }

  @Test("A value keeps the width of its head where it fits, its tags, and its being in chunks")
  func widths() throws {
    let opened = try #require(Opened(Self.decoder, Bytes(Self.sample)))
    let longest = String(repeating: "y", count: 70_000)
    for (path, value, growth) in [
      ("$.imei", "1", 0), ("$.imei", "-5", 0), ("$.neg", "-300", 1), ("$.neg", "7", 0),
      ("$.-1", "23", 0), ("$.-1", "24", 1), ("$.-1", "-18446744073709551616", 8),
      ("$.lat", "1.5", 0), ("$.alt", "2.5", 0), ("$.alt", "39.904211", 4), ("$.half", "2.5", 0),
      ("$.half", "39.9", 2), ("$.apps[1]", "t", -2), ("$.apps[1]", longest, 70_001),
      ("$.raw", longest, 70_002), ("$.parts", "one", -11), ("$.time", "2000", -16),
    ] as [(String, String, Int)] {
      let index = try #require(opened.index(path))
      let closed = try #require(
        Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: Bytes(value)])
      )
      #expect(closed.count - opened.bytes.count == growth, "\(path) \(value.count)")
      let again = try #require(Opened(Self.decoder, closed))
      let changed = zip(again.leaves, opened.leaves).filter { $0 != $1 }.map(\.0)
      #expect(changed == ["\(path)=\(value)"])
    }
    for (path, value) in [("$.imei", "18446744073709551616"), ("$.imei", "x"), ("$.lat", "nan")]
      as [(String, Bytes)]
    {
      let index = try #require(opened.index(path))
      #expect(
        Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: value]) == nil
      )
    }
  }

  @Test(
    "Cut, trailing and ill-formed items are refused, declared or not",
    arguments: [
      [0xA1], [0x82, 0x01], [0x9F, 0x01], [0xBF, 0x01, 0xFF], [0x1C], [0x1F],
      [0x7F, 0x41, 0x00, 0xFF],
      [0x7F, 0x7F, 0xFF, 0xFF], [0xFF], [0xF8, 0x18], [0xC0], [0xDF, 0x00],
      [0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
      [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00], [0xA1, 0x80, 0x01],
      [0x65, 0x61],
      [0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0x00],
    ] as [[UInt8]]
  )
  func malformed(bytes: [UInt8]) {
    #expect(Opened(Self.decoder, Bytes(bytes), Self.declared) == nil)
    #expect(Opened(Self.decoder, Bytes(Self.sample + bytes)) == nil)
  }

  @Test("A declared body may be any item, or a sequence")
  func declaration() {
    #expect(Opened(Self.decoder, Bytes([0x07]), Self.declared)?.leaves == ["$=7"])
    let sequence = LayerContext(place: .content, mediaType: "application/cbor-seq")
    #expect(
      Opened(Self.decoder, Bytes([0x07, 0xA1, 0x01, 0x02]), sequence)?.leaves == [
        "$[0]=7", "$[1].1=2",
      ]
    )
    #expect(Opened(Self.decoder, Bytes([0x84, 0x07, 0x08, 0x09, 0x0A])) == nil)
  }

  @Test("Random items with random changes open to the changes and nothing else", arguments: 0..<60)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var items = [0x83] + Self.text("a text that is an item")
    for _ in 0..<2 { Self.append(&items, depth: 4, &random) }
    try checkRandomChanges(Self.decoder, Bytes(items), Self.declared, &random)
  }

  private static func append(_ items: inout [UInt8], depth: Int, _ random: inout SeededRandom) {
    let isOpen = Bool.random(using: &random)
    switch Int.random(in: 0...(depth > 0 ? 7 : 5), using: &random) {
    case 0, 1:
      let step = Int.random(in: -1...3, using: &random)
      let most = step < 0 ? 23 : UInt64.max >> UInt64(64 - 8 << step)
      items += Self.head(
        .random(in: 0...1, using: &random),
        .random(in: 0...most, using: &random),
        step
      )
    case 2:
      items +=
        [0xFB] + Wire.little(Double.random(in: -180...180, using: &random).bitPattern, 8).reversed()
    case 3:
      let bits = Float.random(in: -180...180, using: &random).bitPattern
      items += [0xFA] + Wire.little(UInt64(bits), 4).reversed()
    case 4:
      let content = random.bytes(.random(in: 0...40, using: &random))
      items +=
        (isOpen ? [0x5F] : []) + Self.head(2, UInt64(content.count)) + content
        + (isOpen ? [0xFF] : [])
    case 5:
      let text = random.text(.random(in: 0...60, using: &random))
      items += [0xC0] + (isOpen ? [0x7F] : []) + Self.text(text) + (isOpen ? [0xFF] : [])
    case 6:
      let count = Int.random(in: 0...5, using: &random)
      items += isOpen ? [0x9F] : Self.head(4, UInt64(count), 1)
      for _ in 0..<count { Self.append(&items, depth: depth - 1, &random) }
      if isOpen { items.append(0xFF) }
    default:
      let count = Int.random(in: 0...5, using: &random)
      items += isOpen ? [0xBF] : Self.head(5, UInt64(count))
      for index in 0..<count {
        items += Self.text("key\(index)")
        Self.append(&items, depth: depth - 1, &random)
      }
      if isOpen { items.append(0xFF) }
    }
  }

  @Test("Damaged bodies, chance and depth never trap, and chance makes nothing")
  func hostile() {
    var random = SeededRandom(6)
    checkDamage(Self.decoder, Bytes(Self.sample), Self.declared, &random)
    #expect(countByChance(Self.decoder, &random) == 0)
    for byte in [0x81, 0x9F] as [UInt8] {
      let deep = Bytes([UInt8](repeating: byte, count: 10_000) + [1])
      #expect(Opened(Self.decoder, deep, Self.declared) == nil)
    }
    #expect(Opened(Self.decoder, Bytes(Self.sample), nodes: 12) == nil)
  }
}
