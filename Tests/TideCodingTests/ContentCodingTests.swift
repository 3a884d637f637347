import Testing
import TideCoding
import TideCore

@Suite struct ContentCodingTests {
  private static let text = Bytes((0..<4_000).map { "line \($0 * 7919 % 1000)\n" }.joined())
  private static let limits = DecodingLimits(decodedBytes: 8 << 20, ratio: 100)
  private static let chains: [[ContentCoding]] =
    [[]] + ContentCoding.allCases.map { [$0] } + [
      [.gzip, .br], [.deflate, .zstd], [.br, .zstd, .gzip],
    ]

  private func decode(
    _ parts: [Bytes],
    _ codings: [ContentCoding],
    _ limits: DecodingLimits = Self.limits
  ) throws(CodingFailure) -> Bytes {
    var decoder = ContentDecoder(codings, limits: limits)
    var pieces: [Bytes] = []
    for part in parts { try decoder.decode(part, &pieces) }
    try decoder.finish()
    return Bytes(pieces.flatMap(\.array))
  }

  private func code(_ parts: [Bytes], _ codings: [ContentCoding]) -> CodingFailure.Code? {
    do throws(CodingFailure) {
      _ = try self.decode(parts, codings)
      return nil
    } catch { return error.code }
  }

  @Test("What is encoded by a chain decodes to itself, whole and byte by byte", arguments: chains)
  func roundTrip(chain: [ContentCoding]) throws {
    for plain in ["x", Self.text.slice(0..<3_000), Self.text] {
      let encoded = ContentEncoder.encode(plain, chain, like: Bytes())
      #expect(try self.decode([encoded], chain) == plain)
      guard encoded.count < 4_000 else { continue }
      #expect(try self.decode(encoded.map { Bytes([$0]) }, chain) == plain)
    }
    #expect(try self.decode([], chain) == Bytes())
  }

  @Test("A cut body is truncated wherever it is cut", arguments: ContentCoding.allCases)
  func truncated(coding: ContentCoding) {
    let encoded = ContentEncoder.encode(
      "some text that is long enough to be cut in many places, some text",
      [coding],
      like: Bytes()
    )
    for cut in 1..<encoded.count {
      #expect(self.code([encoded.slice(0..<cut)], [coding]) == .truncated)
      #expect(self.code([encoded.slice(0..<cut), encoded.dropping(first: cut)], [coding]) == nil)
    }
  }

  @Test(
    "Bytes after the end are refused, in one piece and in the next",
    arguments: ContentCoding.allCases
  )
  func trailing(coding: ContentCoding) {
    let encoded = ContentEncoder.encode("some text", [coding], like: Bytes())
    #expect(self.code([encoded, "garbage"], [coding]) == .malformed)
    var longer = encoded
    longer.append("garbage")
    #expect(self.code([longer], [coding]) == .malformed)
    #expect(self.code(["\u{7F}plain text that is no coding at all"], [coding]) == .malformed)
  }

  @Test("A bomb fails by its ratio, in any coding and across codings")
  func bombs() {
    let zeros = Bytes([UInt8](repeating: 0, count: 2 << 20))
    for chain in Self.chains.dropFirst() {
      let encoded = ContentEncoder.encode(zeros, chain, like: Bytes())
      #expect(self.code([encoded], chain) == .ratio)
    }
    // Each of the two stages stays below 100; together they do not.
    var state: UInt64 = 1
    let noise = (0..<6_000).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    let many = 24 * 306_000
    let member = Gzip.encode(Bytes(noise + [UInt8](repeating: 0, count: 300_000)))
    let inner = Bytes((0..<24).flatMap { _ in member.array })
    let outer = Brotli.encode(inner)
    #expect(many / inner.count < 100 && inner.count / outer.count < 100)
    #expect(many / outer.count > 100)
    #expect(self.code([outer], [.gzip, .br]) == .ratio)
  }

  @Test("A body over the size fails, and stays failed, with what came before")
  func tooLarge() {
    for coding in ContentCoding.allCases {
      let encoded = ContentEncoder.encode(Self.text, [coding], like: Bytes())
      var decoder = ContentDecoder(
        [coding],
        limits: DecodingLimits(decodedBytes: 10_000, ratio: 100)
      )
      var codes: [CodingFailure.Code] = []
      var pieces: [Bytes] = []
      for _ in 0..<2 {
        do throws(CodingFailure) { try decoder.decode(encoded, &pieces) } catch {
          codes.append(error.code)
        }
      }
      #expect(codes == [.tooLarge, .tooLarge])
      #expect(pieces.first?.first == Self.text.first)
    }
  }

  @Test("deflate is written as the original was, also under another coding")
  func deflateKinds() throws {
    for format in [DeflateFormat.zlib, .raw] {
      let original = Gzip.encode("the original", format: format)
      let again = ContentEncoder.encode("another", [.deflate], like: original)
      #expect(try Gzip.decode(again, format: format, limits: Self.limits) == "another")
      let nested = ContentEncoder.encode("another", [.deflate, .br], like: Brotli.encode(original))
      let inner = try Brotli.decode(nested, limits: Self.limits)
      #expect(try Gzip.decode(inner, format: format, limits: Self.limits) == "another")
    }
  }

  @Test(
    "Frames of zstd in a row, with and without a size, are one body; skippable ones say nothing"
  )
  func zstdFrames() throws {
    let skippable = Bytes([0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3])
    let empty = Zstd.compress(Bytes())
    let parts = [Zstd.compress("first, "), skippable, empty, Zstd.compress("second")]
    let body = Bytes(parts.flatMap(\.array))
    #expect(try Zstd.decode(body, limits: Self.limits) == "first, second")
    #expect(try self.decode(body.map { Bytes([$0]) }, [.zstd]) == "first, second")
    // A window of 16 MiB (RFC 8878 §3.1.1.1.2: exponent 14), and one raw block of a byte.
    let wide = Bytes([0x28, 0xB5, 0x2F, 0xFD, 0x00, 14 << 3, 0x09, 0, 0, 0x61])
    #expect(self.code([wide], [.zstd]) == .malformed)
    let most = Bytes([0x28, 0xB5, 0x2F, 0xFD, 0x00, 13 << 3, 0x09, 0, 0, 0x61])
    #expect(try Zstd.decode(most, limits: Self.limits) == "a")
  }

  @Test("Frames of zstd from before its RFC are refused")
  func zstdLegacy() {
    for first in UInt8(0x1E)...0x27 {
      let frame = Bytes([first, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0])
      #expect(self.code([frame], [.zstd]) == .malformed)
    }
  }

  @Test("Tokens are read in any case, x-gzip is gzip, identity is nothing, others are refused")
  func tokens() {
    #expect(ContentCoding(token: "GZip") == .gzip)
    #expect(ContentCoding(token: "x-gzip") == .gzip)
    #expect(ContentCoding(token: "compress") == nil)
    #expect(ContentCoding(token: "gzip\u{0}") == nil)
    #expect(ContentCoding.chain(" gzip ,\tBR, identity,") == [.gzip, .br])
    #expect(ContentCoding.chain("") == [])
    #expect(ContentCoding.chain("gzip, dcb") == nil)
    #expect(ContentCoding.chain("gzip,gzip,gzip,gzip") != nil)
    #expect(ContentCoding.chain("gzip,gzip,gzip,gzip,gzip") == nil)
    #expect(self.code(["x"], [ContentCoding](repeating: .gzip, count: 5)) == .malformed)
  }

  @Test("Random bytes never trap, and stay within the limits")
  func hostile() {
    var random = SystemRandomNumberGenerator()
    let encoded = ContentCoding.allCases.map {
      ContentEncoder.encode(Self.text.slice(0..<500), [$0], like: Bytes())
    }
    for turn in 0..<2_000 {
      let coding = ContentCoding.allCases[turn % 4]
      var bytes = encoded[turn % 4].array
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255,
          using: &random
        )
      }
      var decoder = ContentDecoder(
        [coding],
        limits: DecodingLimits(decodedBytes: 10_000, ratio: 100)
      )
      var pieces: [Bytes] = []
      do throws(CodingFailure) {
        try decoder.decode(Bytes(bytes), &pieces)
        try decoder.finish()
      } catch { #expect(!error.detail.isEmpty) }
      #expect(decoder.decodedCount <= 10_000 + (64 << 10))
    }
  }
}
