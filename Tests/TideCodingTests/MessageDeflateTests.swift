import Testing
import TideCoding
import TideCore

@Suite struct MessageDeflateTests {
  private static let limits = DecodingLimits(decodedBytes: 8 << 20, ratio: 100)
  private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

  private static func single(_ bytes: Bytes) -> [Bytes] { bytes.map { Bytes([$0]) } }

  @Test(
    "The examples of RFC 7692 §7.2.3 read as it says, at once and byte by byte",
    arguments: [
      (Self.hello, "Hello"),
      ([0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00], "Hello"),
      ([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], "Hello"),
      ([0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00], "Hello"),
      ([0x00], ""), ([0x02, 0x00], ""),
    ] as [([UInt8], Bytes)]
  )
  func examples(compressed: [UInt8], plain: Bytes) throws {
    for keepsContext in [true, false] {
      let inflater = Inflation(keepsContext: keepsContext, limits: Self.limits)
      for _ in 0..<3 {
        #expect(try inflater.message([Bytes(compressed)]) == plain)
        #expect(try inflater.message(Self.single(Bytes(compressed))) == plain)
      }
    }
  }

  @Test("A message refers to the one before only where its sender keeps the context")
  func contextTakeover() throws {
    let second = Bytes([0xF2, 0x00, 0x11, 0x00, 0x00])
    let keeping = Inflation(keepsContext: true, limits: Self.limits)
    #expect(try keeping.message([Bytes(Self.hello)]) == "Hello")
    #expect(try keeping.message([second]) == "Hello")
    let forgetting = Inflation(keepsContext: false, limits: Self.limits)
    #expect(try forgetting.message([Bytes(Self.hello)]) == "Hello")
    #expect(throws: CodingFailure.self) { try forgetting.message([second]) }

    let deflater = Deflation(keepsContext: true)
    #expect(deflater.message(["Hello"]).array == Self.hello)
    #expect(deflater.message(["Hello"]) == second)
    let reset = Deflation(keepsContext: false)
    for _ in 0..<2 { #expect(reset.message(["Hello"]).array == Self.hello) }
  }

  @Test("The window outlives a block that says it is the last")
  func finalBlocks() throws {
    let inflater = Inflation(keepsContext: true, limits: Self.limits)
    let final = Bytes([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00])
    #expect(try inflater.message([final]) == "Hello")
    #expect(try inflater.message([Bytes([0xF2, 0x00, 0x11, 0x00, 0x00])]) == "Hello")
  }

  @Test("A deflater may take over from the sender at any message")
  func takesOver() throws {
    let sender = Deflation(keepsContext: true)
    let ours = Deflation(keepsContext: true)
    let inflater = Inflation(keepsContext: true, limits: Self.limits)
    for deflater in [sender, sender, ours, ours] {
      let message = deflater.message(["a message that is said again and again"])
      #expect(try inflater.message([message]) == "a message that is said again and again")
    }
  }

  @Test("Single bytes that decompress to a lot come out whole")
  func denseInput() throws {
    let plain = Bytes([UInt8](repeating: 0x61, count: 300_000))
    let compressed = Deflation(keepsContext: true).message([plain])
    let inflater = Inflation(
      keepsContext: true,
      limits: DecodingLimits(decodedBytes: 1 << 20, ratio: 2_000)
    )
    #expect(try inflater.message(Self.single(compressed)) == plain)
  }

  @Test("Thousands of last blocks in one read come out in few pieces")
  func manyFinalBlocks() throws {
    // A final block of fixed codes that holds one letter: 3 + 8 + 7 bits.
    let block: [UInt8] = [0x4B, 0x04, 0x00]
    let blocks = Bytes((0..<20_000).flatMap { _ in block })
    let inflater = Inflation(keepsContext: true, limits: Self.limits)
    var pieces: [Bytes] = []
    try inflater.inflater.inflate(blocks, &pieces)
    #expect(pieces.reduce(0) { $0 + $1.count } == 20_000)
    #expect(pieces.count < 8)
    #expect(pieces.allSatisfy { $0.allSatisfy { $0 == 0x61 } })
  }

  @Test(
    "Random messages survive the round trip with every window, context and cut",
    arguments: 8...15,
    [true, false]
  )
  func roundTrips(windowBits: Int, keepsContext: Bool) throws {
    var random = SystemRandomNumberGenerator()
    let deflater = Deflation(windowBits: windowBits, keepsContext: keepsContext)
    let inflater = Inflation(
      windowBits: windowBits,
      keepsContext: keepsContext,
      limits: Self.limits
    )
    for size in [0, 1, 0, 0, 5, 300, 700, 36_000, 3] {
      // Few letters, so that there is much to refer to at every distance.
      let plain = Bytes((0..<size).map { _ in UInt8.random(in: 0x61...0x64, using: &random) })
      let middle = Int.random(in: 0...size, using: &random)
      let parts = [plain.slice(0..<middle), plain.dropping(first: middle)]
      let compressed = deflater.message(parts)
      // Single bytes make zlib look back into its window, which is as small as was agreed on.
      #expect(try inflater.message(Self.single(compressed)) == plain)
      #expect(inflater.inflater.decodedCount == 0 && inflater.inflater.encodedCount == 0)
    }
  }

  @Test("A sender that looks back further than was agreed on is noticed")
  func widerWindow() throws {
    var random = SystemRandomNumberGenerator()
    let part = Bytes((0..<300).map { _ in UInt8.random(in: 0...255, using: &random) })
    let compressed = Deflation(windowBits: 10, keepsContext: true).message([part, part])
    let narrow = Inflation(windowBits: 8, keepsContext: true, limits: Self.limits)
    #expect(throws: CodingFailure.self) { try narrow.message(Self.single(compressed)) }
    let wide = Inflation(windowBits: 10, keepsContext: true, limits: Self.limits)
    #expect(try wide.message(Self.single(compressed)).count == 600)
  }

  @Test("What does not compress is flushed whole, across every piece of output")
  func incompressible() throws {
    var random = SystemRandomNumberGenerator()
    let deflater = Deflation(keepsContext: true)
    let inflater = Inflation(keepsContext: true, limits: Self.limits)
    for size in stride(from: 16_300, to: 16_400, by: 7) {
      let plain = Bytes((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
      let compressed = deflater.message([plain])
      #expect(try inflater.message([compressed]) == plain)
    }
  }

  @Test("A message that ends within a block is truncated wherever it is cut")
  func truncated() throws {
    let deflater = Deflation(keepsContext: false)
    let compressed = deflater.message(["some text, some other text, some text"])
    for cut in 0..<compressed.count - 1 {
      let inflater = Inflation(keepsContext: true, limits: Self.limits)
      #expect(throws: CodingFailure.self) {
        try inflater.message([compressed.slice(0..<cut)])
      }
    }
  }

  @Test("A failure is final")
  func sticky() {
    let inflater = Inflation(keepsContext: true, limits: Self.limits)
    let failure = CodingFailure(.malformed, "not a compressed message")
    #expect(throws: failure) { try inflater.message([Bytes([0xFF, 0xFF])]) }
    #expect(throws: failure) { try inflater.message([Bytes(Self.hello)]) }
    #expect(throws: failure) { try inflater.message([]) }
  }

  @Test("A message over its limit fails, one after another within it does not")
  func limits() throws {
    let plain = Bytes([UInt8](repeating: 0, count: 1 << 20))
    let deflater = Deflation(keepsContext: false)
    let bomb = deflater.message([plain])
    func code(_ limits: DecodingLimits, times: Int = 1) -> CodingFailure.Code? {
      let inflater = Inflation(keepsContext: false, limits: limits)
      do throws(CodingFailure) {
        for _ in 0..<times { _ = try inflater.message([bomb]) }
        return nil
      } catch { return error.code }
    }
    #expect(code(DecodingLimits(decodedBytes: (1 << 20) - 1, ratio: 2_000)) == .tooLarge)
    #expect(code(DecodingLimits(decodedBytes: 8 << 20, ratio: 100)) == .ratio)
    #expect(code(DecodingLimits(decodedBytes: 1 << 20, ratio: 2_000), times: 5) == nil)
  }

  @Test("Random bytes never trap")
  func hostile() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let bytes = Bytes(
        (0..<Int.random(in: 0...60)).map { _ in UInt8.random(in: 0...255, using: &random) }
      )
      let inflater = Inflation(windowBits: 8, keepsContext: true, limits: Self.limits)
      do throws(CodingFailure) {
        _ = try inflater.message(Self.single(bytes))
      } catch { #expect(error.code == .malformed || error.code == .truncated) }
    }
  }
}

/// An inflater to which an expectation can hold on.
private final class Inflation {
  var inflater: MessageInflater

  init(windowBits: Int = 15, keepsContext: Bool, limits: DecodingLimits) {
    self.inflater = MessageInflater(
      windowBits: windowBits,
      keepsContext: keepsContext,
      limits: limits
    )
  }

  func message(_ parts: [Bytes]) throws(CodingFailure) -> Bytes {
    var pieces: [Bytes] = []
    for part in parts { try self.inflater.inflate(part, &pieces) }
    try self.inflater.finishMessage(&pieces)
    return Bytes(pieces.flatMap(\.array))
  }
}

/// A deflater to which an expectation can hold on.
private final class Deflation {
  var deflater: MessageDeflater

  init(windowBits: Int = 15, keepsContext: Bool) {
    self.deflater = MessageDeflater(windowBits: windowBits, keepsContext: keepsContext)
  }

  func message(_ parts: [Bytes]) -> Bytes {
    var pieces: [Bytes] = []
    for part in parts { self.deflater.deflate(part, &pieces) }
    self.deflater.finishMessage(&pieces)
    return Bytes(pieces.flatMap(\.array))
  }
}
