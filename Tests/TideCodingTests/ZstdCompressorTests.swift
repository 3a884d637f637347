import Testing
import TideCore

@testable import TideCoding

@Suite struct ZstdCompressorTests {
  @Test("Each buffer becomes a frame of its own, whatever was compressed before it")
  func independentFrames() throws {
    let compressor = ZstdCompressor(level: 1)
    for size in [0, 1, 300, 65_536, 2, 65_536, 0] {
      let content = Bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })
      let frame = compressor.compress(content)
      #expect(try Zstd.decompress(frame, maxSize: 65_536) == content)
      #expect(frame == Zstd.compress(content, level: 1))
    }
  }

  @Test("Frames that are added one after another are what each would be by itself")
  func addedFrames() {
    let compressor = ZstdCompressor(level: 1)
    var frames: [UInt8] = [1, 2, 3]
    var expected = frames
    for size in [0, 300, 65_536, 1] {
      let content = Bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })
      compressor.compress(content, into: &frames)
      expected += compressor.compress(content)
    }
    #expect(frames == expected)
  }
}
