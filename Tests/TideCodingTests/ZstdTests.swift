import Testing
import TideCoding
import TideCore

@Suite struct ZstdTests {
  @Test("What is compressed decompresses to itself, also when empty")
  func roundTrip() throws {
    for plain in [Bytes(), "x", Bytes(String(repeating: "evidence ", count: 5_000))] {
      #expect(try Zstd.decompress(Zstd.compress(plain), maxSize: 1 << 20) == plain)
    }
  }

  @Test("A frame over the bound is refused before it is decoded")
  func bound() {
    let frame = Zstd.compress(Bytes([UInt8](repeating: 0, count: 1_001)))
    #expect(throws: CodingFailure(.tooLarge, "more than 1000 bytes")) {
      try Zstd.decompress(frame, maxSize: 1_000)
    }
  }

  @Test("Damage, a cut, trailing bytes and other formats are refused")
  func broken() {
    let frame = Zstd.compress(Bytes(String(repeating: "evidence ", count: 100)))
    var longer = frame
    longer.append("x")
    for bad in [
      Bytes(), "not zstd at all", longer, frame.slice(0..<frame.count - 1),
      Gzip.encode("x"),
    ] {
      #expect(throws: CodingFailure.self) { try Zstd.decompress(bad, maxSize: 1 << 20) }
    }
  }
}
