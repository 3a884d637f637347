import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@Suite struct CompressedCodingTests {
  private let text: Bytes =
    "{\"imei\":\"490154203237518\",\"app\":\"a.example\",\"again\":\"490154203237518\"}"

  private func compressed(_ text: Bytes) -> [(any LayerDecoder, Bytes)] {
    [
      (GzipCoding(), Gzip.encode(text)), (ZlibCoding(), Gzip.encode(text, format: .zlib)),
      (DeflateCoding(), Gzip.encode(text, format: .raw)), (BrotliCoding(), Brotli.encode(text)),
      (ZstdCoding(), Zstd.compress(text)),
    ]
  }

  @Test("Every format opens and is replaced in the same format")
  func roundTrips() throws {
    var numbers = SeededRandom(11)
    for _ in 0..<30 {
      let (text, other) = (sampleText(&numbers), sampleText(&numbers))
      for (coding, written) in self.compressed(text) {
        #expect(value(coding, written) == text, "\(coding.name)")
        _ = try replaced(coding, written, by: other)
      }
    }
  }

  @Test("No format opens what another has written, or what is cut, longer, or text")
  func nearMisses() {
    for (coding, written) in self.compressed(self.text) {
      for (other, foreign) in self.compressed(self.text) where other.name != coding.name {
        #expect(value(coding, foreign) == nil, "\(coding.name) opens \(other.name)")
      }
      #expect(value(coding, written.slice(0..<written.count - 3)) == nil, "\(coding.name)")
      #expect(value(coding, Bytes(written.array + [1, 2, 3, 4])) == nil, "\(coding.name)")
      #expect(value(coding, self.text) == nil)
    }
  }

  @Test("Random bytes do not open as the formats without magic bytes")
  func noise() {
    var numbers = SeededRandom(13)
    for count in 16...400 {
      let noise = Bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      #expect(value(DeflateCoding(), noise) == nil)
      #expect(value(BrotliCoding(), noise) == nil)
    }
  }

  @Test("A bomb is refused by ratio, and what is larger than the budget by bytes")
  func bombs() {
    let bomb = Bytes([UInt8](repeating: 0x20, count: 4 << 20))
    for (coding, written) in self.compressed(bomb) {
      for (bytes, ratio, limit) in [
        (8 << 20, 100, DecodingBudget.Limit.ratio), (1 << 20, 100_000_000, .bytes),
      ] {
        var budget = DecodingBudget(bytes: bytes, nodes: 10, depth: 8, ratio: ratio)
        let context = LayerContext(place: .leaf)
        guard coding.mayOpen(Shape(written), context) else {
          // Brotli and zstd make so few bytes of it that they are none worth a look.
          #expect(written.count < 18)
          continue
        }
        #expect(coding.open(written, context, &budget) == nil)
        #expect(budget.exceeded == limit, "\(coding.name)")
      }
    }
  }

  @Test("The time and the system in a gzip header stay")
  func header() throws {
    var written = Gzip.encode(self.text).array
    written.replaceSubrange(4..<10, with: [1, 2, 3, 4, 2, 11])
    let changed = try replaced(GzipCoding(), Bytes(written), by: "{\"imei\":\"359881030314356\"}")
    #expect(changed.slice(4..<10) == Bytes([1, 2, 3, 4, 2, 11]))
  }
}

@Suite struct XORCodingTests {
  private let coding = XORCoding()

  @Test("Objects, forms and numbers open under every key that hides them, and are replaced")
  func opens() throws {
    let texts: [Bytes] = [
      "{\"imei\":\"490154203237518\",\"name\":\"王小明\"}",
      "imei=490154203237518&android_id=9774d56d682e549c",
      "Please call me back at the office today, thank you",
    ]
    for text in texts {
      for key in UInt8(0x80)...0xFF {
        let written = Bytes(text.map { $0 ^ key })
        #expect(value(self.coding, written) == text, "key \(key)")
        _ = try replaced(self.coding, written, by: "{\"imei\":\"359881030314356\"}")
      }
    }
    // A key below 0x20 leaves text printable: only brackets show it.
    for key in UInt8(1)..<0x20 {
      let written = Bytes(texts[0].map { $0 ^ key })
      #expect(value(self.coding, written) == texts[0], "key \(key)")
    }
  }

  @Test("Of the keys that make a number, the one with a right check digit is taken")
  func number() {
    let imei: Bytes = "490154203237518"
    #expect(value(self.coding, Bytes(imei.map { $0 ^ 0x9A })) == imei)
  }

  @Test("Random bytes, digests, compressed bytes and text do not open")
  func nearMisses() {
    var numbers = SeededRandom(17)
    for count in 12...300 {
      let noise = Bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      #expect(value(self.coding, noise) == nil)
    }
    for text in ["{\"imei\":\"490154203237518\"}", "[1, 2, 3, 4, 5, 6]", "plain words as they are"]
    {
      #expect(value(self.coding, Bytes(text)) == nil)
      #expect(value(self.coding, Bytes(Digest.sha256.hash(Bytes(text)))) == nil)
    }
    #expect(value(self.coding, "王小明你好王小明你好") == nil)
  }
}
