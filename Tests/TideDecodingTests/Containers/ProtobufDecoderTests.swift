import Testing
import TideCore
import TideDecoding

@Suite struct ProtobufDecoderTests {
  private static let decoder = ProtobufDecoder()
  private static let declared = LayerContext(place: .content, mediaType: "application/x-protobuf")

  @Test("Fields of every wire type are read, by their numbers")
  func wireTypes() throws {
    var message = Wire()
    message.varint(1, 35_209_900_176_148)
    message.text(2, "user@device.example")
    message.fixed64(3, (39.9042).bitPattern)
    message.fixed64(4, 352_099_001_761_481)
    message.fixed32(5, Float(116.25).bitPattern)
    message.fixed32(6, 1_700_000_000)
    message.message(7) { inner in
      inner.text(1, "first")
      inner.text(1, "second")
      inner.message(2) { $0.text(1, "a string that is long enough to have a printable length") }
      inner.message(3) { $0.text(1, "wsqqt32eg") }
    }
    message.delimited(8, [0xFF, 0x00, 0xFE, 0x01, 0x80])
    message.group(9) { $0.varint(1, 7) }
    message.delimited(16, [])
    let opened = try #require(Opened(Self.decoder, message.bytes))
    #expect(opened.layer.isCertain)
    #expect(
      opened.forms == [
        "$.1 varint 35209900176148", "$.2 text user@device.example", "$.3 float64 39.9042",
        "$.4 fixed64 352099001761481", "$.5 float32 116.25", "$.6 fixed32 1700000000",
        "$.7.1 text first", "$.7.1 text second",
        "$.7.2.1 text a string that is long enough to have a printable length",
        "$.7.3.1 text wsqqt32eg",
        "$.8 bytes \(Bytes([0xFF, 0x00, 0xFE, 0x01, 0x80]).text)", "$.9.1 varint 7", "$.16 text ",
      ]
    )
    #expect(opened.isOrdered)
  }

  @Test("Packed numbers are read where chance does not make them")
  func packed() throws {
    var message = Wire()
    message.text(1, "a text that makes it a message")
    message.delimited(2, Wire.varint(399_042_000) + Wire.varint(1_163_974_000))
    message.delimited(3, Wire.little((39.9).bitPattern, 8) + Wire.little((116.3).bitPattern, 8))
    message.delimited(
      4,
      Wire.little(UInt64(Float(39.5).bitPattern), 4)
        + Wire.little(UInt64(Float(116.5).bitPattern), 4)
    )
    message.delimited(5, [3, 5, 2, 0, 9, 9, 0, 0, 1, 7, 6, 1, 4, 8, 1])
    message.delimited(6, [0x53, 0x02, 0x99, 0x00, 0x71, 0x16, 0x84, 0xF1])
    message.delimited(7, [0x00, 0x11, 0x22, 0x5A, 0xAA, 0xBB, 0xCC, 0x5D])
    let opened = try #require(Opened(Self.decoder, message.bytes))
    #expect(
      opened.leaves.dropFirst().dropLast(3) == [
        "$.2[0]=399042000", "$.2[1]=1163974000", "$.3[0]=39.9", "$.3[1]=116.3", "$.4[0]=39.5",
        "$.4[1]=116.5",
      ]
    )
    #expect(opened.layer.nodes.suffix(3).map(\.form) == [.bytes, .bytes, .bytes])
    let place = try #require(opened.index("$.2[1]"))
    let closed = try #require(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: [place: "5"])
    )
    #expect(closed.count == opened.bytes.count)
    #expect(Opened(Self.decoder, closed)?.leaves[2] == "$.2[1]=5")
  }

  @Test("A longitude in 1e-7 degrees beside its latitude is an integer")
  func scaledPosition() throws {
    var message = Wire()
    message.fixed32(1, 399_042_000)
    message.fixed32(2, 1_163_974_000)
    let opened = try #require(Opened(Self.decoder, message.bytes, Self.declared))
    #expect(opened.forms == ["$.1 fixed32 399042000", "$.2 fixed32 1163974000"])
  }

  @Test(
    "Text and what is no message are left alone",
    arguments: [
      "{\"a\": \"b\"}", "\"quoted text", "2 be or not 2 be, that is it", "a=b&c=d", "\n\n\n\n\n\n",
      "<?xml version=\"1.0\"?>", "\u{8}\u{1}", "\u{8}\u{1}\u{8}", "東京都千代田区",
    ] as [Bytes]
  )
  func others(bytes: Bytes) {
    #expect(Opened(Self.decoder, bytes) == nil)
  }

  @Test(
    "Bytes that break a rule of the format are no message",
    arguments: [
      [0x08], [0x08, 0x80], [0x0A, 0x05, 0x61], [0x00, 0x01], [0x0F, 0x01], [0x0C],
      [0x0B, 0x08, 0x01],
      [0x0B, 0x14], [0x88, 0x00, 0x01], [0xC2, 0xA3, 0x09, 0x00], [0x09, 1, 2, 3], [0x0D, 1, 2],
      [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
      [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00],
    ] as [[UInt8]]
  )
  func malformed(bytes: [UInt8]) {
    #expect(Opened(Self.decoder, Bytes(bytes), Self.declared) == nil)
  }

  @Test("Short numbers make a message only where one is declared, or inside gRPC")
  func declaration() {
    let bytes = Bytes([0x08, 0x96, 0x01])
    #expect(Opened(Self.decoder, bytes) == nil)
    for type in ["application/protobuf", "application/x-google-protobuf", "application/proto"] {
      let context = LayerContext(place: .content, mediaType: type)
      #expect(Opened(Self.decoder, bytes, context)?.leaves == ["$.1=150"])
    }
    for around in [["grpc"], ["grpc", "gzip"]] {
      let inGRPC = LayerContext(place: .leaf, around: around)
      #expect(Opened(Self.decoder, bytes, inGRPC)?.leaves == ["$.1=150"])
    }
    #expect(
      Opened(Self.decoder, bytes, LayerContext(place: .leaf, around: ["grpc", "json"])) == nil
    )
  }

  @Test("A single field that is nothing but an identifier is a message")
  func singleField() {
    var number = Wire()
    number.varint(1, 352_099_001_761_481)
    #expect(Opened(Self.decoder, number.bytes)?.leaves == ["$.1=352099001761481"])
    var text = Wire()
    text.text(2, "352099001761481")
    #expect(Opened(Self.decoder, text.bytes)?.leaves == ["$.2=352099001761481"])
    // Printable throughout, but for the tag.
    var printable = Wire()
    printable.text(1, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    #expect(Opened(Self.decoder, printable.bytes)?.leaves.count == 1)
    #expect(Opened(Self.decoder, "\n\nten bytes.") == nil)
  }

  @Test("A longer value changes the lengths of every message around it, and nothing else")
  func lengths() throws {
    func message(_ text: String) -> Bytes {
      var message = Wire()
      message.message(1) { outer in
        outer.message(2) { inner in
          inner.text(3, text)
          inner.text(4, "before")
        }
        outer.group(5) { $0.text(1, text) }
        outer.varint(6, 9)
      }
      message.text(7, "after")
      return message.bytes
    }
    let opened = try #require(Opened(Self.decoder, message("short")))
    let long = String(repeating: "longer than a length of one byte says ", count: 8)
    let values = try [
      #require(opened.index("$.1.2.3")): Bytes(long),
      #require(opened.index("$.1.5.1")): Bytes(long),
    ]
    #expect(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: values) == message(long)
    )
    // Back again the lengths stay as wide as they are, which is legal.
    let other = try #require(Opened(Self.decoder, message(long)))
    let shorter = try #require(
      Self.decoder.close(
        other.layer,
        over: other.bytes,
        replacing: values.mapValues { _ in "short" }
      )
    )
    #expect(Opened(Self.decoder, shorter)?.leaves == opened.leaves)
  }

  @Test("A number keeps its width where it fits, and what is no such number is refused")
  func numbers() throws {
    var message = Wire()
    message.varint(1, 352_099_001_761_481)
    message.fixed64(2, (39.9042).bitPattern)
    message.fixed32(3, 4_000_000_000)
    message.text(4, "some text")
    let opened = try #require(Opened(Self.decoder, message.bytes))
    func close(_ index: Int, _ value: Bytes) -> Bytes? {
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: [index: value])
    }
    for (index, value) in [(0, "350000000000006"), (0, "17"), (1, "39.85"), (2, "3999999999")]
      as [(Int, Bytes)]
    {
      let closed = try #require(close(index, value))
      #expect(closed.count == opened.bytes.count)
      #expect(Opened(Self.decoder, closed)?.leaves[index].hasSuffix("=\(value)") == true)
    }
    #expect(close(0, "18446744073709551615").map { $0.count > opened.bytes.count } == true)
    for (index, value) in [
      (0, "-1"), (0, "18446744073709551616"), (0, ""), (1, "nan"), (2, "4294967296"),
    ]
      as [(Int, Bytes)]
    {
      #expect(close(index, value) == nil)
    }
    #expect(close(17, "x") == nil)
  }

  @Test("What was changed in place since is kept")
  func changedInPlace() throws {
    var message = Wire()
    message.text(1, "352099001761481")
    message.text(2, "somebody's name")
    let opened = try #require(Opened(Self.decoder, message.bytes))
    var changed = opened.bytes.array
    changed.replaceSubrange(2..<4, with: [0x0A, 0x00])
    let closed = try #require(
      Self.decoder.close(opened.layer, over: Bytes(changed), replacing: [1: "another, longer name"])
    )
    #expect(closed.slice(0..<17) == Bytes(changed).slice(0..<17))
  }

  @Test(
    "Random messages with random changes open to the changes and nothing else",
    arguments: 0..<60
  )
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var message = Wire()
    message.text(1, "a text that makes it a message")
    message.random(depth: 3, &random)
    let opened = try #require(Opened(Self.decoder, message.bytes, Self.declared))
    #expect(opened.isOrdered)
    #expect(Self.decoder.close(opened.layer, over: opened.bytes, replacing: [:]) == opened.bytes)
    var values: [Int: Bytes] = [:]
    var expected: [Bytes] = []
    for (index, node) in opened.layer.nodes.enumerated() {
      guard let value = node.value(in: opened.bytes) else { continue }
      if Bool.random(using: &random), let other = Self.other(node.form, &random) {
        values[index] = other
      }
      expected.append(values[index] ?? value)
    }
    let closed = try #require(
      Self.decoder.close(opened.layer, over: opened.bytes, replacing: values)
    )
    let again = try #require(Opened(Self.decoder, closed, Self.declared))
    #expect(again.layer.nodes.compactMap { $0.value(in: closed) } == expected)
    #expect(again.layer.nodes.map(\.key) == opened.layer.nodes.map(\.key))
  }

  private static func other(_ form: LayerNode.Form, _ random: inout SeededRandom) -> Bytes? {
    switch form {
    case .text: Bytes("T" + random.text(.random(in: 0...200, using: &random)))
    // 0xFF begins no tag, no text and no varint of four bytes that the 0x00 would end.
    case .bytes: Bytes([0xFF, 0x00] + random.bytes(9))
    case .varint: Bytes(String(UInt64.random(in: 0...UInt64.max, using: &random)))
    case .fixed32: Bytes(String(UInt32.random(in: 4_000_000_000...UInt32.max, using: &random)))
    case .fixed64: Bytes(String(UInt64.random(in: 0...1 << 52, using: &random)))
    case .float64: Bytes(Double.random(in: 1...180, using: &random).description)
    case .float32: Bytes(Float.random(in: 1...180, using: &random).description)
    case .number: nil
    }
  }

  @Test("Chance makes few messages of random bytes, and none beyond doubt")
  func chance() {
    var random = SeededRandom(7)
    var taken = 0
    for turn in 0..<20_000 {
      let bytes = Bytes(random.bytes([6, 8, 16, 20, 32, 64, 256, 300][turn % 8]))
      guard let opened = Opened(Self.decoder, bytes) else { continue }
      taken += 1
      #expect(!opened.layer.isCertain)
      #expect(bytes.count < 256)
    }
    #expect(taken < 40)
  }

  @Test("Damaged messages and messages inside each other without end never trap")
  func hostile() {
    var random = SeededRandom(3)
    var message = Wire()
    message.random(depth: 3, &random)
    for _ in 0..<3_000 {
      var bytes = message.bytes.array
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255,
          using: &random
        )
      }
      if let opened = Opened(Self.decoder, Bytes(bytes), Self.declared) {
        #expect(opened.isOrdered)
      }
    }
    var nested: [UInt8] = [0x08, 0x01]
    for _ in 0..<300 { nested = [0x0A] + Wire.varint(UInt64(nested.count)) + nested }
    let opened = Opened(Self.decoder, Bytes(nested), Self.declared)
    #expect((opened?.layer.nodes.count ?? 0) <= 65)
    let groups = [UInt8](repeating: 0x0B, count: 5_000) + [UInt8](repeating: 0x0C, count: 5_000)
    #expect(Opened(Self.decoder, Bytes(groups), Self.declared) == nil)
  }

  @Test("More fields than the budget has nodes are refused, and that is remembered")
  func budget() {
    let bytes = Bytes((0..<2_000).flatMap { _ in [0x08, 0x01] as [UInt8] })
    var budget = DecodingBudget(bytes: 1 << 20, nodes: 1_000, depth: 8, ratio: 100)
    #expect(Self.decoder.open(bytes, Self.declared, &budget) == nil)
    #expect(budget.exceeded == .nodes)
  }
}

/// Writes messages, for tests.
struct Wire {
  private(set) var array: [UInt8] = []
  var bytes: Bytes { Bytes(self.array) }

  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var result: [UInt8] = []
    while rest >= 0x80 {
      result.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return result + [UInt8(rest)]
  }

  static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private mutating func tag(_ number: Int, _ type: UInt64) {
    self.array += Self.varint(UInt64(number) << 3 | type)
  }

  mutating func varint(_ number: Int, _ value: UInt64) {
    self.tag(number, 0)
    self.array += Self.varint(value)
  }

  mutating func fixed64(_ number: Int, _ bits: UInt64) {
    self.tag(number, 1)
    self.array += Self.little(bits, 8)
  }

  mutating func fixed32(_ number: Int, _ bits: UInt32) {
    self.tag(number, 5)
    self.array += Self.little(UInt64(bits), 4)
  }

  mutating func delimited(_ number: Int, _ content: [UInt8]) {
    self.tag(number, 2)
    self.array += Self.varint(UInt64(content.count)) + content
  }

  mutating func text(_ number: Int, _ text: String) { self.delimited(number, Array(text.utf8)) }

  mutating func message(_ number: Int, _ fill: (inout Wire) -> Void) {
    var inner = Wire()
    fill(&inner)
    self.delimited(number, inner.array)
  }

  mutating func group(_ number: Int, _ fill: (inout Wire) -> Void) {
    var inner = Wire()
    fill(&inner)
    self.tag(number, 3)
    self.array += inner.array
    self.tag(number, 4)
  }

  mutating func random(depth: Int, _ random: inout SeededRandom) {
    for number in 1...Int.random(in: 2...8, using: &random) {
      switch Int.random(in: 0...7, using: &random) {
      case 0: self.varint(number, .random(in: 0...UInt64.max, using: &random))
      case 1: self.fixed64(number, UInt64.random(in: 0...1 << 52, using: &random))
      case 2: self.fixed64(number, Double.random(in: 1...180, using: &random).bitPattern)
      case 3: self.fixed32(number, Float.random(in: 1...180, using: &random).bitPattern)
      case 4: self.delimited(number, [0xFF, 0x00] + random.bytes(9))
      case 5 where depth > 0:
        var inner = Wire()
        inner.random(depth: depth - 1, &random)
        self.delimited(number, inner.array)
      case 6 where depth > 0:
        var inner = Wire()
        inner.random(depth: depth - 1, &random)
        self.group(number) { $0 = inner }
      default: self.text(number, "T" + random.text(.random(in: 0...200, using: &random)))
      }
    }
  }
}
