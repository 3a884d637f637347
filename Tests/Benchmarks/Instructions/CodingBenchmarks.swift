import TideCoding
import TideCore

/// The content codings.
enum CodingBenchmarks {
  static var all: [Benchmark] {
    [
      Self.decoder("decode-gzip", .gzip) { Gzip.encode($0) },
      Self.decoder("decode-zstd", .zstd) { Zstd.compress($0) },
    ]
  }

  private static func decoder(
    _ name: String,
    _ coding: ContentCoding,
    encode: @escaping (Bytes) -> Bytes
  ) -> Benchmark {
    Benchmark(name: name, unit: "256 KiB of JSON, decoded", units: 4) {
      let content = Samples.json(256 << 10)
      let encoded = encode(content)
      return {
        var decoder = ContentDecoder(
          [coding],
          limits: DecodingLimits(decodedBytes: 1 << 20, ratio: 1_000)
        )
        var pieces: [Bytes] = []
        try decoder.decode(encoded, &pieces)
        try decoder.finish()
        let count = pieces.reduce(0) { $0 + $1.count }
        try require(count == content.count, "\(count) of \(content.count) bytes")
      }
    }
  }
}
