import Testing
import TideCore
import TideDecoding

@Suite struct BinaryPlistDecoderTests {
  private static let decoder = BinaryPlistDecoder()
  private static let context = LayerContext(place: .content)

  private static var sample: Plist {
    .dictionary([
      ("imei", .integer(352_099_001_761_481)), ("neg", .integer(-200)), ("lat", .real(39.9042)),
      ("name", .text("東京 taro")), ("long", .text(String(repeating: "long ", count: 10))),
      (
        "apps",
        .array([.text("com.example.one"), .text("two"), .dictionary([("in", .text("side"))])])
      ),
      ("when", .date(756_864_000)), ("raw", .data([0x00, 0xFF])), ("ref", .uid(7)),
      ("鍵", .text("value")),
    ])
  }

  private static let expected = [
    "$.imei number 352099001761481", "$.neg number -200", "$.lat float64 39.9042",
    "$.name text 東京 taro", "$.long text \(String(repeating: "long ", count: 10))",
    "$.apps[0] text com.example.one", "$.apps[1] text two", "$.apps[2].in text side",
    "$.when float64 756864000.0", "$.raw bytes \(Bytes([0x00, 0xFF]).text)", "$.ref number 7",
    "$.鍵 text value",
  ]

  @Test("Every type of object is read, whatever the width of references and offsets")
  func types() throws {
    for (references, offsets) in [(1, 2), (2, 4), (8, 8)] {
      let bytes = Self.sample.encoded(references: references, offsets: offsets)
      let opened = try #require(Opened(Self.decoder, bytes))
      #expect(opened.forms == Self.expected)
      #expect(opened.layer.isCertain && opened.isOrdered)
    }
  }

  @Test("Objects in another order than that of their references are read in order of place")
  func order() throws {
    let opened = try #require(Opened(Self.decoder, Self.sample.encoded(isReversed: true)))
    #expect(opened.forms.sorted() == Self.expected.sorted())
    #expect(opened.isOrdered)
    let index = try #require(opened.index("$.apps[1]"))
    let closed = try #require(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: "another one"])
    )
    let again = try #require(Opened(Self.decoder, closed))
    #expect(Set(again.forms).subtracting(opened.forms) == ["$.apps[1] text another one"])
  }

  @Test("A changed object moves those behind it; offsets and the trailer follow")
  func widths() throws {
    let opened = try #require(Opened(Self.decoder, Self.sample.encoded()))
    let longest = String(repeating: "y", count: 70_000)
    for (path, value, growth) in [
      ("$.imei", "1", 0), ("$.imei", "18446744073709551615", 8), ("$.neg", "-5", 0),
      ("$.lat", "1.5", 0), ("$.name", "東", -12), ("$.long", "short", -45), ("$.apps[1]", "t", -2),
      ("$.apps[1]", "東京", 1), ("$.apps[1]", "a text of sixteen", 16), ("$.raw", "abc", 1),
      ("$.ref", "300", 1), ("$.when", "5.0", 0),
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
    let index = try #require(opened.index("$.imei"))
    #expect(Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: "x"]) == nil)
    // Offsets of two bytes do not reach so far.
    let text = try #require(opened.index("$.long"))
    let closed = try #require(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: [text: Bytes(longest)])
    )
    #expect(Opened(Self.decoder, closed)?.leaves.last == "$.鍵=value")
  }

  @Test("An object that several refer to changes for all; one that is a name does not change")
  func shared() throws {
    let list = Plist.dictionary([
      ("a", .array([.text("same"), .text("same")])), ("b", .text("same")), ("c", .text("a")),
    ])
    let opened = try #require(Opened(Self.decoder, list.encoded()))
    #expect(
      opened.leaves == ["$.a[0]=same", "$.c=a"] || opened.leaves == ["$.c=a", "$.a[0]=same"]
    )
    let index = try #require(opened.index("$.a[0]"))
    let closed = try #require(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: "other"])
    )
    #expect(Opened(Self.decoder, closed)?.leaves.contains("$.a[0]=other") == true)
    #expect(!closed.text.contains("same"))
    let name = try #require(opened.index("$.c"))
    #expect(Self.decoder.close(opened.layer, over: opened.bytes, replacing: [name: "x"]) == nil)
  }

  @Test("Circles end, and depth is bounded")
  func circles() throws {
    // An array of itself and of a text.
    var bytes = Array("bplist00".utf8) + [0xA2, 0, 1, 0x52, 0x61, 0x62, 8, 11]
    bytes += [0, 0, 0, 0, 0, 0, 1, 1] + Plist.big(2, 8) + Plist.big(0, 8) + Plist.big(14, 8)
    #expect(Opened(Self.decoder, Bytes(bytes))?.leaves == ["$[1]=ab"])
    var deep = Plist.text("deep")
    for _ in 0..<100 { deep = .array([deep]) }
    #expect(Opened(Self.decoder, deep.encoded()) == nil)
  }

  @Test("Objects that overlap, widths of nothing and offsets outside are refused")
  func malformed() {
    let bytes = Self.sample.encoded().array
    let trailer = bytes.count - 32
    for (place, byte) in [
      (6, 0), (6, 9), (7, 0), (7, 9), (8, 0xFF), (15, 0), (16, 0xFF), (24, 0xFF), (31, 0),
    ] as [(Int, UInt8)] {
      var changed = bytes
      changed[trailer + place] = byte
      #expect(Opened(Self.decoder, Bytes(changed)) == nil)
    }
    let table = Int(bytes[bytes.count - 1]) | Int(bytes[bytes.count - 2]) << 8
    var overlapping = bytes
    overlapping[table + 1] = overlapping[table + 3]
    #expect(Opened(Self.decoder, Bytes(overlapping)) == nil)
    #expect(Opened(Self.decoder, Bytes(bytes + [0])) == nil)
    #expect(Opened(Self.decoder, "bplist00 is what a binary property list begins with") == nil)
  }

  @Test("Random lists with random changes open to the changes and nothing else", arguments: 0..<60)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let list = Plist.array([.random(depth: 4, &random), .random(depth: 4, &random)])
    try checkRandomChanges(
      Self.decoder,
      list.encoded(isReversed: seed % 3 == 0),
      Self.context,
      &random
    )
  }

  @Test("Damaged lists never trap")
  func hostile() {
    var random = SeededRandom(9)
    checkDamage(Self.decoder, Self.sample.encoded(), Self.context, &random)
    #expect(Opened(Self.decoder, Self.sample.encoded(), nodes: 14) == nil)
  }
}

/// A property list, for tests.
indirect enum Plist {
  case integer(Int64)
  case real(Double)
  case date(Double)
  case text(String)
  case data([UInt8])
  case uid(UInt8)
  case bool(Bool)
  case array([Plist])
  case dictionary([(String, Plist)])

  static func big(_ value: UInt64, _ count: Int) -> [UInt8] { Wire.little(value, count).reversed() }

  static func random(depth: Int, _ random: inout SeededRandom) -> Plist {
    switch Int.random(in: 0...(depth > 0 ? 8 : 6), using: &random) {
    case 0: .integer(.random(in: Int64.min...Int64.max, using: &random))
    case 1: .integer(.random(in: 0...300, using: &random))
    case 2: .real(.random(in: -180...180, using: &random))
    case 3: .data(random.bytes(.random(in: 0...40, using: &random)))
    case 4: .uid(.random(in: 0...255, using: &random))
    case 5: .bool(.random(using: &random))
    case 6: .text("T" + random.text(.random(in: 0...40, using: &random)))
    case 7:
      .array(
        (0..<Int.random(in: 0...20, using: &random)).map { _ in .random(depth: depth - 2, &random) }
      )
    default:
      .dictionary(
        (0..<Int.random(in: 0...5, using: &random)).map {
          ("key\($0)", .random(depth: depth - 1, &random))
        }
      )
    }
  }

  /// The list as bytes; equal texts are one object, as Apple's writer has it.
  func encoded(references: Int = 2, offsets: Int = 2, isReversed: Bool = false) -> Bytes {
    var table: [[UInt8]] = []
    var texts: [String: Int] = [:]
    _ = self.append(to: &table, &texts, references)
    var places = [Int](repeating: 0, count: table.count)
    var body = Array("bplist00".utf8)
    for index in isReversed ? Array(table.indices.reversed()) : Array(table.indices) {
      places[index] = body.count
      body += table[index]
    }
    let end = body.count
    for place in places { body += Self.big(UInt64(place), offsets) }
    body += [0, 0, 0, 0, 0, 0, UInt8(offsets), UInt8(references)]
    body += Self.big(UInt64(table.count), 8) + Self.big(0, 8) + Self.big(UInt64(end), 8)
    return Bytes(body)
  }

  private func append(
    to table: inout [[UInt8]],
    _ texts: inout [String: Int],
    _ references: Int
  ) -> Int {
    if case .text(let text) = self, let known = texts[text] { return known }
    let index = table.count
    table.append([])
    switch self {
    case .integer(let value):
      table[index] =
        (0...255).contains(value)
        ? [0x10, UInt8(value)] : [0x13] + Self.big(UInt64(bitPattern: value), 8)
    case .real(let value): table[index] = [0x23] + Self.big(value.bitPattern, 8)
    case .date(let value): table[index] = [0x33] + Self.big(value.bitPattern, 8)
    case .data(let data): table[index] = Self.head(0x4, data.count) + data
    case .uid(let value): table[index] = [0x80, value]
    case .bool(let value): table[index] = [value ? 0x09 : 0x08]
    case .text(let text):
      texts[text] = index
      let units = Array(text.utf16)
      let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
      table[index] =
        isASCII
        ? Self.head(0x5, units.count) + Array(text.utf8)
        : Self.head(0x6, units.count) + units.flatMap { Self.big(UInt64($0), 2) }
    case .array(let elements):
      let inside = elements.map { $0.append(to: &table, &texts, references) }
      table[index] =
        Self.head(0xA, inside.count) + inside.flatMap { Self.big(UInt64($0), references) }
    case .dictionary(let entries):
      let names = entries.map { Plist.text($0.0).append(to: &table, &texts, references) }
      let values = entries.map { $0.1.append(to: &table, &texts, references) }
      table[index] =
        Self.head(0xD, names.count) + (names + values).flatMap { Self.big(UInt64($0), references) }
    }
    return index
  }

  private static func head(_ kind: UInt8, _ count: Int) -> [UInt8] {
    if count < 15 { return [kind << 4 | UInt8(count)] }
    return count < 256
      ? [kind << 4 | 0x0F, 0x10, UInt8(count)]
      : [kind << 4 | 0x0F, 0x11] + Self.big(UInt64(count), 2)
  }
}
