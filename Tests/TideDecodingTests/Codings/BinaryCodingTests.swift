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

  @Test("UTF-16 and text of character references show themselves in the formats without a mark")
  func unusualTexts() {
    for text in [Bytes(self.text.flatMap { [$0, 0] }), "&#52;9&#48;1&#53;4203&#x32;3751&#56;"] {
      #expect(value(DeflateCoding(), Gzip.encode(text, format: .raw)) == text)
      #expect(value(BrotliCoding(), Brotli.encode(text)) == text)
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
