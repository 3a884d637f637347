import Testing
import TideCoding
import TideCore

@Suite struct GzipTests {
  private static let text = Bytes(
    (0..<4_000).map { "line \($0 * 7919 % 1000)\n" }.joined()
  )
  private static let limits = DecodingLimits(decodedBytes: 8 << 20, ratio: 100)

  private func decode(
    _ parts: [Bytes],
    _ format: DeflateFormat = .gzip,
    _ limits: DecodingLimits = Self.limits
  ) throws(CodingFailure) -> Bytes {
    var decoder = GzipDecoder(format: format, limits: limits)
    var pieces: [Bytes] = []
    for part in parts { try decoder.decode(part, &pieces) }
    try decoder.finish()
    return Bytes(pieces.flatMap(\.array))
  }

  @Test("What is encoded decodes to itself, in every format", arguments: DeflateFormat.allCases)
  func roundTrip(format: DeflateFormat) throws {
    for plain in [Bytes(), "x", Self.text] {
      let encoded = Gzip.encode(plain, format: format)
      #expect(try self.decode([encoded], format) == plain)
      #expect(try Gzip.decode(encoded, format: format, limits: Self.limits) == plain)
    }
  }

  @Test("A body decodes the same however it is split", arguments: DeflateFormat.allCases)
  func everySplit(format: DeflateFormat) throws {
    let plain = Bytes("the quick brown fox jumps over the lazy dog, the quick brown fox again")
    let encoded = Gzip.encode(plain, format: format)
    for cut in 0...encoded.count {
      #expect(
        try self.decode([encoded.slice(0..<cut), encoded.dropping(first: cut)], format) == plain
      )
    }
    #expect(try self.decode(encoded.map { Bytes([$0]) }, format) == plain)
  }

  @Test("The gzip header has no time and no name, and equal bytes encode equally")
  func deterministic() {
    let encoded = Gzip.encode(Self.text)
    #expect(encoded.slice(0..<8).array == [0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
    #expect(Gzip.encode(Self.text) == encoded)
    #expect(encoded.count < Self.text.count / 2)
  }

  @Test("Members in a row are one body; other bytes after a member are refused")
  func members() throws {
    var two = Gzip.encode("first, ")
    two.append(Gzip.encode("second"))
    #expect(try self.decode([two]) == "first, second")
    var trailed = Gzip.encode("first")
    trailed.append("garbage")
    #expect(throws: CodingFailure.self) { try self.decode([trailed]) }
    var zlib = Gzip.encode("first", format: .zlib)
    zlib.append(Gzip.encode("second", format: .zlib))
    #expect(throws: CodingFailure.self) { try self.decode([zlib], .zlib) }
  }

  @Test("A cut body is truncated wherever it is cut; a damaged one is malformed")
  func broken() {
    let encoded = Gzip.encode("some text that is long enough to be cut in many places")
    for cut in 1..<encoded.count {
      var code: CodingFailure.Code?
      do throws(CodingFailure) { _ = try self.decode([encoded.slice(0..<cut)]) } catch {
        code = error.code
      }
      #expect(code == .truncated)
    }
    var damaged = encoded.array
    damaged[damaged.count - 6] ^= 1  // the check sum
    #expect(throws: CodingFailure(.malformed, "not gzip")) { try self.decode([Bytes(damaged)]) }
    #expect(throws: CodingFailure(.malformed, "not gzip")) { try self.decode(["plain text"]) }
  }

  @Test("A bomb fails by its ratio, a large body by its size, and both stay failed")
  func bombs() throws {
    let zeros = Gzip.encode(Bytes([UInt8](repeating: 0, count: 4 << 20)))
    var decoder = GzipDecoder(limits: Self.limits)
    var pieces: [Bytes] = []
    var codes: [CodingFailure.Code] = []
    for _ in 0..<2 {
      do throws(CodingFailure) { try decoder.decode(zeros, &pieces) } catch {
        codes.append(error.code)
      }
    }
    #expect(codes == [.ratio, .ratio])
    #expect(decoder.decodedCount <= 2 * (64 << 10))
    let small = DecodingLimits(decodedBytes: 1_000, ratio: 100)
    var code: CodingFailure.Code?
    do throws(CodingFailure) { _ = try self.decode([Gzip.encode(Self.text)], .gzip, small) } catch {
      code = error.code
    }
    #expect(code == .tooLarge)
    // Below the grace the ratio does not matter.
    let honest = Bytes([UInt8](repeating: 0x61, count: 60_000))
    #expect(try self.decode([Gzip.encode(honest)]) == honest)
  }

  @Test("No bytes at all are an empty body")
  func empty() throws {
    #expect(try self.decode([]) == Bytes())
  }

  @Test("The first byte tells a zlib body from a raw one")
  func deflateKinds() {
    #expect(DeflateFormat.ofDeflateBody(firstByte: Gzip.encode("x", format: .zlib)[0]) == .zlib)
    #expect(DeflateFormat.ofDeflateBody(firstByte: Gzip.encode("x", format: .raw)[0]) == .raw)
  }
}
